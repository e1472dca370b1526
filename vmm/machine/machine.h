/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine - owns everything; the only room that knows all the parts.
 *
 * Threads: one per vCPU, the loop (the caller of machine_run()), a few workers once something
 * blocks; with cfg->early also a helper per vCPU, and all of them at once.  vCPUs touch devices
 * through the buses only; kicks reach the loop by ioeventfd.  Built before any thread starts, then
 * the lists never change.
 */
#ifndef MICROVM_MACHINE_H
#define MICROVM_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "boot/boot.h"
#include "boot/kernel.h"
#include "devices/backend/tty.h"
#include "devices/virtio/balloon.h"
#include "devices/virtio/virtio.h"
#include "vmm/core/bus.h"
#include "vmm/core/config.h"
#include "vmm/core/power.h"
#include "vmm/machine/exit.h"
#include "vmm/kvm/irqchip.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/machine/report.h"
#include "vmm/machine/witness.h"

#define MACHINE_DEVICES_MAX BUS_DEVICES_MAX

struct machine;

/* Who asked for what takes a while (machine_ops.h). Its owner sets told(); it is the machine's until that
 * was called
 */
struct machine_asker {
	/* It is done, or @e says why not. @json: what was asked for, of @len bytes, if it was a text; valid
	 * for the call only. Loop thread; it may ask for something else
	 */
	void (*told)(struct machine_asker *a, const struct err *e, const char *json,
		     size_t len);
	struct machine_asker *next; /* the machine's */
};

/* The report of a running machine, at SIGUSR1 or for an asker (machine_report.c) */
struct machine_live {
	struct report_file *file;
	enum {
		LIVE_IDLE,
		LIVE_ASKED,  /* the guest, for its memory figures, until @timer */
		LIVE_WRITING /* a worker has @work, @report and @failure */
	} state;
	bool file_wanted; /* by the next one; and by the one that is written: */
	bool for_file, for_askers;
	struct machine_asker *wants, *waits; /* likewise, lists */
	char *text; /* for them, of @len bytes; NULL: out of memory */
	size_t len;
	bool told; /* the operator was told that there is no file */
	struct loop_source timer;
	struct balloon_asker asker;
	struct work work;
	struct report report;
	struct err failure;
};

/* How the guest's own end is detected (machine_ends.c) */
struct machine_ends {
	struct witness witness;
	struct loop_task begin; /* any thread posts it; the rest is the loop's */
	struct loop_source timer;
	unsigned int tries;  /* of a look at the vCPUs */
	unsigned int agreed; /* looks in a row */
};

/* Pause and resume (machine_life.c) */
enum machine_phase {
	MACHINE_RUNS,
	MACHINE_PAUSING, /* vCPUs and devices come to rest */
	MACHINE_PAUSED,
};

/* The pause is over: @e NULL: all is at rest; else what prevented it, and the machine goes on.
 * Loop thread
 */
typedef void (*machine_paused_fn)(void *ctx, const struct err *e);

struct machine_life {
	enum machine_phase phase; /* the loop's */
	struct loop_source timer;
	uint64_t since_ns;       /* when the pause began */
	uint64_t nap_ns;         /* the time until the next look */
	uint64_t asked, at_rest; /* a bit for each device asked, and for each at rest */
	bool held, wanted;       /* machine_hold(), and it should go on after that */
	bool stops;              /* SIGTSTP came during a pause that another asked for */
	bool stays;              /* a pause was asked for meanwhile, and outlasts held */
	machine_paused_fn done;
	void *ctx;
	struct machine_asker *asker; /* of machine_ops.c; NULL: none waits for a pause */
};

/* An orderly stop (machine_stop.c) */
struct machine_stop {
	struct loop_source timer;
	_Atomic uint64_t since_ns; /* when the button was pressed first; 0: it was not */
};

/* A machine that goes on from what was saved, instead of booting (vmm/snapshot) */
struct machine_load {
	int memory;     /* a file */
	bool keep_time; /* the guest's clocks go on from where they stood */
	/* both: Return: 0, or -errno in @e. map(): the regions of @m are what the file has. state(): the
	 * rest of @m, which is built and whose devices are not live
	 */
	int (*map)(const struct machine_load *l, struct gmem *m, struct err *e);
	int (*state)(const struct machine_load *l, struct machine *m, struct err *e);
};

struct machine {
	const struct config *cfg;
	struct kernel_file kernel; /* of kernel_config_warn() */
	struct gmem mem;
	struct bus mmio, pio;
	struct loop *loop;
	struct work_pool *pool;
	struct ring *ring;
	struct tty *tty;            /* of the console; NULL: a port has the terminal */
	struct tty_client *console; /* whose output @tty shows; NULL: none */
	struct tty *port_tty[CONFIG_PORTS_MAX];
	struct tty_client *port[CONFIG_PORTS_MAX];
	struct device *dev[MACHINE_DEVICES_MAX]; /* in the order they were made */
	unsigned int ndev, nvirtio;
	struct virtio_dev *disk[CONFIG_DISKS_MAX]; /* whose size the host may change */
	unsigned int ndisk;
	struct virtio_dev *pmem[CONFIG_PMEMS_MAX];
	unsigned int npmem;
	struct virtio_dev *balloon; /* NULL: none */
	struct virtio_dev *vsock;   /* likewise */
	struct device *genid;       /* NULL: it cannot be saved */
	struct virtio_dev *button;  /* likewise */
	unsigned int late_fds;      /* of virtio devices, opened only on activation */
	struct virtio_env env;
	uint8_t *virtio_pages; /* the register images of all virtio devices, in a row */
	size_t virtio_pages_len;
	struct boot_result boot;

	struct kvm kvm;
	struct irqchip irqchip;
	struct vcpu *vcpu;
	unsigned int nvcpu; /* made so far */
	uint64_t *stacks;   /* of all vCPUs, of machine_keep_registers(); NULL: none */
	struct vcpu_host vcpu_host;

	/* the other ends of interfaces that parts use */
	struct power power;
	struct doorbells doorbells;
	pthread_mutex_t doorbell_lock;
	bool virtio_pages_mapped; /* under doorbell_lock */
	struct loop_source signals, timeout;
	struct machine_live live;
	struct machine_ends ends;
	struct machine_life life;
	/* what machine_set_signals() gave */
	bool (*on_signal)(void *ctx, int sig);
	void *signal_ctx;
	/* what machine_set_panicked() gave */
	void (*on_panic)(void *ctx);
	void *panic_ctx;
	bool stuck; /* calls of our threads do not return: we must exit */
	struct machine_stop stop;
	_Atomic bool has_verdict;
	struct exit_verdict
		verdict; /* the first; written once, read when all is joined */
};

/* machine_build() - KVM's VM, memory, devices, boot image, vCPUs, in that order.  With
 * cfg->dry_run it does not use KVM. @cfg and @loop are the caller's and must outlive the machine;
 * the loop may have sources of the caller's.
 * Return: 0, or -errno with a sentence in @e; machine_destroy() in either case
 */
int machine_build(struct machine *m, const struct config *cfg, struct loop *loop,
		  struct err *e);
/* machine_seal() - between build and run: what only the build needs is closed, before the process
 * is locked up
 */
void machine_seal(struct machine *m);
/* machine_run() - run the guest to its end: the calling thread becomes the loop's */
struct exit_verdict machine_run(struct machine *m);

/* machine_pause() - bring vCPUs, then devices to rest: no vCPU runs, no device holds a chain, no
 * work is under way, nothing is locked, and only the caller's and the operator's sources wake the
 * loop. It calls @done then, perhaps at once, or after five seconds if something does not come to
 * rest. If the guest ends first, @done is not called. Loop thread, while it runs.
 * Return: 0; -EBUSY: it is not running (then @done is not called)
 */
int machine_pause(struct machine *m, machine_paused_fn done, void *ctx);
/* machine_resume() - go on after a pause, or cancel one that is under way, whose @done is then
 * not called. Loop thread
 */
void machine_resume(struct machine *m);
/* machine_state() - save or load all that it is but settings and memory: paused, or built and not run; one
 * without KVM has only its devices. Loop thread, or before it is one
 */
struct state;
void machine_state(struct machine *m, struct state *s);
/* machine_state_prepare() - between build and seal, if it may be saved later.  Return: 0, or -errno in @e */
int machine_state_prepare(struct machine *m, struct err *e);
/* machine_end() - the guest is over, for this reason; the first call counts.  Any thread */
void machine_end(struct machine *m, enum exit_cause cause, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* machine_end_with() - likewise, with a verdict that may have a status of its own */
void machine_end_with(struct machine *m, const struct exit_verdict *v);
/* machine_set_signals() - between build and run: @fn is asked about each signal that is sent to us,
 * on the loop's thread, and returns whether it has dealt with it; if not, it does what it always does
 */
void machine_set_signals(struct machine *m, bool (*fn)(void *ctx, int sig), void *ctx);
/* machine_set_panicked() - between build and run: @fn is called once the guest's kernel has told its panic
 * device that it panicked, on the loop's thread; the machine goes on for the rest of its words
 */
void machine_set_panicked(struct machine *m, void (*fn)(void *ctx), void *ctx);
/* machine_watch_still() - between build and run: look at the vCPUs each second. A guest that nothing
 * would move any more (each of them is off, or stopped where no interrupt reaches it) ends with
 * CAUSE_HANG, if its kernel has said nothing of it.  x86-64 alone
 */
void machine_watch_still(struct machine *m);
/* machine_keep_registers() - between build and run: those of each vCPU are kept when it leaves, and what it
 * was at.  Return: 0, or -errno in @e.  machine_registers() - after the run: of vCPU @nr, as members of a JSON
 * object; machine_seen(): what it was at. NULL: there are none
 */
int machine_keep_registers(struct machine *m, struct err *e);
const char *machine_registers(const struct machine *m, unsigned int nr);
const struct vcpu_seen *machine_seen(const struct machine *m, unsigned int nr);
/* machine_push_console() - after machine_run(): what is kept of the console's output goes to its reader, as
 * much as that takes now
 */
void machine_push_console(struct machine *m);
/* machine_report() - what the machine knows of a finished run, or one that goes on.  Any
 * thread; takes the devices' locks, one after another
 */
void machine_report(const struct machine *m, struct report *r);
/* machine_report_live() - between build and run: at each SIGUSR1 the report as it stands goes
 * to @f.  @f must outlive the machine, @start_ns is as in struct report
 */
void machine_report_live(struct machine *m, struct report_file *f, uint64_t start_ns);
/* machine_describe() - memory map, devices and command line, for --dry-run */
void machine_describe(const struct machine *m, FILE *f);
/* machine_destroy() - in reverse order.  Of a machine that is ->stuck it restores the terminal
 * only; _exit() has to follow
 */
void machine_destroy(struct machine *m);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu - a virtual processor and the thread that runs it.
 *
 * The thread begins at rest. Told to go on (vcpu_resume()), it enters KVM_RUN, hands port and
 * memory-mapped accesses to the two buses, rests while it is told to (vcpu_rest()), and leaves when
 * it is told to (vcpu_stop()) or when the guest or KVM ended it (host->ended()).
 *
 * With host->early it makes few system calls (thread_is_vcpu()): a helper makes its slow accesses,
 * and both threads stay when they have left.
 */
#ifndef MICROVM_KVM_VCPU_H
#define MICROVM_KVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "boot/boot.h"
#include "vmm/core/bus.h"
#include "vmm/core/err.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu_helper.h"

#define VCPU_EXIT_REASONS 48 /* KVM_EXIT_*; a greater one is counted in the last */

#define VCPU_TOLD  1536
#define VCPU_STACK (16 << 10) /* bytes of a stack that are kept: Linux has as many */

/* What a vCPU was at when it left */
struct vcpu_seen {
	bool known; /* the rest could be read */
	bool user;  /* in a program, and not in the kernel */
	uint64_t pc, sp;
	/* where its kernel takes system calls (x86-64: MSR LSTAR) or exceptions (arm64: VBAR_EL1), by which
	 * one knows where that lies; 0: nowhere yet
	 */
	uint64_t entry;
	unsigned int nstack;
	uint64_t *
		stack; /* of the kernel: words from @sp upwards, VCPU_STACK bytes; NULL: not wanted */
};

enum vcpu_end {
	VCPU_POWEROFF, /* the guest asked the hypervisor itself for one of these, */
	VCPU_REBOOT,   /* not a device */
	VCPU_REBOOT_WARM,
	VCPU_PANIC,
	VCPU_TRIPLE_FAULT, /* KVM_EXIT_SHUTDOWN */
	VCPU_CANNOT_GO_ON, /* KVM gave up; @detail says why and where */
};

/* What a vCPU does, as vcpu_ask() finds it: did the guest halt or crash? */
enum vcpu_look {
	VCPU_BUSY,   /* busy, or waiting for something */
	VCPU_KERNEL, /* runs privileged code with interrupts on */
	VCPU_DEAD,   /* off, or stopped where no interrupt reaches it */
};

/* A look at VCPU_DEAD is certain.  Elsewhere a kernel that boots may look so as well */
extern const bool vcpu_dead_is_certain;

/* What its thread should do */
enum vcpu_want {
	VCPU_RUN,
	VCPU_REST,  /* stay out of the guest, with no part of an exit left to do */
	VCPU_LEAVE, /* leave, for good */
};

struct vcpu_host {
	struct bus *mmio, *pio;
	const struct gmem *mem;
	bool keeps;    /* each vCPU's registers are kept when it leaves, in vcpu->told */
	bool early;    /* its devices are armed before its vCPUs start */
	bool emulates; /* KVM interprets guest kernels; set by vcpu_create() */
	/* vCPU thread: it will not enter the guest again.  @detail lives for the call only */
	void (*ended)(struct vcpu_host *h, enum vcpu_end why, const char *detail);
	_Atomic bool over; /* set by ended()'s owner: no vCPU enters the guest any more */
	_Atomic uint64_t first_run_ns; /* CLOCK_MONOTONIC just before the first KVM_RUN */
	_Atomic unsigned int
		pauses; /* how often the process was seen to have been stopped */
};

struct kvm_run;

struct vcpu {
	unsigned int id;
	int fd; /* -1: not made */
	struct kvm_run *run;
	size_t run_size;
	struct vcpu_host *host;
	pthread_t thread;
	pid_t pid;         /* of the process; before @tid is set */
	_Atomic pid_t tid; /* the thread's, for VCPU_SIGNAL; 0: it has not begun */
	bool started;
	_Atomic int want;           /* enum vcpu_want */
	_Atomic bool resting, left; /* left: the thread has ended */
	pthread_mutex_t lock;       /* for @moved alone: @want or @asked has changed */
	pthread_cond_t moved;
	struct vcpu_helper helper;
	_Atomic bool asked;  /* by vcpu_ask(), and not answered yet */
	_Atomic int look;    /* the answer: enum vcpu_look */
	unsigned int again;  /* EAGAIN of KVM_RUN in a row */
	unsigned int pauses; /* of host->pauses: the number the guest was told of */
	/* its registers when it left, as members of a JSON object; "": not kept, or it has not left */
	char told[VCPU_TOLD];
	struct vcpu_seen seen;                     /* likewise */
	_Atomic uint64_t exits[VCPU_EXIT_REASONS]; /* written by its thread alone */
};

/* vcpu_create() - vCPU @id with the processor identification (of @ncpu), MSRs and
 * interrupt set-up that boot expects.
 * Return: 0, or -errno in @e; vcpu_destroy() in either case
 */
int vcpu_create(struct vcpu *c, struct kvm *k, unsigned int id, unsigned int ncpu,
		struct vcpu_host *h, struct err *e);
/* vcpu_finish() - what has to wait for the interrupt controller to be complete, which in
 * turn waits for the last vcpu_create()
 */
int vcpu_finish(struct vcpu *c, const struct kvm *k, struct err *e);
/* vcpu_set_entry() - registers for vCPU 0's first instruction */
int vcpu_set_entry(struct vcpu *c, const struct boot_result *b, struct err *e);
/* vcpu_start() - make its thread, which rests until vcpu_resume() */
int vcpu_start(struct vcpu *c, struct err *e);
/* vcpu_rest() - ask it to stay out of the guest: it completes the exit that it handles, and then
 * any thread can read and write its registers. vcpu_rests(): does it, or has it left?
 * vcpu_resume(): it goes on. One thread, between vcpu_start() and vcpu_stop()
 */
void vcpu_rest(struct vcpu *c);
bool vcpu_rests(const struct vcpu *c);
void vcpu_resume(struct vcpu *c);
/* vcpu_stop() - ask it to leave the guest for good; vcpu_join() waits until it has */
void vcpu_stop(struct vcpu *c);
void vcpu_join(struct vcpu *c);
bool vcpu_left(const struct vcpu *c); /* vcpu_join() would not wait */
/* vcpu_ask() - make its thread check what the guest does.  vcpu_answer(): into @look.  Return:
 * has it checked since? One thread asks at a time; between vcpu_start() and vcpu_join()
 */
void vcpu_ask(struct vcpu *c);
bool vcpu_answer(const struct vcpu *c, enum vcpu_look *look);
void vcpu_destroy(struct vcpu *c); /* joined, or never started */

/* vcpu_exit_name() - "mmio" for KVM_EXIT_MMIO and so on; NULL for a number with no name */
const char *vcpu_exit_name(unsigned int reason);

/* vcpu_write() - the guest writes @val to @b: here, or by the helper.  vCPU thread */
void vcpu_write(struct vcpu *c, struct bus *b, uint64_t addr, unsigned int size,
		uint64_t val);

/* vcpu_init_signals() - once, before any vcpu_start() */
void vcpu_init_signals(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_ends - how a guest ended: off, reset, panic, halt or fault.
 *
 * First comes what its kernel said of it (vmm/witness), then how it asked for the reset: our
 * command line has Linux reset warmly after a panic and coldly otherwise.
 *
 * A guest that halts or that panics with panic=0 makes no request. After its kernel's last words
 * the loop checks the vCPUs until all are stopped for good: any program in the guest could print
 * the words alone.
 */
#include "vmm/machine/machine_parts.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define ENDS_LOOK_NS       100000000
#define ENDS_LOOKS_QUICK   50 /* then once a second: a program may print the words */
#define ENDS_LOOK_LATER_NS UINT64_C(1000000000)
#define ENDS_HALTED        3 /* checks in a row in which no vCPU runs */
#define ENDS_PANICKED \
	20 /* and in which only one does, in the kernel: a busy guest can look so */
#define ENDS_PANIC_NS \
	UINT64_C(1000000000) /* for the rest of its words, and for its reset */

static void machine_end_panic(struct machine *m)
{
	const char *cure = "";

	if (m->ends.witness.rootless && m->cfg->ninitrd == 0)
		cure = ": it found no root file system; a kernel whose virtio drivers are "
		       "modules needs an --initrd for that, and "
		       "guest-images/rootfs/mkinitramfs makes one";
	machine_end(m, CAUSE_PANIC, "the guest's kernel panicked%s", cure);
}

static void machine_end_reset(struct machine *m, enum machine_reset how)
{
	const struct witness *w = &m->ends.witness;
	bool hint = how == MACHINE_RESET_WARM && m->boot.panic_is_warm;

	if (witness_panicked(w) || (hint && !witness_knows(w)))
		machine_end_panic(m);
	else
		machine_end_own(m, CAUSE_REBOOT);
}

static void machine_end_off(struct machine *m)
{
	if (m->ends.witness.panicked || m->ends.witness.crashed)
		machine_end_panic(m);
	else
		machine_end_own(m, CAUSE_POWEROFF);
}

/* A processor that shuts down is one more way to reset: reboot=t */
static void machine_end_fault(struct machine *m)
{
	enum machine_reset how = machine_arch_reset(m);

	if (how != MACHINE_RESET_UNSAID || witness_panicked(&m->ends.witness))
		machine_end_reset(m, how);
	else
		machine_end(m, CAUSE_TRIPLE_FAULT,
			    "the guest's processor shut down (triple fault)");
}

/* The loop: its kernel panicked, or printed its last words; a vCPU's thread saw it */
static void machine_ends_begin(struct loop_task *t)
{
	struct machine *m = container_of(t, struct machine, ends.begin);

	m->ends.tries = 0;
	if (!m->ends.witness.panicked) {
		loop_timer_every(&m->ends.timer, ENDS_LOOK_NS);
		return;
	}
	loop_timer_every(&m->ends.timer, ENDS_PANIC_NS);
	if (m->on_panic)
		m->on_panic(m->panic_ctx);
}

/* A device: the guest wants to end, or its kernel does.  vCPU thread */
static void machine_on_power(struct power *p, enum power_event ev)
{
	struct machine *m = container_of(p, struct machine, power);

	switch (ev) {
	case POWER_OFF:
		machine_end_off(m);
		break;
	case POWER_PANIC:
		/* the first counts: a guest that repeats it for ever would delay its own end */
		if (!atomic_exchange(&m->ends.witness.panicked, true))
			loop_post(m->loop, &m->ends.begin);
		break;
	case POWER_CRASH:
		m->ends.witness.crashed = true;
		break;
	case POWER_RESET:
	default:
		machine_end_reset(m, machine_arch_reset(m));
	}
}

/* The exit port, with QEMU's status.  For 0, which is a good end for many, nothing is said: what calls QEMU
 * takes a line on stderr for an error of its own.  vCPU thread
 */
static void machine_on_exit(struct power *p, uint32_t value)
{
	struct machine *m = container_of(p, struct machine, power);
	const struct config_exit_port *port = &m->cfg->exit_port;
	struct exit_verdict v = exit_verdict(CAUSE_EXIT_PORT);

	if (!port->has_good || value != port->good)
		v.status = (int)((value << 1 | 1) & 0xff);
	if (v.status && value)
		(void)snprintf(v.detail, sizeof(v.detail),
			       "the guest wrote 0x%x to its exit port", value);
	machine_end_with(m, &v);
}

/* A vCPU will not run any more.  vCPU thread */
static void machine_on_vcpu_end(struct vcpu_host *h, enum vcpu_end why,
				const char *detail)
{
	struct machine *m = container_of(h, struct machine, vcpu_host);

	switch (why) {
	case VCPU_POWEROFF:
		machine_end_off(m);
		break;
	case VCPU_REBOOT:
		machine_end_reset(m, MACHINE_RESET_COLD);
		break;
	case VCPU_REBOOT_WARM:
		machine_end_reset(m, MACHINE_RESET_WARM);
		break;
	case VCPU_PANIC:
		machine_end_panic(m);
		break;
	case VCPU_TRIPLE_FAULT:
		machine_end_fault(m);
		break;
	case VCPU_CANNOT_GO_ON:
	default:
		machine_end(m, CAUSE_KVM_ERROR, "%s", detail);
	}
}

/* The console's client printed something.  Its thread, with its lock */
static void machine_on_output(void *ctx, const uint8_t *p, size_t n)
{
	struct machine *m = ctx;

	if (witness_output(&m->ends.witness, p, n) && !m->ends.witness.panicked)
		loop_post(m->loop, &m->ends.begin);
}

static bool machine_answered(const struct machine *m)
{
	enum vcpu_look look;

	for (unsigned int i = 0; i < m->nvcpu; i++)
		if (!vcpu_answer(&m->vcpu[i], &look))
			return false;
	return true;
}

/* A panicked Linux loops on one vCPU and has stopped the others; a halted one has stopped all.
 * All have answered
 */
static bool machine_stands(const struct machine *m)
{
	bool panic = m->ends.witness.said == SAID_PANIC_OVER;
	enum vcpu_look look = VCPU_BUSY;
	unsigned int running = 0;

	for (unsigned int i = 0; i < m->nvcpu; i++) {
		(void)vcpu_answer(&m->vcpu[i], &look);
		if (look == VCPU_BUSY)
			return false;
		running += look == VCPU_KERNEL;
	}
	return running <= panic;
}

/* No answer from a vCPU means nothing: its host is slow, or its thread waits for it. Nor does a look at one
 * that is paused: it stands wherever it was
 */
static void machine_look(struct machine *m)
{
	struct machine_ends *ends = &m->ends;
	unsigned int tries = ends->tries;
	bool panic = ends->witness.said == SAID_PANIC_OVER;

	if (m->life.phase != MACHINE_RUNS) {
		ends->agreed = 0;
		return;
	}
	ends->tries++;
	if (tries == ENDS_LOOKS_QUICK)
		loop_timer_every(&m->ends.timer, ENDS_LOOK_LATER_NS);
	if (tries == 0) /* this one only asks */
		ends->agreed = 0;
	else if (!machine_answered(m))
		return;
	else
		ends->agreed = machine_stands(m) ? ends->agreed + 1 : 0;
	if (ends->agreed < (panic ? ENDS_PANICKED : ENDS_HALTED)) {
		for (unsigned int i = 0; i < m->nvcpu; i++)
			vcpu_ask(&m->vcpu[i]);
	} else if (panic) {
		machine_end_panic(m);
	} else if (ends->witness.said == SAID_HALTED) {
		machine_end_own(m, CAUSE_HALT);
	} else {
		machine_end(
			m, CAUSE_HANG,
			"the guest stands for good: each processor is off, or has stopped "
			"with its interrupts off");
	}
}

static void machine_on_ends(struct loop_source *s, uint32_t events)
{
	struct machine *m = container_of(s, struct machine, ends.timer);

	(void)events;
	if (!loop_timer_rang(s))
		return;
	if (m->ends.witness.panicked)
		machine_end_panic(m);
	else
		machine_look(m);
}

void machine_set_panicked(struct machine *m, void (*fn)(void *ctx), void *ctx)
{
	m->on_panic = fn;
	m->panic_ctx = ctx;
}

void machine_watch_still(struct machine *m)
{
	m->ends.tries = ENDS_LOOKS_QUICK; /* these looks are slow ones */
	if (vcpu_dead_is_certain)
		loop_timer_every(&m->ends.timer, ENDS_LOOK_LATER_NS);
}

/* The host gives a page of it when something is read into that */
int machine_keep_registers(struct machine *m, struct err *e)
{
	size_t words = VCPU_STACK / sizeof(*m->stacks);

	m->stacks = calloc(m->nvcpu, VCPU_STACK);
	if (!m->stacks)
		return err_set(e, ENOMEM, "no memory for the stacks of %u vCPUs",
			       m->nvcpu);
	for (unsigned int i = 0; i < m->nvcpu; i++)
		m->vcpu[i].seen.stack = m->stacks + i * words;
	m->vcpu_host.keeps = true;
	return 0;
}

/* A thread that does not come back may still write its own */
const char *machine_registers(const struct machine *m, unsigned int nr)
{
	if (nr >= m->nvcpu || !vcpu_left(&m->vcpu[nr]) || !m->vcpu[nr].told[0])
		return NULL;
	return m->vcpu[nr].told;
}

const struct vcpu_seen *machine_seen(const struct machine *m, unsigned int nr)
{
	if (nr >= m->nvcpu || !vcpu_left(&m->vcpu[nr]) || !m->vcpu[nr].seen.known)
		return NULL;
	return &m->vcpu[nr].seen;
}

void machine_ends_init(struct machine *m)
{
	m->ends.begin.fn = machine_ends_begin;
	m->power.request = machine_on_power;
	m->power.exit = machine_on_exit;
	m->vcpu_host.ended = machine_on_vcpu_end;
}

int machine_watch_ends(struct machine *m, struct err *e)
{
	int rc;

	m->ends.timer.fn = machine_on_ends;
	rc = loop_timer_open(m->loop, &m->ends.timer);
	if (rc < 0)
		return err_set(e, -rc, "no timer for the guest's end: %s", strerror(-rc));
	if (m->tty)
		tty_set_watcher(m->tty, machine_on_output, m);
	return 0;
}

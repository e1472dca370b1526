/* SPDX-License-Identifier: Apache-2.0 */
/* test_vcpu_x86 - a vCPU's thread: how it stops, and what it does with KVM's exits. */
#include "tests/unit/fake_kvm.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/thread.h"
#include "vmm/core/util.h"
#include "vmm/kvm/vcpu.h"

#define PORT   0x3f0
#define WINDOW 0x1000
#define LEN    8 /* of either of the device's windows */

static union {
	struct kvm_run run;
	uint8_t bytes[2 * 4096];
} area; /* what KVM maps for a vCPU: struct kvm_run, then the data of port accesses */
static struct vcpu vcpu;
static struct bus mmio, pio;
static struct err err;
static sem_t entered;

/* ---- a device that remembers ---- */

static struct {
	bool write;
	uint64_t off, val;
	unsigned int size;
	bool by_vcpu;
} seen[16];
static unsigned int nseen;
static sem_t *stops_at; /* NULL, or each access waits for it */

static uint64_t device_access(uint64_t off, unsigned int size, bool write, uint64_t val)
{
	ck_assert_uint_lt(nseen, ARRAY_SIZE(seen));
	seen[nseen].write = write;
	seen[nseen].off = off;
	seen[nseen].size = size;
	seen[nseen].by_vcpu = thread_is_vcpu();
	seen[nseen++].val = val;
	(void)sem_post(&entered);
	while (stops_at && sem_wait(stops_at) < 0)
		;
	return 0x1122334455667788 + nseen;
}

static uint64_t device_read(struct device *d, uint64_t off, unsigned int size)
{
	(void)d;
	return device_access(off, size, false, 0);
}

static void device_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	(void)d;
	(void)device_access(off, size, true, val);
}

static bool slow_if_odd(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	(void)d;
	(void)off;
	(void)size;
	return val & 1;
}

static const struct device_ops ops = {
	.arm = device_nop_arm,
	.read = device_read,
	.write = device_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = device_nop_state,
	.destroy = device_fini,
};
static struct device ports, registers;

/* ---- KVM_RUN ---- */

static int (*on_run[8])(struct kvm_run *run); /* what each KVM_RUN does */
static unsigned int nrun;
static unsigned int
	told[ARRAY_SIZE(on_run) + 1]; /* KVM_KVMCLOCK_CTRL before each of them */

static struct kvm_mp_state mp;
static struct kvm_regs regs;
static struct kvm_sregs sregs;

static unsigned int ncompleted;      /* KVM_RUNs that only complete what was before */
static _Atomic unsigned int nhalves; /* and that come back with more of it first */

static void (*on_complete)(void); /* NULL, or once, in the next of those */

static int run_second_half(struct kvm_run *run)
{
	nhalves--;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = WINDOW + 4;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
	return 0;
}

static int on_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_GET_MP_STATE:
		memcpy(arg, &mp, sizeof(mp));
		return 0;
	case KVM_GET_REGS:
		memcpy(arg, &regs, sizeof(regs));
		return 0;
	case KVM_GET_SREGS:
		memcpy(arg, &sregs, sizeof(sregs));
		return 0;
	case KVM_KVMCLOCK_CTRL:
		told[nrun]++;
		errno = EINVAL; /* as for a guest without that clock */
		return -1;
	default:
		break;
	}
	errno = EIO;
	if (request != KVM_RUN)
		return -1;
	if (__atomic_load_n(&area.run.immediate_exit, __ATOMIC_SEQ_CST)) {
		if (nhalves)
			return run_second_half(&area.run);
		ncompleted++;
		if (on_complete)
			on_complete();
		on_complete = NULL;
		errno = EINTR;
		return -1;
	}
	ck_assert_uint_lt(nrun, ARRAY_SIZE(on_run));
	return on_run[nrun++](&area.run);
}

static int run_ends(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int run_is_interrupted(struct kvm_run *run)
{
	(void)run;
	errno = EINTR;
	return -1;
}

static unsigned int nrefused; /* by EAGAIN, before it goes on; or for ever */

static int run_waits_for_a_thread(struct kvm_run *run)
{
	(void)run;
	if (nrefused) {
		nrefused--;
		nrun--; /* the same step again */
		errno = EAGAIN;
		return -1;
	}
	return run_ends(run);
}

static int run_is_refused(struct kvm_run *run)
{
	(void)run;
	errno = EFAULT;
	return -1;
}

/* The guest needs nothing; only a signal ends it */
static int run_for_ever(struct kvm_run *run)
{
	sigset_t all, mine;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mine);
	(void)sem_post(&entered);
	/* a signal that came since the entry has been handled, and KVM would have seen it */
	if (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
		(void)sigsuspend(&mine);
	pthread_sigmask(SIG_SETMASK, &mine, NULL);
	errno = EINTR;
	return -1;
}

static int run_reads_register(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = WINDOW;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
	return 0;
}

/* ---- the machine's side ---- */

static unsigned int nended;
static enum vcpu_end how;
static char detail[512];

static void on_ended(struct vcpu_host *h, enum vcpu_end why, const char *text)
{
	h->over = true;
	how = why;
	(void)snprintf(detail, sizeof(detail), "%s", text);
	nended++;
}

static struct vcpu_host host = {.mmio = &mmio, .pio = &pio, .ended = on_ended};

static void setup(void)
{
	mmio = (struct bus){.name = "MMIO"};
	pio = (struct bus){.name = "port"};
	device_init(&ports, &ops, DEVICE_SERIAL, "ports", PORT, LEN);
	device_init(&registers, &ops, DEVICE_SERIAL, "registers", WINDOW, LEN);
	ck_assert_int_eq(bus_add(&pio, &ports, &err), 0);
	ck_assert_int_eq(bus_add(&mmio, &registers, &err), 0);
	ck_assert_int_eq(sem_init(&entered, 0, 0), 0);
	area.run = (struct kvm_run){0};
	nended = nseen = nrun = 0;
	on_complete = NULL;
	memset(told, 0, sizeof(told));
	host.pauses = 0;
	host.early = false;
	registers.slow = slow_if_odd;
	stops_at = NULL;
	vcpu = (struct vcpu){.fd = FAKE_KVM_FD, .run = &area.run, .host = &host};
	vcpu_init_signals();
}

static void start(void)
{
	ck_assert_int_eq(vcpu_start(&vcpu, &err), 0);
	vcpu_resume(&vcpu);
}

/* Run @steps to their end.  Return: what ended it */
static enum vcpu_end run(int (*const *step)(struct kvm_run *run), unsigned int n)
{
	memcpy(on_run, step, n * sizeof(*step));
	nrun = 0;
	host.over = false;
	start();
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nrun, n);
	ck_assert_uint_eq(nended, 1);
	return how;
}

START_TEST(interrupted_run_goes_on)
{
	static int (*const steps[])(struct kvm_run *) = {run_is_interrupted,
							 run_is_interrupted, run_ends};

	ck_assert_int_eq(run(steps, ARRAY_SIZE(steps)), VCPU_TRIPLE_FAULT);
	ck_assert_uint_eq(vcpu.exits[KVM_EXIT_INTR], 2);
	ck_assert_uint_eq(vcpu.exits[KVM_EXIT_SHUTDOWN], 1);
}
END_TEST

/* SIGSTOP and SIGCONT, a debugger, a frozen control group: for the guest no hang of its own */
START_TEST(a_guest_that_was_stopped_is_told)
{
	static int (*const steps[])(struct kvm_run *) = {
		run_reads_register, run_is_interrupted, run_reads_register, run_ends};

	ck_assert_int_eq(run(steps, ARRAY_SIZE(steps)), VCPU_TRIPLE_FAULT);
	for (unsigned int i = 0; i <= ARRAY_SIZE(steps); i++)
		ck_assert_uint_eq(told[i], i == 2);
}
END_TEST

/* Another vCPU's KVM_RUN came back, this one was in a device */
static int run_while_another_is_interrupted(struct kvm_run *run)
{
	host.pauses++;
	return run_reads_register(run);
}

START_TEST(who_was_outside_of_the_guest_is_told_as_well)
{
	static int (*const steps[])(struct kvm_run *) = {run_while_another_is_interrupted,
							 run_reads_register, run_ends};

	ck_assert_int_eq(run(steps, ARRAY_SIZE(steps)), VCPU_TRIPLE_FAULT);
	for (unsigned int i = 0; i <= ARRAY_SIZE(steps); i++)
		ck_assert_uint_eq(told[i], i == 1);
}
END_TEST

START_TEST(refused_run_is_the_end_and_says_why)
{
	static int (*const steps[])(struct kvm_run *) = {run_is_refused};

	ck_assert_int_eq(run(steps, 1), VCPU_CANNOT_GO_ON);
	ck_assert_msg(strstr(detail, "KVM_RUN: Bad address") != NULL, "%s", detail);
}
END_TEST

/* A limit of processes keeps KVM from a thread of its own: KVM may get it a moment later, or never */
START_TEST(run_that_wants_a_thread_is_tried_for_a_while)
{
	static int (*const steps[])(struct kvm_run *) = {run_waits_for_a_thread};

	nrefused = 20;
	ck_assert_int_eq(run(steps, 1), VCPU_TRIPLE_FAULT);
	nrefused = UINT32_MAX;
	host.over = false;
	nended = nrun = 0;
	on_run[0] = run_waits_for_a_thread;
	start();
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nended, 1);
	ck_assert_int_eq(how, VCPU_CANNOT_GO_ON);
	ck_assert_msg(strstr(detail, "ulimit -u") != NULL, "%s", detail);
}
END_TEST

START_TEST(vcpu_in_the_guest_is_stopped)
{
	on_run[0] = run_for_ever;
	start();
	while (sem_wait(&entered) < 0)
		;
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nended, 0);
}
END_TEST

/* The signal comes while the vCPU is in a device; the guest would run for ever */
START_TEST(vcpu_outside_of_the_guest_is_stopped)
{
	sem_t gate;

	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	stops_at = &gate;
	on_run[0] = run_reads_register;
	on_run[1] = run_for_ever;
	start();
	while (sem_wait(&entered) < 0)
		;
	vcpu_stop(&vcpu);
	(void)sem_post(&gate);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nrun, 1);
}
END_TEST

/* ---- rest ---- */

#define WAIT_UNTIL(cond) \
	while (!(cond))  \
	sched_yield()

static void wait_entered(void)
{
	while (sem_wait(&entered) < 0)
		;
}

START_TEST(vcpu_in_the_guest_rests_and_goes_on)
{
	on_run[0] = on_run[1] = run_for_ever;
	start();
	wait_entered();
	ck_assert(!vcpu_rests(&vcpu));
	vcpu_rest(&vcpu);
	WAIT_UNTIL(vcpu_rests(&vcpu));
	ck_assert_uint_eq(nrun, 1);
	vcpu_resume(&vcpu);
	wait_entered();
	ck_assert(!vcpu_rests(&vcpu));
	ck_assert_uint_eq(nrun, 2);
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nended, 0);
}
END_TEST

/* What the device said has to reach the guest's registers, or a copy of them lacks it */
START_TEST(exit_is_complete_before_a_vcpu_rests)
{
	sem_t gate;

	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	stops_at = &gate;
	nhalves = 1;
	ncompleted = 0;
	on_run[0] = run_reads_register;
	on_run[1] = run_for_ever;
	start();
	wait_entered();
	vcpu_rest(&vcpu);
	ck_assert(!vcpu_rests(&vcpu));
	(void)sem_post(&gate);
	(void)sem_post(&gate);
	WAIT_UNTIL(vcpu_rests(&vcpu));
	ck_assert_uint_eq(nrun, 1);
	ck_assert_uint_eq(nseen, 2);
	ck_assert_uint_eq(seen[1].off, 4);
	ck_assert_uint_ge(ncompleted, 1);
	vcpu_resume(&vcpu);
	wait_entered(); /* the second half's */
	wait_entered();
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nrun, 2);
}
END_TEST

START_TEST(vcpu_at_rest_answers_and_leaves)
{
	enum vcpu_look look;

	on_run[0] = run_for_ever;
	start();
	wait_entered();
	vcpu_rest(&vcpu);
	WAIT_UNTIL(vcpu_rests(&vcpu));
	vcpu_ask(&vcpu);
	WAIT_UNTIL(vcpu_answer(&vcpu, &look));
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nrun, 1);
	ck_assert_uint_eq(nended, 0);
}
END_TEST

/* The pause was given up while a device held the vCPU: the guest goes on */
START_TEST(vcpu_that_was_too_late_to_rest_goes_on)
{
	sem_t gate;

	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	stops_at = &gate;
	ncompleted = 0;
	on_run[0] = run_reads_register;
	on_run[1] = run_for_ever;
	start();
	wait_entered();
	vcpu_rest(&vcpu);
	vcpu_resume(&vcpu);
	(void)sem_post(&gate);
	wait_entered();
	ck_assert_uint_eq(nrun, 2);
	ck_assert_uint_le(ncompleted, 1);
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
}
END_TEST

static void resume_and_ask(void)
{
	vcpu_resume(&vcpu);
	vcpu_ask(&vcpu);
}

START_TEST(vcpu_that_is_asked_as_it_goes_on_answers)
{
	enum vcpu_look look;

	on_run[0] = on_run[1] = run_for_ever;
	start();
	wait_entered();
	on_complete = resume_and_ask;
	vcpu_rest(&vcpu);
	wait_entered();
	WAIT_UNTIL(vcpu_answer(&vcpu, &look));
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
}
END_TEST

START_TEST(vcpu_rests_a_thousand_times)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(on_run); i++)
		on_run[i] = run_for_ever;
	start();
	for (unsigned int i = 0; i < 1000; i++) {
		vcpu_rest(&vcpu);
		WAIT_UNTIL(vcpu_rests(&vcpu));
		nrun = 0;
		vcpu_resume(&vcpu);
	}
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nended, 0);
}
END_TEST

/* ---- what the guest is at ---- */

#define RFLAGS_IF 0x200u

static const struct {
	uint32_t mp_state, rflags;
	uint8_t cpl;
	enum vcpu_look look;
} looks[] = {
	{KVM_MP_STATE_RUNNABLE, RFLAGS_IF, 0, VCPU_KERNEL},
	{KVM_MP_STATE_RUNNABLE, 0, 0, VCPU_KERNEL},
	{KVM_MP_STATE_RUNNABLE, RFLAGS_IF, 3, VCPU_BUSY},
	{KVM_MP_STATE_HALTED, RFLAGS_IF, 0, VCPU_BUSY}, /* idle */
	{KVM_MP_STATE_HALTED, 0, 0, VCPU_DEAD},
	{KVM_MP_STATE_UNINITIALIZED, 2, 0, VCPU_DEAD},
	{KVM_MP_STATE_INIT_RECEIVED, 2, 0, VCPU_DEAD},
};

START_TEST(vcpu_that_is_asked_answers_and_goes_on)
{
	enum vcpu_look look = VCPU_BUSY;

	mp.mp_state = looks[_i].mp_state;
	regs.rflags = looks[_i].rflags;
	sregs.ss.dpl = looks[_i].cpl;
	ck_assert(!vcpu_answer(&vcpu, &look)); /* it does not run */
	on_run[0] = on_run[1] = on_run[2] = run_for_ever;
	start();
	for (unsigned int i = 0; i < 3; i++) {
		while (sem_wait(&entered) < 0)
			;
		if (i == 2)
			break;
		vcpu_ask(&vcpu);
		while (!vcpu_answer(&vcpu, &look))
			;
		ck_assert_int_eq(look, looks[_i].look);
	}
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nended, 0);
}
END_TEST

/* ---- accesses ---- */

static unsigned int mmio_len;
static bool mmio_write;

static int run_touches_register(struct kvm_run *run)
{
	static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)run_reads_register(run);
	run->mmio.len = mmio_len;
	run->mmio.is_write = mmio_write;
	memcpy(run->mmio.data, data, sizeof(data));
	return 0;
}

START_TEST(accesses_of_no_registers_width_reach_nobody)
{
	static int (*const steps[])(struct kvm_run *) = {run_touches_register, run_ends};
	bool whole = _i == 1 || _i == 2 || _i == 4 || _i == 8;
	uint64_t ones = UINT64_MAX, got = 0;

	mmio_len = (unsigned int)_i;
	for (unsigned int w = 0; w < 2; w++) {
		mmio_write = w;
		nended = nseen = 0;
		ck_assert_int_eq(run(steps, 2), VCPU_TRIPLE_FAULT);
		ck_assert_uint_eq(nseen, whole);
		ck_assert(!whole || (seen[0].size == mmio_len && seen[0].write == w));
		memcpy(&got, area.run.mmio.data, mmio_len);
		if (!w && !whole)
			ck_assert_mem_eq(&got, &ones, mmio_len);
	}
}
END_TEST

static struct {
	uint16_t port;
	uint8_t size, direction;
	uint32_t count;
} io;

static int run_touches_port(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.port = io.port;
	run->io.size = io.size;
	run->io.direction = io.direction;
	run->io.count = io.count;
	run->io.data_offset = 4096;
	return 0;
}

static void touch_port(uint16_t port, uint8_t size, uint8_t direction, uint32_t count)
{
	static int (*const steps[])(struct kvm_run *) = {run_touches_port, run_ends};

	io.port = port;
	io.size = size;
	io.direction = direction;
	io.count = count;
	nended = nseen = 0;
	ck_assert_int_eq(run(steps, 2), VCPU_TRIPLE_FAULT);
}

START_TEST(string_output_is_an_access_for_each_item)
{
	static const uint8_t text[] = {1, 2, 3, 4, 5, 6, 7, 8};

	memcpy(area.bytes + 4096, text, sizeof(text));
	touch_port(PORT + 1, 1, KVM_EXIT_IO_OUT, 8);
	ck_assert_uint_eq(nseen, 8);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert(seen[i].write && seen[i].off == 1 && seen[i].size == 1 &&
			  seen[i].val == text[i]);
	touch_port(PORT, 4, KVM_EXIT_IO_OUT, 2);
	ck_assert_uint_eq(nseen, 2);
	ck_assert_uint_eq(seen[1].val, 0x08070605);
}
END_TEST

START_TEST(string_input_fills_each_item)
{
	static const uint8_t want[] = {0x89, 0x77, 0x8a, 0x77, 0x8b, 0x77, 0xee, 0xee};

	memset(area.bytes + 4096, 0xee, 64);
	touch_port(PORT, 2, KVM_EXIT_IO_IN, 3);
	ck_assert_uint_eq(nseen, 3);
	ck_assert_mem_eq(area.bytes + 4096, want, sizeof(want));
}
END_TEST

/* So does each of its items */
START_TEST(string_across_the_end_of_a_window_reaches_nobody)
{
	memset(area.bytes + 4096, 0, 64);
	touch_port(PORT + LEN - 1, 2, KVM_EXIT_IO_IN, 4);
	ck_assert_uint_eq(nseen, 0);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(area.bytes[4096 + i], 0xff);
	touch_port(PORT + LEN - 2, 4, KVM_EXIT_IO_OUT, 4);
	ck_assert_uint_eq(nseen, 0);
	touch_port(UINT16_MAX, 4, KVM_EXIT_IO_OUT, 1);
	ck_assert_uint_eq(nseen, 0);
}
END_TEST

/* ---- what a guest does to others ---- */

static int run_locks_the_bus(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_X86_BUS_LOCK;
	return 0;
}

START_TEST(bus_is_locked_as_often_as_the_guest_likes)
{
	static int (*const steps[])(struct kvm_run *) = {
		run_locks_the_bus, run_locks_the_bus, run_locks_the_bus, run_ends};
	uint64_t begun = monotonic_ns();

	ck_assert_int_eq(run(steps, ARRAY_SIZE(steps)), VCPU_TRIPLE_FAULT);
	ck_assert_uint_eq(vcpu.exits[KVM_EXIT_X86_BUS_LOCK], 3);
	ck_assert_uint_ge(monotonic_ns() - begun, 3000000);
	ck_assert_str_eq(vcpu_exit_name(KVM_EXIT_X86_BUS_LOCK), "bus-lock");
}
END_TEST

static int run_is_blocked(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_NOTIFY;
	run->notify.flags = 0;
	return 0;
}

static int run_is_blocked_and_lost(struct kvm_run *run)
{
	(void)run_is_blocked(run);
	run->notify.flags = KVM_NOTIFY_CONTEXT_INVALID;
	return 0;
}

START_TEST(guest_that_blocks_its_processor_goes_on_if_it_can)
{
	static int (*const steps[])(struct kvm_run *) = {run_is_blocked, run_is_blocked,
							 run_is_blocked_and_lost};

	ck_assert_int_eq(run(steps, 3), VCPU_CANNOT_GO_ON);
	ck_assert_msg(strstr(detail, "whose state is lost at") != NULL, "%s", detail);
	ck_assert_str_eq(vcpu_exit_name(KVM_EXIT_NOTIFY), "notify");
}
END_TEST

/* ---- a machine that is armed early ---- */

/* To be found by the device: 1, 2, ...; odd ones are slow */
static int run_writes(struct kvm_run *run)
{
	(void)run_reads_register(run);
	run->mmio.is_write = 1;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	run->mmio.data[0] = (uint8_t)nrun;
	return 0;
}

START_TEST(slow_write_is_the_helpers_and_no_other)
{
	static int (*const steps[])(struct kvm_run *) = {
		run_writes, run_writes, run_writes, run_reads_register, run_ends};

	host.early = _i;
	ck_assert_int_eq(run(steps, ARRAY_SIZE(steps)), VCPU_TRIPLE_FAULT);
	ck_assert_uint_eq(nseen, 4);
	for (unsigned int i = 0; i < nseen; i++) {
		ck_assert(seen[i].by_vcpu == (i % 2 == 1 || !host.early));
		ck_assert_uint_eq(seen[i].val, i < 3 ? i + 1 : 0);
		ck_assert_uint_eq(seen[i].size, 4);
	}
}
END_TEST

START_TEST(vcpu_that_waits_for_its_helper_rests_and_leaves_afterwards)
{
	sem_t gate;

	host.early = true;
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
	stops_at = &gate;
	on_run[0] = on_run[2] = run_writes;
	on_run[1] = on_run[3] = run_for_ever;
	start();
	wait_entered();
	vcpu_rest(&vcpu);
	ck_assert(!vcpu_rests(&vcpu));
	(void)sem_post(&gate);
	WAIT_UNTIL(vcpu_rests(&vcpu));
	vcpu_resume(&vcpu);
	wait_entered();
	pthread_kill(vcpu.thread, SIGURG);
	wait_entered(); /* the second write */
	vcpu_stop(&vcpu);
	ck_assert(!vcpu_left(&vcpu));
	(void)sem_post(&gate);
	vcpu_join(&vcpu);
	ck_assert(vcpu_left(&vcpu));
	ck_assert_uint_eq(nrun, 3);
}
END_TEST

START_TEST(vcpu_that_was_never_let_go_is_stopped)
{
	host.early = _i;
	ck_assert_int_eq(vcpu_start(&vcpu, &err), 0);
	threads_begun();
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nrun, 0);
}
END_TEST

static sem_t vcpu_has_begun;
static unsigned int nrun_before; /* when the helper had not begun */

static void helper_is_late(enum thread_kind kind)
{
	if (kind != THREAD_HELPER) {
		(void)sem_post(&vcpu_has_begun);
		return;
	}
	while (sem_wait(&vcpu_has_begun) < 0 && errno == EINTR)
		;
	usleep(5000); /* time enough to enter the guest for a vCPU that does not wait */
	nrun_before = nrun;
}

START_TEST(no_guest_runs_before_each_thread_has_begun)
{
	host.early = true;
	ck_assert_int_eq(sem_init(&vcpu_has_begun, 0, 0), 0);
	thread_set_entry(helper_is_late);
	on_run[0] = run_for_ever;
	start();
	threads_begun();
	ck_assert_uint_eq(nrun_before, 0);
	wait_entered();
	thread_set_entry(NULL);
	vcpu_stop(&vcpu);
	vcpu_join(&vcpu);
}
END_TEST

UNIT_MAIN("vcpu_x86", setup, NULL, t)
{
	fake_kvm = on_ioctl;
	tcase_add_loop_test(t, slow_write_is_the_helpers_and_no_other, 0, 2);
	tcase_add_test(t, vcpu_that_waits_for_its_helper_rests_and_leaves_afterwards);
	tcase_add_loop_test(t, vcpu_that_was_never_let_go_is_stopped, 0, 2);
	tcase_add_test(t, no_guest_runs_before_each_thread_has_begun);
	tcase_add_test(t, interrupted_run_goes_on);
	tcase_add_test(t, a_guest_that_was_stopped_is_told);
	tcase_add_test(t, who_was_outside_of_the_guest_is_told_as_well);
	tcase_add_test(t, refused_run_is_the_end_and_says_why);
	tcase_add_test(t, run_that_wants_a_thread_is_tried_for_a_while);
	tcase_add_test(t, vcpu_in_the_guest_is_stopped);
	tcase_add_test(t, vcpu_outside_of_the_guest_is_stopped);
	tcase_add_test(t, vcpu_in_the_guest_rests_and_goes_on);
	tcase_add_test(t, exit_is_complete_before_a_vcpu_rests);
	tcase_add_test(t, vcpu_at_rest_answers_and_leaves);
	tcase_add_test(t, vcpu_that_was_too_late_to_rest_goes_on);
	tcase_add_test(t, vcpu_that_is_asked_as_it_goes_on_answers);
	tcase_add_test(t, vcpu_rests_a_thousand_times);
	tcase_add_loop_test(t, vcpu_that_is_asked_answers_and_goes_on, 0,
			    ARRAY_SIZE(looks));
	tcase_add_loop_test(t, accesses_of_no_registers_width_reach_nobody, 1, 9);
	tcase_add_test(t, string_output_is_an_access_for_each_item);
	tcase_add_test(t, string_input_fills_each_item);
	tcase_add_test(t, string_across_the_end_of_a_window_reaches_nobody);
	tcase_add_test(t, bus_is_locked_as_often_as_the_guest_likes);
	tcase_add_test(t, guest_that_blocks_its_processor_goes_on_if_it_can);
}

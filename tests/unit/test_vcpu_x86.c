/* SPDX-License-Identifier: Apache-2.0 */
/* test_vcpu_x86 - a vCPU's thread: how it stops, and what it does with KVM's exits. */
#include "tests/unit/fake_vcpu_x86.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/unit.h"

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

/* Or its VM ends with its process, which takes longer */
START_TEST(a_thread_that_stays_keeps_nothing_of_kvm)
{
	void *run = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char there;

	ck_assert_ptr_ne(run, MAP_FAILED);
	host.early = true;
	host.over = false;
	vcpu.run = run;
	vcpu.run_size = PAGE_SIZE;
	on_run[0] = run_ends;
	start();
	vcpu_join(&vcpu);
	vcpu_destroy(&vcpu);
	ck_assert_int_eq(vcpu.fd, -1);
	ck_assert_int_eq(mincore(run, PAGE_SIZE, &there), -1);
}
END_TEST

UNIT_MAIN("vcpu_x86", setup, NULL, t)
{
	fake_kvm = on_ioctl;
	tcase_add_loop_test(t, slow_write_is_the_helpers_and_no_other, 0, 2);
	tcase_add_test(t, vcpu_that_waits_for_its_helper_rests_and_leaves_afterwards);
	tcase_add_loop_test(t, vcpu_that_was_never_let_go_is_stopped, 0, 2);
	tcase_add_test(t, no_guest_runs_before_each_thread_has_begun);
	tcase_add_test(t, a_thread_that_stays_keeps_nothing_of_kvm);
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
	tcase_add_test(t, bus_is_locked_as_often_as_the_guest_likes);
	tcase_add_test(t, guest_that_blocks_its_processor_goes_on_if_it_can);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_loop - the epoll loop: who is called, who no longer is, and how it ends. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "tests/unit/loop_fixture.h"
#include "vmm/core/util.h"

static struct loop_source src;
static unsigned int calls;
static uint32_t seen;

static void stop(struct loop_source *s, uint32_t events)
{
	eventfd_t v;

	calls++;
	seen = events;
	(void)eventfd_read(s->fd, &v);
	loop_stop(loop);
}

static void setup(void)
{
	loop_setup();
	source_init(&src, stop);
	calls = 0;
	seen = 0;
}

static void teardown(void)
{
	loop_teardown();
	close(src.fd);
}

START_TEST(stop_before_run_is_not_lost)
{
	loop_stop(loop);
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
}
END_TEST

START_TEST(stop_keeps_errno)
{
	errno = 1234;
	loop_stop(loop);
	ck_assert_int_eq(errno, 1234);
}
END_TEST

START_TEST(a_loop_runs_again_after_a_stop)
{
	ck_assert_int_eq(loop_add(loop, &src), 0);
	for (unsigned int i = 1; i < 4; i++) {
		ring(&src);
		ck_assert_int_eq(loop_run(loop), 0);
		ck_assert_uint_eq(calls, i);
	}
	ck_assert_uint_eq(seen, EPOLLIN);
}
END_TEST

static void on_signal(int sig)
{
	(void)sig;
}

static void *send_signals(void *arg)
{
	for (unsigned int i = 0; i < 20; i++) {
		(void)usleep(500); /* the loop waits by then, most of the times */
		pthread_kill(*(pthread_t *)arg, SIGUSR1);
	}
	loop_stop(loop);
	return NULL;
}

START_TEST(signals_do_not_end_the_loop)
{
	struct sigaction sa = {.sa_handler = on_signal};
	pthread_t us = pthread_self(), other;

	ck_assert_int_eq(sigaction(SIGUSR1, &sa, NULL), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, send_signals, &us), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	pthread_join(other, NULL);
}
END_TEST

/* ---- a lock that may be held for long ---- */

static bool clock_steps; /* the wall clock is set back by an hour after each look at it */

/* In place of the C library's, for the code under test as well */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, id, ts);

	if (clock_steps && id == CLOCK_REALTIME)
		ts->tv_sec += 3600;
	return rc;
}

static void *hold_the_lock(void *arg)
{
	int *step = arg; /* pipes: held; and let go */
	char c;

	pthread_mutex_lock(&dev.lock);
	(void)!write(step[1], "x", 1);
	(void)usleep(5000); /* the other thread waits for the lock by then */
	dev.waiting = true;
	(void)!read(step[2], &c, 1);
	dev.waiting = false;
	pthread_mutex_unlock(&dev.lock);
	return NULL;
}

START_TEST(a_clock_that_is_set_back_stops_no_loop)
{
	uint64_t start = monotonic_ns();
	pthread_t t;
	int step[4];
	char c;

	ck_assert_int_eq(pipe(step), 0);
	ck_assert_int_eq(pipe(step + 2), 0);
	clock_steps = true;
	ck_assert_int_eq(pthread_create(&t, NULL, hold_the_lock, step), 0);
	ck_assert_int_eq(read(step[0], &c, 1), 1);
	ck_assert(!device_lock_soon(&dev)); /* which begins to wait meanwhile */
	ck_assert_uint_lt(monotonic_ns() - start, 10000000000ULL);
	ck_assert_int_eq(write(step[3], "x", 1), 1);
	ck_assert(device_lock_soon(&dev));
	pthread_mutex_unlock(&dev.lock);
	pthread_join(t, NULL);
	clock_steps = false;
	for (unsigned int i = 0; i < 4; i++)
		close(step[i]);
}
END_TEST

static void note_lock(struct loop_source *s, uint32_t events)
{
	stop(s, events);
	seen = pthread_mutex_trylock(&s->dev->lock) == EBUSY;
}

START_TEST(sources_are_called_under_their_devices_lock)
{
	src.fn = note_lock;
	ck_assert_int_eq(loop_add(loop, &src), 0);
	ring(&src);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(seen, 1);
	ck_assert_int_eq(pthread_mutex_trylock(&dev.lock), 0);
	pthread_mutex_unlock(&dev.lock);
}
END_TEST

START_TEST(regular_file_is_refused)
{
	struct loop_source s = src;

	s.fd = open("/proc/self/exe", O_RDONLY);
	ck_assert_int_eq(loop_add(loop, &s), -EPERM);
	close(s.fd);
}
END_TEST

START_TEST(a_sleeping_source_is_not_called)
{
	struct loop_source last;

	source_init(&last, stop);
	src.events = 0;
	ck_assert_int_eq(loop_add(loop, &src), 0);
	ck_assert_int_eq(loop_add(loop, &last), 0);
	ring(&src);
	ring(&last);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls, 1);
	loop_want(loop, &src, EPOLLIN); /* what came while asleep is not lost */
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls, 2);
	loop_del(loop, &src);
	loop_del(loop, &last);
	close(last.fd);
}
END_TEST

START_TEST(a_hung_up_sleeper_does_not_spin_the_loop)
{
	int pair[2];
	struct loop_source last;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(src.fd);
	src.fd = pair[0];
	ck_assert_int_eq(loop_add(loop, &src), 0);
	loop_want(loop, &src, 0);
	close(pair[1]); /* EPOLLHUP, which epoll reports wanted or not */
	source_init(&last, stop);
	ck_assert_int_eq(loop_add(loop, &last), 0);
	ring(&last);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(calls, 1);
	loop_del(loop, &last);
	close(last.fd);
}
END_TEST

static struct loop_source pair_src[2];

/* The first of two that is called puts the other to sleep, or changes its mind */
static uint32_t want_instead;

static void silence_other(struct loop_source *s, uint32_t events)
{
	stop(s, events);
	loop_want(loop, s == &pair_src[0] ? &pair_src[1] : &pair_src[0], want_instead);
}

static void run_pair(uint32_t instead)
{
	want_instead = instead;
	for (int i = 0; i < 2; i++) {
		source_init(&pair_src[i], silence_other);
		ck_assert_int_eq(loop_add(loop, &pair_src[i]), 0);
		ring(&pair_src[i]);
	}
	ck_assert_int_eq(loop_run(loop), 0);
	for (int i = 0; i < 2; i++)
		close(pair_src[i].fd);
}

START_TEST(an_event_already_fetched_does_not_wake_a_sleeper)
{
	run_pair(0);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(an_event_no_longer_wanted_is_not_delivered)
{
	run_pair(EPOLLPRI);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

/* Another thread rings, sleeps and wakes the source as a vCPU does */
#define ROUNDS 2000

static unsigned int rung; /* under dev.lock */

static void count(struct loop_source *s, uint32_t events)
{
	eventfd_t v = 0;

	(void)events;
	ck_assert_uint_eq(events, EPOLLIN);
	(void)eventfd_read(s->fd, &v);
	rung += (unsigned int)v;
	if (rung == ROUNDS)
		loop_stop(loop);
}

static void *vcpu(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&dev.lock);
		loop_want(loop, &src, 0);
		pthread_mutex_unlock(&dev.lock);
		(void)eventfd_write(src.fd, 1);
		pthread_mutex_lock(&dev.lock);
		loop_want(loop, &src, EPOLLIN);
		pthread_mutex_unlock(&dev.lock);
	}
	return NULL;
}

START_TEST(no_ring_is_lost_while_another_thread_resets)
{
	pthread_t t;

	rung = 0;
	src.fn = count;
	ck_assert_int_eq(loop_add(loop, &src), 0);
	ck_assert_int_eq(pthread_create(&t, NULL, vcpu, NULL), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	pthread_join(t, NULL);
	ck_assert_uint_eq(rung, ROUNDS);
}
END_TEST

START_TEST(an_interrupt_line_counts_its_pulses)
{
	struct irq_line line = {.fd = -1};
	eventfd_t v;

	irq_pulse(&line); /* not connected: goes nowhere */
	ck_assert_int_eq(irq_init(&line, 7), 0);
	ck_assert_uint_eq(line.gsi, 7);
	irq_pulse(&line);
	irq_pulse(&line);
	ck_assert_int_eq(eventfd_read(line.fd, &v), 0);
	ck_assert_uint_eq(v, 2);
	ck_assert_int_eq(eventfd_write(line.fd, UINT64_MAX - 1), 0);
	irq_pulse(&line); /* full: it does not block */
	irq_fini(&line);
	ck_assert_int_eq(line.fd, -1);
	irq_fini(&line);
}
END_TEST

/* ---- tasks ---- */

static struct loop_task task, other;
static unsigned int tasks, others;
static bool locked;

static void do_task(struct loop_task *t)
{
	ck_assert_ptr_eq(t, &task);
	tasks++;
	locked = pthread_mutex_trylock(&dev.lock) != 0;
	if (tasks < 3)
		loop_post(loop, t);
	else
		loop_stop(loop);
}

static void do_other(struct loop_task *t)
{
	(void)t;
	others++;
}

static void tasks_init(void)
{
	task = (struct loop_task){.dev = &dev, .fn = do_task};
	other = (struct loop_task){.fn = do_other};
	tasks = others = 0;
}

START_TEST(a_task_is_done_once_and_under_its_devices_lock)
{
	tasks_init();
	tasks = 2;
	loop_post(loop, &other);
	loop_post(loop, &task);
	loop_post(loop, &other);
	loop_post(loop, &task);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(tasks, 3);
	ck_assert_uint_eq(others, 1);
	ck_assert(locked);
}
END_TEST

START_TEST(a_task_that_is_posted_by_itself_is_done_again)
{
	tasks_init();
	loop_post(loop, &task);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(tasks, 3);
}
END_TEST

START_TEST(a_task_that_is_taken_back_is_not_done)
{
	tasks_init();
	loop_unpost(loop, &other);
	tasks = 2;
	loop_post(loop, &task);
	loop_post(loop, &other);
	loop_unpost(loop, &other);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(others, 0);
	loop_post(loop, &other); /* the list is whole */
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(others, 1);
}
END_TEST

/* As a guest's thread does while the loop is busy: it panics, and ends the machine */
static void post_and_stop(struct loop_task *t)
{
	(void)t;
	loop_post(loop, &other);
	loop_stop(loop);
}

START_TEST(a_task_that_is_posted_before_the_stop_is_done)
{
	tasks_init();
	task.fn = post_and_stop;
	loop_post(loop, &task);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(others, 1);
}
END_TEST

#define POSTS 20000

static _Atomic unsigned int due; /* what the other thread wants done */

static void do_what_is_due(struct loop_task *t)
{
	(void)t;
	others += atomic_exchange(&due, 0);
	if (others == POSTS)
		loop_stop(loop);
}

static void *post_often(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < POSTS; i++) {
		due++;
		loop_post(loop, &other);
	}
	return NULL;
}

START_TEST(no_task_of_another_thread_is_lost)
{
	pthread_t thread;

	tasks_init();
	other.fn = do_what_is_due;
	ck_assert_int_eq(pthread_create(&thread, NULL, post_often, NULL), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(others, POSTS);
}
END_TEST

UNIT_MAIN("loop", setup, teardown, t)
{
	tcase_add_test(t, a_task_is_done_once_and_under_its_devices_lock);
	tcase_add_test(t, a_task_that_is_posted_by_itself_is_done_again);
	tcase_add_test(t, a_task_that_is_taken_back_is_not_done);
	tcase_add_test(t, no_task_of_another_thread_is_lost);
	tcase_add_test(t, a_task_that_is_posted_before_the_stop_is_done);
	tcase_add_test(t, stop_before_run_is_not_lost);
	tcase_add_test(t, stop_keeps_errno);
	tcase_add_test(t, a_loop_runs_again_after_a_stop);
	tcase_add_test(t, signals_do_not_end_the_loop);
	tcase_add_test(t, a_clock_that_is_set_back_stops_no_loop);
	tcase_add_test(t, sources_are_called_under_their_devices_lock);
	tcase_add_test(t, regular_file_is_refused);
	tcase_add_test(t, a_sleeping_source_is_not_called);
	tcase_add_test(t, a_hung_up_sleeper_does_not_spin_the_loop);
	tcase_add_test(t, an_event_already_fetched_does_not_wake_a_sleeper);
	tcase_add_test(t, an_event_no_longer_wanted_is_not_delivered);
	tcase_add_test(t, no_ring_is_lost_while_another_thread_resets);
	tcase_add_test(t, an_interrupt_line_counts_its_pulses);
}

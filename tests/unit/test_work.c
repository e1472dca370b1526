/* SPDX-License-Identifier: Apache-2.0 */
/* test_work - blocking calls in the worker pool, brought back under their device's lock. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/core/work.h"

#define NDEV 2

struct job {
	struct work w;
	bool ran, in_worker;
	pthread_t worker;
	unsigned int again; /* done() submits it that many times more */
};

static struct loop *loop;
static struct work_pool *pool;
static struct device dev[NDEV];
static unsigned int done[NDEV];       /* under dev->lock */
static unsigned int want;             /* done() of device 0 stops the loop at this */
static unsigned int stop_when_done_1; /* of device 1 */
static bool unlocked;                 /* a done() ran without its device's lock */
static pthread_t owner;               /* the thread that submits */
static sem_t gate;
static _Atomic int meeting;

static void job_run(struct work *w)
{
	struct job *j = container_of(w, struct job, w);

	j->ran = true;
	j->worker = pthread_self();
	j->in_worker = !pthread_equal(pthread_self(), owner);
}

static void job_run_gated(struct work *w)
{
	while (sem_wait(&gate) < 0 && errno == EINTR)
		;
	job_run(w);
}

/* Wait for as many others as @meeting says, for long */
static void job_run_meeting(struct work *w)
{
	uint64_t end = monotonic_ns() + UINT64_C(15000000000);

	atomic_fetch_sub(&meeting, 1);
	while (atomic_load(&meeting) > 0 && monotonic_ns() < end)
		usleep(100);
	if (atomic_load(&meeting) <= 0)
		job_run(w);
}

static void job_done(struct work *w)
{
	struct job *j = container_of(w, struct job, w);
	size_t i = (size_t)(w->dev - dev);

	if (pthread_mutex_trylock(&w->dev->lock) != EBUSY)
		unlocked = true;
	if (j->again) {
		j->again--;
		work_submit(pool, w);
		return;
	}
	if (++done[i] == (i ? stop_when_done_1 : want))
		loop_stop(loop);
}

static void submit(struct job *j, unsigned int i, void (*run)(struct work *))
{
	*j = (struct job){.w = {.dev = &dev[i], .run = run, .done = job_done},
			  .again = j->again};
	pthread_mutex_lock(&dev[i].lock);
	work_submit(pool, &j->w);
	pthread_mutex_unlock(&dev[i].lock);
}

static void drain(unsigned int i)
{
	pthread_mutex_lock(&dev[i].lock);
	work_drain(pool, &dev[i]);
	pthread_mutex_unlock(&dev[i].lock);
}

static void setup_pool(unsigned int nthreads)
{
	loop = loop_create();
	ck_assert_ptr_nonnull(loop);
	pool = work_pool_create(loop, nthreads);
	ck_assert_ptr_nonnull(pool);
	for (unsigned int i = 0; i < NDEV; i++) {
		device_init(&dev[i], &nop_ops, DEVICE_VIRTIO_MMIO, "dev", 0, 1);
		done[i] = 0;
	}
	want = stop_when_done_1 = 0;
	unlocked = false;
	owner = pthread_self();
	ck_assert_int_eq(sem_init(&gate, 0, 0), 0);
}

static void setup(void)
{
	setup_pool(4);
}

static void teardown(void)
{
	work_pool_destroy(pool);
	loop_destroy(loop);
	for (unsigned int i = 0; i < NDEV; i++)
		device_fini(&dev[i]);
	ck_assert(!unlocked);
}

static unsigned int count_threads(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	unsigned int n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %u", &n) == 1)
			break;
	(void)fclose(f);
	return n;
}

START_TEST(an_unused_pool_starts_no_thread)
{
	unsigned int before;
	struct job j = {0};

	before = count_threads();
	teardown();
	setup();
	ck_assert_uint_eq(count_threads(), before);
	submit(&j, 0, job_run);
	ck_assert_uint_gt(count_threads(), before); /* TSan adds one of its own */
	drain(0);
}
END_TEST

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(an_armed_pool_starts_and_opens_nothing_more)
{
	unsigned int threads, fds;
	struct job j[8] = {0};

	threads = count_threads();
	ck_assert_int_eq(work_pool_arm(pool), 0);
	ck_assert_uint_ge(count_threads(), threads + 4);
	ck_assert_int_eq(work_pool_arm(pool), 0);
	threads = count_threads();
	fds = count_fds();
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++)
		submit(&j[i], 0, job_run_gated);
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++)
		sem_post(&gate);
	drain(0);
	ck_assert_uint_eq(done[0], ARRAY_SIZE(j));
	ck_assert(j[0].in_worker);
	ck_assert_uint_eq(count_threads(), threads);
	ck_assert_uint_eq(count_fds(), fds);
}
END_TEST

/* Do all threads but this one sleep? Then no worker is between its work and its rest */
static bool others_sleep(void)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *d;
	bool sleep = true;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir))) {
		char path[300], state = 0;
		FILE *f;

		if (d->d_name[0] == '.' || atoi(d->d_name) == getpid())
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/task/%s/stat", d->d_name);
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		sleep &= fscanf(f, "%*d (%*[^)]) %c", &state) == 1 && state == 'S';
		(void)fclose(f);
	}
	(void)closedir(dir);
	return sleep;
}

START_TEST(of_idle_workers_the_last_is_taken)
{
	struct job j[10] = {0};

	ck_assert_int_eq(work_pool_arm(pool), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++) {
		while (!others_sleep())
			usleep(100);
		submit(&j[i], 0, job_run);
		want = i + 1;
		ck_assert_int_eq(loop_run(loop), 0);
		ck_assert(pthread_equal(j[i].worker, j[0].worker));
	}
}
END_TEST

START_TEST(pool_that_cannot_be_armed_says_so_and_works)
{
	struct rlimit was, none = {0};
	struct job j = {0};

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none.rlim_max = was.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(work_pool_arm(pool), -EMFILE);
	submit(&j, 0, job_run);
	ck_assert(j.ran && !j.in_worker);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_int_eq(work_pool_arm(pool), 0);
	submit(&j, 0, job_run);
	drain(0);
	ck_assert(j.in_worker);
}
END_TEST

START_TEST(finished_work_comes_back_on_the_loop)
{
	struct job j[10] = {0};

	want = ARRAY_SIZE(j);
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++)
		submit(&j[i], 0, job_run);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(done[0], ARRAY_SIZE(j));
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++) {
		ck_assert(j[i].ran);
		ck_assert(j[i].in_worker);
	}
}
END_TEST

START_TEST(done_may_submit_again)
{
	struct job j = {.again = 100};

	want = 1;
	submit(&j, 0, job_run);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(done[0], 1);
	ck_assert_uint_eq(j.again, 0);
}
END_TEST

START_TEST(blocked_work_does_not_hold_up_other_work)
{
	struct job blocked[3] = {0}, j = {0};

	want = 1;
	for (unsigned int i = 0; i < ARRAY_SIZE(blocked); i++)
		submit(&blocked[i], 1, job_run_gated);
	submit(&j, 0, job_run);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(done[1], 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(blocked); i++)
		sem_post(&gate);
	drain(1);
	ck_assert_uint_eq(done[1], ARRAY_SIZE(blocked));
}
END_TEST

START_TEST(one_idle_worker_is_not_promised_to_two)
{
	struct job first = {0}, j[2] = {0};

	submit(&first, 0, job_run);
	drain(0);
	usleep(20000); /* its worker is idle again */
	meeting = ARRAY_SIZE(j);
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++)
		submit(&j[i], 0, job_run_meeting);
	drain(0);
	ck_assert_msg(j[0].ran && j[1].ran, "two calls did not block side by side");
}
END_TEST

START_TEST(a_pool_that_grew_has_as_many_more)
{
	struct job j[2] = {0};

	teardown();
	setup_pool(0);
	work_pool_grow(pool, 1);
	work_pool_grow(pool, 1);
	meeting = ARRAY_SIZE(j);
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++)
		submit(&j[i], 0, job_run_meeting);
	drain(0);
	ck_assert_msg(j[0].ran && j[1].ran, "two calls did not block side by side");
}
END_TEST

START_TEST(a_drain_waits_for_its_device_only)
{
	struct job mine[3] = {0}, other = {0};

	submit(&other, 1, job_run_gated);
	for (unsigned int i = 0; i < ARRAY_SIZE(mine); i++)
		submit(&mine[i], 0, job_run);
	drain(0);
	ck_assert_uint_eq(done[0], ARRAY_SIZE(mine));
	ck_assert_uint_eq(done[1], 0);
	sem_post(&gate);
	drain(1);
	ck_assert_uint_eq(done[1], 1);
}
END_TEST

static void *drainer(void *arg)
{
	(void)arg;
	drain(0);
	return NULL;
}

/* A vCPU resets a disk that is slow: the loop goes on with all other devices meanwhile. */
START_TEST(a_drain_does_not_hold_up_the_loop)
{
	struct job slow = {0}, quick = {0}, other = {0};
	pthread_t t;

	want = 0;
	submit(&slow, 0, job_run_gated);
	submit(&quick, 0, job_run);
	ck_assert_int_eq(pthread_create(&t, NULL, drainer, NULL), 0);
	while (pthread_mutex_trylock(&dev[0].lock) == 0) { /* until it has begun */
		pthread_mutex_unlock(&dev[0].lock);
		usleep(1000);
	}
	usleep(20000);
	for (int i = 0; i < 2; i++) { /* twice: the second finds the list not empty */
		other = (struct job){0};
		submit(&other, 1, job_run);
		stop_when_done_1 = done[1] + 1;
		ck_assert_int_eq(loop_run(loop), 0);
	}
	ck_assert_uint_eq(done[0], 0);
	sem_post(&gate);
	pthread_join(t, NULL);
	ck_assert_uint_eq(done[0], 2);
}
END_TEST

START_TEST(a_drain_takes_what_done_submits)
{
	struct job j = {.again = 5};

	submit(&j, 0, job_run);
	drain(0);
	ck_assert_uint_eq(done[0], 1);
	ck_assert_uint_eq(j.again, 0);
}
END_TEST

START_TEST(without_threads_work_runs_at_once)
{
	struct job j = {0};

	teardown();
	setup_pool(0);
	submit(&j, 0, job_run);
	ck_assert(j.ran);
	ck_assert(!j.in_worker);
	ck_assert_uint_eq(done[0], 1);
	drain(0);
}
END_TEST

static sigset_t mask; /* of a worker */

static void job_run_mask(struct work *w)
{
	job_run(w);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
}

/* A crash has to reach its handler, which restores the terminal. */
START_TEST(workers_take_no_signal_but_a_crash)
{
	struct job j = {0};

	submit(&j, 0, job_run_mask);
	drain(0);
	ck_assert(j.in_worker);
	ck_assert(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGTSTP));
	ck_assert(!sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGBUS));
}
END_TEST

static unsigned int free_done;

static void job_done_free(struct work *w)
{
	for (unsigned int i = 0; i < NDEV; i++) {
		if (pthread_mutex_trylock(&dev[i].lock) != 0)
			unlocked = true; /* a lock that nobody asked for */
		else
			pthread_mutex_unlock(&dev[i].lock);
	}
	ck_assert(!w->dev && pthread_equal(pthread_self(), owner));
	free_done++;
	if (free_done + done[1] == 6)
		loop_stop(loop);
}

START_TEST(work_of_no_device_is_lost_or_locked)
{
	struct job j[3] = {0}, other[3] = {0};

	free_done = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++) {
		j[i].w = (struct work){.run = job_run, .done = job_done_free};
		submit(&other[i], 1, job_run);
		work_submit(pool, &j[i].w);
	}
	stop_when_done_1 = 3;
	while (free_done + done[1] < 6)
		ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(free_done, 3);
	ck_assert(j[0].in_worker);
}
END_TEST

static _Atomic bool begun, ended;

static void job_run_slowly(struct work *w)
{
	begun = true;
	(void)usleep(20000);
	job_run(w);
	ended = true;
}

START_TEST(no_thread_outlives_the_pool)
{
	struct job j = {0};

	submit(&j, 0, job_run_slowly);
	while (!begun)
		(void)usleep(100);
	work_pool_destroy(pool);
	pool = NULL;
	ck_assert(ended);
}
END_TEST

START_TEST(work_not_delivered_is_dropped)
{
	struct job j[20] = {0};

	for (unsigned int i = 0; i < ARRAY_SIZE(j); i++)
		submit(&j[i], 0, job_run);
	work_pool_destroy(pool);
	ck_assert_uint_eq(done[0], 0);
	pool = NULL;
}
END_TEST

/* The loop delivers while another thread submits and drains, as a vCPU's reset does */
#define ROUNDS 500

static unsigned int submitted;

static void *vcpu(void *arg)
{
	static struct job j[8];

	(void)arg;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int n = 1 + round % (unsigned int)ARRAY_SIZE(j);

		for (unsigned int i = 0; i < n; i++)
			submit(&j[i], round % NDEV, job_run);
		submitted += n;
		drain(round % NDEV);
		for (unsigned int i = 0; i < n; i++)
			if (!j[i].ran)
				unlocked = true;
	}
	loop_stop(loop);
	return NULL;
}

START_TEST(every_piece_is_done_once_whoever_delivers)
{
	pthread_t t;

	submitted = 0;
	ck_assert_int_eq(pthread_create(&t, NULL, vcpu, NULL), 0);
	ck_assert_int_eq(loop_run(loop), 0);
	pthread_join(t, NULL);
	ck_assert_uint_eq(done[0] + done[1], submitted);
}
END_TEST

UNIT_MAIN("work", setup, teardown, t)
{
	tcase_add_test(t, an_unused_pool_starts_no_thread);
	tcase_add_test(t, an_armed_pool_starts_and_opens_nothing_more);
	tcase_add_test(t, of_idle_workers_the_last_is_taken);
	tcase_add_test(t, pool_that_cannot_be_armed_says_so_and_works);
	tcase_add_test(t, finished_work_comes_back_on_the_loop);
	tcase_add_test(t, done_may_submit_again);
	tcase_add_test(t, blocked_work_does_not_hold_up_other_work);
	tcase_add_test(t, one_idle_worker_is_not_promised_to_two);
	tcase_add_test(t, a_pool_that_grew_has_as_many_more);
	tcase_add_test(t, a_drain_waits_for_its_device_only);
	tcase_add_test(t, a_drain_does_not_hold_up_the_loop);
	tcase_add_test(t, a_drain_takes_what_done_submits);
	tcase_add_test(t, without_threads_work_runs_at_once);
	tcase_add_test(t, workers_take_no_signal_but_a_crash);
	tcase_add_test(t, work_of_no_device_is_lost_or_locked);
	tcase_add_test(t, work_not_delivered_is_dropped);
	tcase_add_test(t, no_thread_outlives_the_pool);
	tcase_add_test(t, every_piece_is_done_once_whoever_delivers);
}

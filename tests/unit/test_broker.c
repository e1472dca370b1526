/* SPDX-License-Identifier: Apache-2.0 */
/* test_broker - what the broker makes of its child's doings and its end. */
#include "vmm/jail/broker.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/unix_listen.h"
#include "tests/lib/namespaces.h"
#include "tests/lib/unit.h"
#include "vmm/core/outside.h"
#include "vmm/core/outside_wire.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"

/* With the processes that a test has made */
static struct shared {
	_Atomic int stage;
	struct jail jail;
	struct err e;
	int answer;
	pid_t broker;
} * shared;

static void setup(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	shared->jail.mode = JAIL_AUTO;
	signals_init();
	signals_hold();
}

static void teardown(void)
{
	munmap(shared, sizeof(*shared));
}

/* Test code that Check cannot see: the child's failures are its status */
#define MUST(x)                    \
	do {                       \
		if (!(x))          \
			_exit(99); \
	} while (0)

/* A broker, in a process of its own: what it gives up is gone for good */
static pid_t start(int (*vmm)(void *ctx), void *ctx)
{
	pid_t pid;

	shared->stage = 0;
	shared->e = (struct err){0};
	pid = fork();
	if (pid == 0) {
		shared->broker = getpid();
		shared->answer = broker_run(&shared->jail, vmm, ctx, &shared->e);
		_exit(0);
	}
	return pid;
}

/* Return: what broker_run() returned */
static int finish(pid_t broker)
{
	int status;

	ck_assert_int_eq(waitpid(broker, &status, 0), broker);
	ck_assert_int_eq(status, 0);
	return shared->answer;
}

static int run(int (*vmm)(void *ctx), void *ctx)
{
	return finish(start(vmm, ctx));
}

static void await_stage(int stage)
{
	while (shared->stage < stage)
		sched_yield();
}

static int ends_with(void *ctx)
{
	return *(int *)ctx;
}

START_TEST(status_is_the_childs)
{
	int status = 42;

	ck_assert_int_eq(run(ends_with, &status), 42);
	ck_assert_int_eq(shared->e.code, 0);
}
END_TEST

static int dies_of(void *ctx)
{
	(void)signal(*(int *)ctx, SIG_DFL);
	/* the first process of a pid namespace survives what it sends itself */
	(void)kill(getpid(), *(int *)ctx);
	*(volatile int *)NULL = 0;
	return 0;
}

START_TEST(crash_is_a_sentence)
{
	int sig = SIGSEGV;

	ck_assert_int_lt(run(dies_of, &sig), 0);
	ck_assert_ptr_nonnull(strstr(shared->e.msg, "killed by signal 11"));
}
END_TEST

START_TEST(trap_of_a_filter_is_a_sentence)
{
	int status = JAIL_FILTER_STATUS;

	ck_assert_int_lt(run(ends_with, &status), 0);
	ck_assert_ptr_nonnull(strstr(shared->e.msg, "--jail off"));
}
END_TEST

/* From now on the broker, which has locked itself up, is asked */
static int parts(void)
{
	int rc = outside_ask();

	return rc < 0 ? rc : outside_wait();
}

static int sees_a_filter(void *ctx)
{
	char path[64], text[4096] = "";
	int fd;

	(void)ctx;
	MUST(parts() == 0);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", shared->broker);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(read_full(fd, text, sizeof(text) - 1) > 0);
	return !strstr(text, "\nSeccomp:\t2\n");
}

START_TEST(guest_would_run_before_the_broker_is_locked)
{
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(run(sees_a_filter, NULL), 0);
}
END_TEST

static int talks_nonsense(void *ctx)
{
	(void)parts();
	(void)wire_send(*(int *)ctx, "nonsense", 8, false, -1);
	(void)pause();
	return 0;
}

static int asks_beyond(void *ctx)
{
	struct outside_question q = {.verb = OUTSIDE_VERBS};
	int fd;

	(void)ctx;
	(void)parts();
	(void)wire_ask(&q, &fd);
	(void)pause();
	return 0;
}

static int tells_a_slot_when_locked(void *ctx)
{
	char told[48] = {1, 0, 0, 0, 1};

	MUST(parts() == 0);
	told[32] = '/';
	(void)wire_send(*(int *)ctx, told, 34, false, -1);
	(void)pause();
	return 0;
}

static int is_locked_twice(void *ctx)
{
	struct outside_question q = {.verb = OUTSIDE_LOCKED};

	MUST(parts() == 0);
	MUST(wire_send(*(int *)ctx, &q, sizeof(q), false, -1) == 0);
	(void)pause();
	return 0;
}

static int reads_no_answers(void *ctx)
{
	struct outside_question q = {.verb = OUTSIDE_FOREGROUND};

	MUST(parts() == 0);
	for (;;)
		(void)wire_send(*(int *)ctx, &q, sizeof(q), false, -1);
}

START_TEST(child_that_talks_nonsense_is_killed)
{
	static int (*const bad[])(void *ctx) = {talks_nonsense, asks_beyond,
						tells_a_slot_when_locked, is_locked_twice,
						reads_no_answers};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		/* the child's end of the wire: the second of a fresh pair */
		int wire = dup(0) + 1;

		close(wire - 1);
		ck_assert_int_lt(run(bad[i], &wire), 0);
		ck_assert_ptr_nonnull(strstr(shared->e.msg, "what no machine needs"));
	}
}
END_TEST

static int waits_for(void *ctx)
{
	struct pollfd p = {.fd = signals_open(), .events = POLLIN};

	shared->stage = 1;
	MUST(poll(&p, 1, 20000) == 1);
	MUST(signals_ending() == *(int *)ctx);
	MUST(signals_read(p.fd) == *(int *)ctx);
	MUST(signals_read(p.fd) == 0);
	return 7;
}

START_TEST(signals_reach_the_child_by_the_broker)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		int sig = sigs[i];
		pid_t broker = start(waits_for, &sig);

		await_stage(1);
		ck_assert_int_eq(kill(broker, sig), 0);
		ck_assert_int_eq(finish(broker), 7);
	}
}
END_TEST

static int is_the_same_and_ignores(void *ctx)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP};
	struct sigaction sa;

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		MUST(sigaction(sigs[i], NULL, &sa) == 0);
		MUST(sa.sa_handler == SIG_IGN);
	}
	MUST(!shared->jail.pid_ns || getpid() == 1);
	MUST(!shared->jail.user_ns || getuid() == *(uid_t *)ctx);
	return 7;
}

START_TEST(child_ignores_what_the_broker_reads)
{
	uid_t uid = getuid();

	ck_assert_int_eq(run(is_the_same_and_ignores, &uid), 7);
}
END_TEST

static int waits_for_ever(void *ctx)
{
	(void)ctx;
	shared->stage = 1;
	while (pause() < 0)
		;
	return 0;
}

START_TEST(child_dies_with_its_broker)
{
	pid_t broker = start(waits_for_ever, NULL);
	int status;

	await_stage(1);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	ck_assert_int_eq(kill(broker, SIGKILL), 0);
	ck_assert_int_eq(waitpid(broker, &status, 0), broker);
	/* the orphan is ours now, and ends */
	ck_assert_int_gt(waitpid(-1, &status, 0), 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

static int asks_to_stop(void *ctx)
{
	(void)ctx;
	MUST(parts() == 0);
	shared->stage = 1;
	MUST(outside_do(OUTSIDE_STOP, 0, 0) == 0);
	shared->stage = 2;
	return 7;
}

/* The broker stops, with the child at rest, and goes on */
static void stop_and_go_on(pid_t broker)
{
	int status;

	ck_assert_int_eq(waitpid(broker, &status, WUNTRACED), broker);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(shared->stage, 1);
	ck_assert_int_eq(kill(broker, SIGCONT), 0);
	ck_assert_int_eq(finish(broker), 7);
	ck_assert_int_eq(shared->stage, 2);
}

START_TEST(both_stop_and_go_on)
{
	stop_and_go_on(start(asks_to_stop, NULL));
}
END_TEST

/* The number of its child */
static pid_t child_of(pid_t broker)
{
	char name[64];
	FILE *f;
	int pid;

	(void)snprintf(name, sizeof(name), "/proc/%d/task/%d/children", broker, broker);
	f = fopen(name, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	(void)fclose(f);
	return pid;
}

/* The state of a process's first thread, as ps(1) has it */
static char state_of(pid_t pid)
{
	char name[64], state = 0;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	f = fopen(name, "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*d %*s %c", &state), 1);
	(void)fclose(f);
	return state;
}

static int asks_to_stop_when_told(void *ctx)
{
	(void)ctx;
	MUST(parts() == 0);
	MUST(outside_do(OUTSIDE_FOREGROUND, 0, 0) >= 0);
	shared->stage = 1;
	await_stage(2);
	shared->stage = 1;
	MUST(outside_do(OUTSIDE_STOP, 0, 0) == 0);
	shared->stage = 2;
	return 7;
}

static void await_state(pid_t pid, char state)
{
	while (state_of(pid) != state)
		sched_yield();
}

/* Its question is on the way when an operator stops it: our SIGSTOP changes nothing */
START_TEST(child_that_was_stopped_when_it_asked_to_be_stops)
{
	pid_t broker = start(asks_to_stop_when_told, NULL), child;
	int status;

	await_stage(1);
	child = child_of(broker);
	ck_assert_int_eq(kill(broker, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(broker, &status, WUNTRACED), broker);
	shared->stage = 2;
	while (shared->stage != 1)
		sched_yield();
	await_state(child, 'S'); /* for its answer */
	ck_assert_int_eq(kill(child, SIGSTOP), 0);
	await_state(child, 'T');
	ck_assert_int_eq(kill(broker, SIGCONT), 0);
	stop_and_go_on(broker);
}
END_TEST

/* A thread that waits for what it cloned so is as one that waits for a stuck disk: it does not
 * stop. The child lets it go when it sees a signal. System calls as they are: ThreadSanitizer makes a
 * fork() of vfork()
 */
static void *hangs(void *signals)
{
	pid_t pid =
		(pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		struct pollfd p = {.fd = *(int *)signals, .events = POLLIN};
		struct timespec most = {.tv_sec = 20};

		shared->stage = 1;
		syscall(SYS_exit_group, syscall(SYS_ppoll, &p, 1, &most, NULL, 0) != 1);
	}
	MUST(waitpid(pid, &shared->answer, 0) == pid && shared->answer == 0);
	return NULL;
}

static int asks_to_stop_and_hangs(void *ctx)
{
	int fd = signals_open();
	pthread_t t;

	(void)ctx;
	MUST(parts() == 0);
	MUST(pthread_create(&t, NULL, hangs, &fd) == 0);
	await_stage(1);
	MUST(outside_do(OUTSIDE_STOP, 0, 0) == 0);
	MUST(pthread_join(t, NULL) == 0);
	MUST(signals_read(fd) == SIGTERM);
	shared->stage = 2;
	return 7;
}

START_TEST(broker_hears_signals_while_its_child_does_not_stop)
{
	pid_t broker = start(asks_to_stop_and_hangs, NULL);

	await_stage(1);
	await_state(child_of(broker), 'T');
	ck_assert_int_eq(kill(broker, SIGTERM), 0);
	stop_and_go_on(broker);
}
END_TEST

/* An operator's SIGCONT takes our SIGSTOP away while a thread has not stopped yet */
START_TEST(child_that_was_told_to_go_on_meanwhile_stops)
{
	pid_t broker = start(asks_to_stop_and_hangs, NULL), child;

	await_stage(1);
	child = child_of(broker);
	await_state(child, 'T');
	ck_assert_int_eq(kill(child, SIGCONT), 0);
	await_state(child, 'T');
	ck_assert_int_eq(kill(broker, SIGTERM), 0);
	stop_and_go_on(broker);
}
END_TEST

static int is_asked_about(void *ctx)
{
	(void)ctx;
	MUST(parts() == 0);
	MUST(outside_do(OUTSIDE_FOREGROUND, 0, 0) >= 0); /* it has heard the one before */
	shared->stage = 1;
	await_stage(2);
	return 7;
}

START_TEST(broker_of_a_locked_child_is_locked)
{
	static const char *const wants[] = {"status\nNoNewPrivs:\t1\n",
					    "status\nSeccomp:\t2\n",
					    "limits\nMax core file size        0   "};
	pid_t broker = start(is_asked_about, NULL);
	char name[48], text[8192];
	long n;

	await_stage(1);
	for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
		cleanup_close int fd = -1;

		(void)snprintf(name, sizeof(name), "/proc/%d/%.6s", broker, wants[i]);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		n = read_full(fd, text, sizeof(text) - 1);
		ck_assert_int_gt(n, 0);
		text[n] = '\0';
		ck_assert_msg(strstr(text, wants[i] + 6), "no %s", wants[i] + 7);
	}
	shared->stage = 2;
	ck_assert_int_eq(finish(broker), 7);
}
END_TEST

static int has_no_filter(void *ctx)
{
	MUST(parts() == 0);
	jail_note(&shared->jail, JAIL_SECCOMP, 0);
	jail_note(&shared->jail, JAIL_SECCOMP, -*(int *)ctx);
	return JAIL_FILTER_STATUS;
}

START_TEST(thread_without_a_filter_is_a_sentence)
{
	int why = ENOMEM;

	ck_assert_int_eq(run(has_no_filter, &why), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(shared->e.msg, "no guest ran"));
	ck_assert_uint_eq(shared->jail.held & 1U << JAIL_SECCOMP, 0);
}
END_TEST

static int hears_no_signals(void *ctx)
{
	struct pollfd wire = {.fd = *(int *)ctx};

	MUST(parts() == 0);
	MUST(close_range(3, (unsigned int)wire.fd - 1, 0) == 0);
	MUST(close_range((unsigned int)wire.fd + 1, ~0U, 0) == 0);
	MUST(poll(&wire, 1, 300) == 0);
	return 7;
}

START_TEST(broker_sleeps_when_nobody_hears_signals)
{
	struct rusage used;
	int wire = dup(0) + 1;

	close(wire - 1);
	ck_assert_int_eq(run(hears_no_signals, &wire), 7);
	ck_assert_int_eq(getrusage(RUSAGE_CHILDREN, &used), 0);
	ck_assert_int_eq(used.ru_utime.tv_sec + used.ru_stime.tv_sec, 0);
	ck_assert_int_lt(used.ru_utime.tv_usec + used.ru_stime.tv_usec, 100000);
}
END_TEST

static bool is_pending(pid_t pid, int sig)
{
	char name[48], text[4096];
	cleanup_close int fd = -1;
	const char *line;
	long n;

	(void)snprintf(name, sizeof(name), "/proc/%d/status", pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = read_full(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	line = strstr(text, "\nShdPnd:");
	ck_assert_ptr_nonnull(line);
	return strtoull(line + strlen("\nShdPnd:"), NULL, 16) >> (sig - 1) & 1;
}

#define MORE_THAN_FIT 2000

static int hears_them_late(void *ctx)
{
	struct pollfd p = {.fd = signals_open(), .events = POLLIN};
	int sig = 0, n = 0;

	(void)ctx;
	MUST(parts() == 0);
	MUST(outside_do(OUTSIDE_FOREGROUND, 0, 0) >= 0);
	shared->stage = 1;
	await_stage(2);
	while (sig != SIGUSR2) {
		MUST(poll(&p, 1, 20000) == 1);
		sig = signals_read(p.fd);
		n++;
	}
	MUST(n < MORE_THAN_FIT);
	/* and those that come when there is room again */
	shared->stage = 3;
	MUST(poll(&p, 1, 20000) == 1);
	MUST(signals_read(p.fd) == SIGUSR1);
	return 7;
}

START_TEST(signals_for_which_there_is_no_room_come_later)
{
	pid_t broker = start(hears_them_late, NULL);

	await_stage(1);
	for (int i = 0; i <= MORE_THAN_FIT; i++) {
		int sig = i < MORE_THAN_FIT ? SIGUSR1 : SIGUSR2;

		ck_assert_int_eq(kill(broker, sig), 0);
		while (is_pending(broker, sig))
			sched_yield();
	}
	shared->stage = 2;
	await_stage(3);
	ck_assert_int_eq(kill(broker, SIGUSR1), 0);
	ck_assert_int_eq(finish(broker), 7);
}
END_TEST

/* As many descriptors as this user may have on the way, and some more */
static void descriptors_on_the_way(void)
{
	struct rlimit l;
	int pair[2];

	MUST(getrlimit(RLIMIT_NOFILE, &l) == 0);
	l.rlim_cur = MIN(l.rlim_max, 4096U);
	MUST(setrlimit(RLIMIT_NOFILE, &l) == 0);
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	for (int i = 0; i < 100; i++)
		MUST(wire_send(pair[0], "x", 1, true, pair[0]) == 0);
}

static int asks_for_a_descriptor_too_many(void *ctx)
{
	int slot = outside_peer(ctx);

	MUST(parts() == 0);
	descriptors_on_the_way();
	MUST(outside_do(OUTSIDE_CONNECT, slot, OUTSIDE_NO_PORT) == -ETOOMANYREFS);
	return 7;
}

/* The kernel counts those of all processes of a user */
START_TEST(descriptor_that_cannot_be_passed_is_an_answer)
{
	char path[] = "/tmp/test-broker-XXXXXX/s";
	struct rlimit l, few;
	struct unix_listener u;

	*strrchr(path, '/') = '\0';
	ck_assert_ptr_nonnull(mkdtemp(path));
	path[strlen(path)] = '/';
	ck_assert_int_eq(unix_listen(&u, "test", path, &shared->e), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &l), 0);
	few = (struct rlimit){64, l.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(run(asks_for_a_descriptor_too_many, path), 7);
	unix_unlisten(&u);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(identity_in_another_users_hands_is_none)
{
	static const char dir[] = "/run/microvm", file[] = "/run/microvm/ids";
	int lock;

	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), 0);
	ck_assert_int_eq(mount("none", "/run", "tmpfs", 0, "mode=0755"), 0);
	ck_assert_int_ge(jail_claim(&lock), 0);
	close(lock);
	ck_assert_int_eq(chown(file, 65534, 65534), 0);
	ck_assert_int_eq(jail_claim(&lock), -EPERM);
	ck_assert_int_eq(chown(file, 0, 0), 0);
	ck_assert_int_eq(chown(dir, 65534, 65534), 0);
	ck_assert_int_eq(jail_claim(&lock), -EPERM);
	ck_assert_int_eq(chown(dir, 0, 0), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_int_eq(jail_claim(&lock), -EPERM);
	ck_assert_int_eq(lock, -1);
}
END_TEST

static int asks_for_its_size(void *ctx)
{
	(void)ctx;
	MUST(parts() == 0);
	MUST(outside_peak_rss_kib() > 100);
	return 7;
}

START_TEST(peak_of_memory_is_the_childs)
{
	ck_assert_int_eq(run(asks_for_its_size, NULL), 7);
}
END_TEST

UNIT_MAIN("broker", setup, teardown, t)
{
	tcase_add_test(t, status_is_the_childs);
	tcase_add_test(t, crash_is_a_sentence);
	tcase_add_test(t, trap_of_a_filter_is_a_sentence);
	if (MICROVM_JAIL != JAIL_OFF) /* with sanitizers there is no filter */
		tcase_add_test(t, guest_would_run_before_the_broker_is_locked);
	tcase_add_test(t, child_that_talks_nonsense_is_killed);
	tcase_add_test(t, signals_reach_the_child_by_the_broker);
	tcase_add_test(t, child_ignores_what_the_broker_reads);
	tcase_add_test(t, child_dies_with_its_broker);
	tcase_add_test(t, both_stop_and_go_on);
	tcase_add_test(t, child_that_was_stopped_when_it_asked_to_be_stops);
	tcase_add_test(t, broker_hears_signals_while_its_child_does_not_stop);
	tcase_add_test(t, child_that_was_told_to_go_on_meanwhile_stops);
	if (MICROVM_JAIL != JAIL_OFF)
		tcase_add_test(t, broker_of_a_locked_child_is_locked);
	tcase_add_test(t, thread_without_a_filter_is_a_sentence);
	tcase_add_test(t, broker_sleeps_when_nobody_hears_signals);
	tcase_add_test(t, signals_for_which_there_is_no_room_come_later);
	tcase_add_test(t, descriptor_that_cannot_be_passed_is_an_answer);
	if (geteuid() == 0 && namespaces_allowed())
		tcase_add_test(t, identity_in_another_users_hands_is_none);
	tcase_add_test(t, peak_of_memory_is_the_childs);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pauses - run a machine on a loop of our own and pause it again and again: while it is paused
 * nothing runs, nothing is locked, and nobody writes guest memory.
 *
 * usage: pauses COUNT OPTION...       the options are microvm's
 *
 * Exit status: the machine's, once it was paused COUNT times and checked each time; 1 and a
 * sentence otherwise.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "guest-images/payloads/rt/told.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"

#define BETWEEN_NS 1000000 /* the machine runs for so long */
#define PAUSED_NS  3000000 /* and is looked at for so long */
#define CPU_MAX_NS \
	1000000 /* that vCPU threads may have used up by then: none, but for a wake-up */
#define NAPS_MAX 10        /* in a busy nested host others' time counts as the thread's */
#define LOOK_MAX (4 * MIB) /* of guest memory is looked at each time */

static struct machine machine;
static struct loop *loop;
static struct loop_source timer;
static unsigned long left;

static void fail(const char *what, const char *whose)
{
	(void)fprintf(stderr, "pauses: with %lu left: %s%s\n", left, what, whose);
	_exit(1);
}

static void again(void)
{
	struct itimerspec it = {.it_value = {.tv_nsec = BETWEEN_NS}};

	(void)timerfd_settime(timer.fd, 0, &it, NULL);
}

static uint64_t cpu_ns(pthread_t thread)
{
	struct timespec ts = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(thread, &clock) == 0)
		(void)clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t vcpus_ns(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < machine.nvcpu; i++)
		if (!vcpu_left(&machine.vcpu[i]))
			sum += cpu_ns(machine.vcpu[i].thread);
	return sum;
}

/* a thread that runs does so in each nap; one on its way to sleep does not */
static bool vcpus_run(void)
{
	const struct timespec nap = {.tv_nsec = PAUSED_NS};
	uint64_t before;

	for (int i = 0; i < NAPS_MAX; i++) {
		before = vcpus_ns();
		(void)nanosleep(&nap, NULL);
		if (vcpus_ns() - before <= CPU_MAX_NS)
			return false;
	}
	return true;
}

/* FNV-1a by words: of guest memory, its end and its beginning */
static uint64_t memory_sum(void)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (unsigned int i = 0; i < machine.mem.n; i++) {
		const struct gmem_region *r = &machine.mem.region[i];
		const uint64_t *p = (const void *)r->host;
		size_t n = MIN(r->len, LOOK_MAX) / sizeof(*p);

		for (size_t k = 0; k < n; k++)
			sum = (sum ^ p[k]) * UINT64_C(0x100000001b3);
	}
	return sum;
}

static void check_locks(void)
{
	for (unsigned int i = 0; i < machine.ndev; i++) {
		if (pthread_mutex_trylock(&machine.dev[i]->lock) != 0)
			fail("locked: ", machine.dev[i]->name);
		pthread_mutex_unlock(&machine.dev[i]->lock);
	}
}

/* A payload with until=told works until then, however fast it is (rt_let_go()) */
static void tell_guest(void)
{
	const struct gmem_region *r = &machine.mem.region[0];
	const uint64_t told = RT_TOLD;

	if (gmem_write(&machine.mem, r->gpa + r->len - RT_TOLD_AT, &told, sizeof(told)) <
	    0)
		fail("the guest has too little memory", "");
}

static void on_paused(void *ctx, const struct err *e)
{
	uint64_t sum;

	(void)ctx;
	if (e)
		fail(e->msg, "");
	sum = memory_sum();
	if (vcpus_run())
		fail("a vCPU's thread runs", "");
	check_locks();
	if (memory_sum() != sum)
		fail("guest memory changes", "");
	left--;
	if (!left)
		tell_guest();
	machine_resume(&machine);
	if (left)
		again();
	else
		(void)fprintf(stderr, "pauses: all are done\n");
}

static void on_timer(struct loop_source *s, uint32_t events)
{
	uint64_t n;

	(void)events;
	if (read(s->fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		(void)machine_pause(&machine, on_paused, NULL);
}

static int run(const struct config *cfg, struct err *e)
{
	struct exit_verdict v;
	int rc;

	loop = loop_create();
	timer = (struct loop_source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
				     .events = EPOLLIN,
				     .fn = on_timer};
	if (!loop || timer.fd < 0 || loop_add(loop, &timer) < 0)
		return err_set(e, errno, "no loop or timer");
	rc = machine_build(&machine, cfg, loop, e);
	if (rc == 0) {
		again();
		v = machine_run(&machine);
		if (v.detail[0])
			(void)fprintf(stderr, "pauses: %s\n", v.detail);
		rc = exit_status(v.cause);
	}
	machine_destroy(&machine);
	loop_destroy(loop);
	if (rc == 0 && left)
		return err_set(e, EIO, "the guest ended with %lu pauses left", left);
	return rc;
}

int main(int argc, char **argv)
{
	enum cli_action action = CLI_HELP;
	struct config cfg = {0};
	struct err e = {0};
	int rc = -EINVAL;

	signals_init();
	left = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	if (left && config_init(&cfg, &e) == 0 &&
	    cli_parse(argc - 1, argv + 1, &cfg, &action, &e) == 0 && action == CLI_RUN) {
		signals_hold();
		config_console_reader(&cfg, false, false);
		rc = run(&cfg, &e);
	}
	if (rc < 0)
		(void)fprintf(stderr, "pauses: %s\n", e.msg);
	config_fini(&cfg);
	return rc < 0 ? 1 : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* loop - the epoll loop, and the only caller of epoll. */
#include "vmm/core/loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"

/* How long to poll before sleeping, in ns. A wake-up costs about half of LOOP_POLL_MAX in all: a
 * guest's kick, the host's scheduler, system calls. All of it is about what a disk takes for the
 * 32 requests that a guest has waiting.
 */
#define LOOP_POLL_MIN  8000
#define LOOP_POLL_MAX  200000
#define LOOP_POLL_HITS 32 /* then the other sources get their turn */
#define LOOP_POLL_MISSES \
	4 /* in a row, though something came soon after: polling does not pay */
#define LOOP_POLL_REST 4096 /* short sleeps before the next try, at most */

/* Polling burns CPU that other processes need. When they took the CPU from us, for so long and
 * for a quarter of the time at least, polling stops for a pause (ns), twice as long each time
 * that it happens again at once.
 */
#define LOOP_POLL_STOLEN    500000
#define LOOP_POLL_PAUSE_MIN 50000000
#define LOOP_POLL_PAUSE_MAX 1600000000

struct loop_polling {
	struct loop_poller *list;
	atomic_uint wanted; /* how many are on */
	bool pays;          /* on this host in general */
	bool busy;          /* between begin() and end() */
	uint64_t ns;        /* 0: sleep at once */
	unsigned int misses, rest, rested;
	uint64_t since, cpu;    /* has not slept since; its CPU time then; or 0 */
	uint64_t pause, resume; /* how long it does not poll, and when that ends */
};

struct loop {
	int epfd;
	int wakefd; /* eventfd: data.ptr NULL */
	atomic_bool stop;
	struct loop_polling poll;
	pthread_mutex_t task_lock; /* for the two that follow; nothing nests in it */
	struct loop_task *task, **task_tail;
};

/* With one CPU, nothing can send us work until the loop sleeps */
static int loop_processors(void)
{
	cpu_set_t set;

	/* Fails where there are more than 1024 */
	return sched_getaffinity(0, sizeof(set), &set) < 0 ? INT_MAX : CPU_COUNT(&set);
}

struct loop *loop_create(void)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct epoll_event ev = {.events = EPOLLIN};

	if (!l)
		return NULL;
	l->poll.pays = loop_processors() > 1;
	pthread_mutex_init(&l->task_lock, NULL);
	l->task_tail = &l->task;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wakefd = fd_place(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), FD_WAKE);
	if (l->epfd < 0 || l->wakefd < 0 ||
	    epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->wakefd, &ev) < 0) {
		loop_destroy(l);
		return NULL;
	}
	return l;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	cleanup_close_fd(&l->epfd);
	cleanup_close_fd(&l->wakefd);
	pthread_mutex_destroy(&l->task_lock);
	free(l);
}

/* epoll reports EPOLLERR and EPOLLHUP whether wanted or not, so a sleeping source is not
 * in the set at all: an fd that hung up would otherwise spin the loop.
 */
int loop_add(struct loop *l, struct loop_source *s)
{
	struct epoll_event ev = {.events = s->events, .data.ptr = s};

	if (s->events == 0)
		return 0;
	return epoll_ctl(l->epfd, EPOLL_CTL_ADD, s->fd, &ev) < 0 ? -errno : 0;
}

void loop_want(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};
	int op = !s->events ? EPOLL_CTL_ADD : !events ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (events == s->events)
		return;
	s->events = events;
	/* Fails only if the kernel has no memory, or if an operator's fd cannot be polled, which
	 * loop_add() told its caller: then the source stays silent.
	 */
	if (epoll_ctl(l->epfd, op, s->fd, &ev) < 0 && op == EPOLL_CTL_ADD)
		s->events = 0;
}

void loop_del(struct loop *l, struct loop_source *s)
{
	loop_want(l, s, 0);
}

static void loop_dispatch(struct loop_source *s, uint32_t events)
{
	if (s->dev && !device_lock_soon(s->dev))
		return;
	/* A vCPU may have changed what is wanted since epoll_wait() returned. */
	events &= s->events ? s->events | EPOLLERR | EPOLLHUP : 0;
	if (events)
		s->fn(s, events);
	if (s->dev)
		pthread_mutex_unlock(&s->dev->lock);
}

/* ---- what other threads leave to the loop's ---- */

static void loop_wake(struct loop *l)
{
	(void)!eventfd_write(l->wakefd, 1);
}

void loop_post(struct loop *l, struct loop_task *t)
{
	bool first;

	pthread_mutex_lock(&l->task_lock);
	first = !t->posted;
	if (first) {
		t->posted = true;
		t->next = NULL;
		*l->task_tail = t;
		l->task_tail = &t->next;
	}
	pthread_mutex_unlock(&l->task_lock);
	if (first)
		loop_wake(l);
}

/* task_lock held */
static void loop_forget(struct loop *l, struct loop_task *t)
{
	struct loop_task **at = &l->task;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (!*at)
		l->task_tail = at;
	t->posted = false;
}

void loop_unpost(struct loop *l, struct loop_task *t)
{
	pthread_mutex_lock(&l->task_lock);
	if (t->posted)
		loop_forget(l, t);
	pthread_mutex_unlock(&l->task_lock);
}

static void loop_do_task(struct loop *l)
{
	struct loop_task *t;

	pthread_mutex_lock(&l->task_lock);
	t = l->task;
	if (t)
		loop_forget(l, t);
	pthread_mutex_unlock(&l->task_lock);
	if (t && t->dev && !device_lock_soon(t->dev)) {
		loop_post(l, t);
	} else if (t) {
		t->fn(t);
		if (t->dev)
			pthread_mutex_unlock(&t->dev->lock);
	}
}

/* As many as there are now: those that are posted meanwhile have another turn */
static void loop_do_tasks(struct loop *l)
{
	unsigned int n = 0;

	pthread_mutex_lock(&l->task_lock);
	for (const struct loop_task *t = l->task; t; t = t->next)
		n++;
	pthread_mutex_unlock(&l->task_lock);
	while (n-- > 0)
		loop_do_task(l);
}

/* ---- polling instead of sleeping ---- */

void loop_poll_add(struct loop *l, struct loop_poller *p)
{
	p->next = l->poll.list;
	l->poll.list = p;
}

void loop_poll_want(struct loop *l, struct loop_poller *p, bool on)
{
	if (on != p->on)
		atomic_fetch_add(&l->poll.wanted, on ? 1U : -1U);
	p->on = on;
}

enum loop_poll_step { POLL_BEGIN, POLL_LOOK, POLL_END };

/* Polls each one that is on and whose device is not busy. Return: did any find something? */
static bool loop_poll_each(struct loop *l, enum loop_poll_step step)
{
	bool any = false;

	for (struct loop_poller *p = l->poll.list; p; p = p->next) {
		/* A look may be skipped; begin() and end() may not, except in a reset */
		if (p->dev && step == POLL_LOOK && pthread_mutex_trylock(&p->dev->lock))
			continue;
		if (p->dev && step != POLL_LOOK && !device_lock_soon(p->dev))
			continue;
		if (p->on && step == POLL_LOOK)
			any |= p->look(p);
		else if (p->on)
			(step == POLL_BEGIN ? p->begin : p->end)(p);
		if (p->dev)
			pthread_mutex_unlock(&p->dev->lock);
	}
	return any;
}

/* Until nothing was found for a while, or often enough. Return: how often */
static unsigned int loop_poll_look(struct loop *l)
{
	uint64_t last = monotonic_ns();
	unsigned int hits = 0;

	for (uint64_t now = last; now - last < l->poll.ns; now = monotonic_ns()) {
		if (!loop_poll_each(l, POLL_LOOK))
			continue;
		if (++hits == LOOP_POLL_HITS)
			break;
		last = monotonic_ns();
	}
	return hits;
}

static uint64_t loop_cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* Did another process take the CPU since lp->since? Asked twice a millisecond at most: the answer
 * is a system call.
 */
static void loop_poll_yield(struct loop_polling *lp)
{
	uint64_t now = monotonic_ns(), wall = now - lp->since, cpu, stolen;

	if (wall < LOOP_POLL_STOLEN)
		return;
	cpu = loop_cpu_ns();
	stolen = wall - MIN(cpu - lp->cpu, wall);
	lp->since = now;
	lp->cpu = cpu;
	if (stolen < LOOP_POLL_STOLEN || stolen < wall / 4)
		return;
	lp->pause = now - lp->resume < lp->pause ? MIN(2 * lp->pause, LOOP_POLL_PAUSE_MAX)
						 : LOOP_POLL_PAUSE_MIN;
	lp->resume = now + lp->pause;
	lp->ns = 0;
}

/* Poll for a while. Return: may the loop sleep? */
static bool loop_poll(struct loop *l)
{
	struct loop_polling *lp = &l->poll;
	unsigned int hits;

	if (!lp->ns || !atomic_load_explicit(&lp->wanted, memory_order_relaxed))
		return true;
	if (!lp->busy)
		loop_poll_each(l, POLL_BEGIN);
	lp->busy = true;
	if (!lp->since) {
		lp->since = monotonic_ns();
		lp->cpu = loop_cpu_ns();
	}
	hits = loop_poll_look(l);
	loop_poll_yield(lp);
	if (hits)
		lp->misses = lp->rest = 0;
	if (hits == LOOP_POLL_HITS && lp->ns)
		return false;
	if (!hits && ++lp->misses == LOOP_POLL_MISSES) {
		lp->rest = MIN(2 * lp->rest + 16, LOOP_POLL_REST);
		lp->rested = 0;
		lp->misses = 0;
		lp->ns = 0;
	}
	loop_poll_each(l, POLL_END);
	lp->busy = false;
	return true;
}

/* It slept from @start to @end: would polling have paid? */
static void loop_poll_adapt(struct loop_polling *lp, uint64_t start, uint64_t end)
{
	if (end < lp->resume)
		return;
	if (end - start > LOOP_POLL_MAX)
		lp->ns = lp->ns / 2 < LOOP_POLL_MIN ? 0 : lp->ns / 2;
	else if (lp->rested < lp->rest)
		lp->rested++;
	else
		lp->ns = MAX(MIN(2 * lp->ns, LOOP_POLL_MAX), LOOP_POLL_MIN);
}

static int loop_wait(struct loop *l, struct epoll_event *ev, int max)
{
	bool measure = l->poll.pays &&
		       atomic_load_explicit(&l->poll.wanted, memory_order_relaxed);
	uint64_t start;
	int n;

	if (!loop_poll(l))
		return epoll_wait(l->epfd, ev, max, 0);
	l->poll.since = 0;
	start = measure ? monotonic_ns() : 0;
	n = epoll_wait(l->epfd, ev, max, -1);
	if (measure)
		loop_poll_adapt(&l->poll, start, monotonic_ns());
	return n;
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[16];

	for (;;) {
		bool woken = false;
		int n = loop_wait(l, ev, ARRAY_SIZE(ev));

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				loop_dispatch(ev[i].data.ptr, ev[i].events);
			else
				woken = true;
		}
		if (woken) {
			eventfd_t v;
			bool stop;

			(void)eventfd_read(l->wakefd, &v);
			/* first: who stops it may have posted a task before, while others are done */
			stop = atomic_exchange(&l->stop, false);
			loop_do_tasks(l);
			if (stop)
				return 0;
		}
	}
}

void loop_stop(struct loop *l)
{
	int saved = errno; /* may be called by a signal handler */

	l->stop = true;
	loop_wake(l);
	errno = saved;
}

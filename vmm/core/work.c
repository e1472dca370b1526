/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work - a small pool of threads for calls that block.
 *
 * A piece of work is in exactly one place: the queue, a worker's hand, or the finished
 * list.  It leaves the finished list only under its device's lock, so that a drain, which
 * holds that lock, sees all of it.  Lock order: dev->lock, then pool->lock.
 */
#include "vmm/core/work.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/core/thread.h"
#include "vmm/core/util.h"

struct work_list {
	struct work *head, **tail;
};

struct worker {
	struct work_pool *pool;
	pthread_t thread;
	struct work *current; /* in run() */
	sem_t wanted;
	struct worker *next; /* of those that are idle */
};

/* A drain under way, on the stack of the thread that drains. It hands finished work back by
 * itself and holds its device's lock until it ends.
 */
struct work_drain {
	const struct device *dev;
	struct work_drain *next;
};

struct work_pool {
	struct loop *loop;
	struct loop_source finished_source; /* eventfd: look at finished */
	pthread_mutex_t lock;
	pthread_cond_t finished_cond;
	struct work_list queued, finished;
	struct worker worker[WORKERS_MAX];
	unsigned int nworker, nworker_max;
	struct worker *idle;       /* the last to become so first: its cache is warm */
	struct work_drain *drains; /* under way */
	bool stopping, told;       /* told: finished_source is, or will be, signalled */
	bool stay;                 /* workers do not end: thread_stays() */
	unsigned int nleft;        /* workers that touch nothing any more */
};

static void list_init(struct work_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_append(struct work_list *l, struct work *w)
{
	w->next = NULL;
	*l->tail = w;
	l->tail = &w->next;
}

static struct work *list_take_first(struct work_list *l)
{
	struct work *w = l->head;

	if (w) {
		l->head = w->next;
		if (!l->head)
			l->tail = &l->head;
	}
	return w;
}

/* Move what belongs to @dev from @l to @to, order kept */
static void list_take_device(struct work_list *l, const struct device *dev,
			     struct work_list *to)
{
	struct work *w = l->head;

	list_init(l);
	while (w) {
		struct work *next = w->next;

		list_append(w->dev == dev ? to : l, w);
		w = next;
	}
}

static bool list_has(const struct work_list *l, const struct device *dev)
{
	for (const struct work *w = l->head; w; w = w->next)
		if (w->dev == dev)
			return true;
	return false;
}

/* pool->lock held. Return: a worker that is no longer idle, to be told by sem_post() once the lock,
 * which it takes at once, is released; NULL: all are at work, and look at the queue afterwards
 */
static struct worker *work_take_idle(struct work_pool *p)
{
	struct worker *w = p->idle;

	if (w)
		p->idle = w->next;
	return w;
}

/* pool->lock held, but while it waits. Not by a condition: glibc's makes one more system call */
static void work_wait(struct work_pool *p, struct worker *me)
{
	me->next = p->idle;
	p->idle = me;
	pthread_mutex_unlock(&p->lock);
	while (sem_wait(&me->wanted) < 0)
		;
	pthread_mutex_lock(&p->lock);
}

static void *work_thread(void *arg)
{
	struct worker *me = arg;
	struct work_pool *p = me->pool;
	bool stay;

	thread_begins(THREAD_WORKER, (unsigned int)(me - p->worker));
	pthread_mutex_lock(&p->lock);
	while (!p->stopping) {
		struct work *w = list_take_first(&p->queued);
		bool tell;

		if (!w) {
			work_wait(p, me);
			continue;
		}
		me->current = w;
		pthread_mutex_unlock(&p->lock);
		w->run(w);
		pthread_mutex_lock(&p->lock);
		me->current = NULL;

		list_append(&p->finished, w);
		pthread_cond_broadcast(&p->finished_cond);
		tell = !p->told;
		p->told = true;
		if (!tell)
			continue;
		/* the loop, which this wakes, takes the lock */
		pthread_mutex_unlock(&p->lock);
		(void)!eventfd_write(p->finished_source.fd, 1);
		pthread_mutex_lock(&p->lock);
	}
	p->nleft++;
	stay = p->stay;
	pthread_cond_broadcast(&p->finished_cond);
	pthread_mutex_unlock(&p->lock);
	if (stay)
		thread_stays();
	return NULL;
}

/* pool->lock held. Skips a device that is being drained, which may take as long as its disk does:
 * the loop serves all devices and does not wait for that.
 */
static const struct work *work_first_finished(const struct work_pool *p)
{
	const struct work *w = p->finished.head;

	for (; w; w = w->next) {
		const struct work_drain *d = p->drains;

		while (d && d->dev != w->dev)
			d = d->next;
		if (!d && !(w->dev && w->dev->waiting)) /* which will drain */
			break;
	}
	return w;
}

static void work_hand_back(struct work_pool *p, const struct device *dev)
{
	struct work_list mine;
	struct work *w;

	list_init(&mine);
	pthread_mutex_lock(&p->lock);
	list_take_device(&p->finished, dev, &mine);
	pthread_mutex_unlock(&p->lock);
	while ((w = list_take_first(&mine)))
		w->done(w);
}

/* Loop thread: hand finished work back, one device at a time, under that device's lock */
static void work_deliver(struct loop_source *s, uint32_t events)
{
	struct work_pool *p = container_of(s, struct work_pool, finished_source);

	(void)events;
	for (;;) {
		const struct work *first;
		struct device *dev;

		pthread_mutex_lock(&p->lock);
		p->told = false;
		first = work_first_finished(p);
		dev = first ? first->dev : NULL;
		pthread_mutex_unlock(&p->lock);
		if (!first)
			return;
		if (dev && !device_lock_soon(dev))
			continue;
		work_hand_back(p, dev);
		if (dev)
			pthread_mutex_unlock(&dev->lock);
	}
}

struct work_pool *work_pool_create(struct loop *l, unsigned int nthreads)
{
	struct work_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->loop = l;
	p->nworker_max = MIN(nthreads, WORKERS_MAX);
	list_init(&p->queued);
	list_init(&p->finished);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->finished_cond, NULL);
	/* by its edges: each write is one, and none has to be read */
	p->finished_source = (struct loop_source){
		.fd = -1, .events = EPOLLIN | EPOLLET, .fn = work_deliver};
	return p;
}

void work_pool_grow(struct work_pool *p, unsigned int n)
{
	pthread_mutex_lock(&p->lock);
	p->nworker_max = MIN(p->nworker_max + n, WORKERS_MAX);
	pthread_mutex_unlock(&p->lock);
}

bool work_pool_stop(struct work_pool *p)
{
	struct worker *idle;
	bool busy = false;

	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	while ((idle = work_take_idle(p)))
		(void)sem_post(&idle->wanted);
	for (unsigned int i = 0; i < p->nworker; i++)
		busy |= p->worker[i].current != NULL;
	pthread_mutex_unlock(&p->lock);
	return !busy;
}

void work_pool_destroy(struct work_pool *p)
{
	if (!p)
		return;
	(void)work_pool_stop(p);
	pthread_mutex_lock(&p->lock);
	while (p->nleft < p->nworker)
		pthread_cond_wait(&p->finished_cond, &p->lock);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->nworker && !p->stay; i++) {
		pthread_join(p->worker[i].thread, NULL);
		sem_destroy(&p->worker[i].wanted);
	}
	if (p->finished_source.fd >= 0) {
		loop_del(p->loop, &p->finished_source);
		close(p->finished_source.fd);
	}
	pthread_cond_destroy(&p->finished_cond);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* pool->lock held. Listen for finished work, unless that is done already. Return: 0 or -errno */
static int work_listen(struct work_pool *p)
{
	struct loop_source *s = &p->finished_source;
	int rc;

	if (s->fd >= 0)
		return 0;
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd < 0)
		return -errno;
	rc = loop_add(p->loop, s);
	if (rc < 0) {
		close(s->fd);
		s->fd = -1;
	}
	return rc;
}

/* pool->lock held.  Return: 0 or -errno */
static int work_start_worker(struct work_pool *p)
{
	struct worker *w = &p->worker[p->nworker];
	int rc = work_listen(p);

	if (rc < 0)
		return rc;
	w->pool = p;
	(void)sem_init(&w->wanted, 0, 0);
	rc = thread_start(&w->thread, 0, work_thread, w);
	p->nworker += rc == 0;
	return -rc;
}

int work_pool_arm(struct work_pool *p)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	p->stay = true;
	while (rc == 0 && p->nworker < p->nworker_max)
		rc = work_start_worker(p);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void work_submit(struct work_pool *p, struct work *w)
{
	struct worker *idle;
	bool here;

	pthread_mutex_lock(&p->lock);
	idle = work_take_idle(p);
	if (!idle && p->nworker < p->nworker_max)
		(void)work_start_worker(p);
	here = p->nworker == 0;
	if (!here)
		list_append(&p->queued, w);
	pthread_mutex_unlock(&p->lock);
	if (idle)
		(void)sem_post(&idle->wanted);
	if (here) {
		w->run(w);
		w->done(w);
	}
}

/* pool->lock held */
static bool work_is_pending(struct work_pool *p, const struct device *dev)
{
	for (unsigned int i = 0; i < p->nworker; i++)
		if (p->worker[i].current && p->worker[i].current->dev == dev)
			return true;
	return list_has(&p->queued, dev);
}

/* pool->lock held, and @me on the list of drains */
static void work_drain_end(struct work_pool *p, const struct work_drain *me)
{
	struct work_drain **at = &p->drains;

	while (*at != me)
		at = &(*at)->next;
	*at = me->next;
}

void work_drain(struct work_pool *p, struct device *dev)
{
	struct work_drain me = {.dev = dev};
	bool more = true;

	pthread_mutex_lock(&p->lock);
	me.next = p->drains;
	p->drains = &me;
	while (more) {
		struct work_list mine;
		struct work *w;

		list_init(&mine);
		while (work_is_pending(p, dev))
			pthread_cond_wait(&p->finished_cond, &p->lock);
		list_take_device(&p->finished, dev, &mine);
		more = mine.head;
		pthread_mutex_unlock(&p->lock);
		while ((w = list_take_first(&mine))) /* done() may submit more */
			w->done(w);
		pthread_mutex_lock(&p->lock);
	}
	work_drain_end(p, &me);
	pthread_mutex_unlock(&p->lock);
}

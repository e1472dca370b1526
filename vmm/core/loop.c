/* SPDX-License-Identifier: Apache-2.0 */
/* loop - the epoll loop, and the only caller of epoll. */
#include "vmm/core/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/core/util.h"

struct loop {
	int epfd;
	int stopfd; /* eventfd: data.ptr NULL */
};

struct loop *loop_create(void)
{
	struct loop *l = malloc(sizeof(*l));
	struct epoll_event ev = {.events = EPOLLIN};

	if (!l)
		return NULL;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->stopfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd < 0 || l->stopfd < 0 ||
	    epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->stopfd, &ev) < 0) {
		loop_destroy(l);
		return NULL;
	}
	return l;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	if (l->epfd >= 0)
		close(l->epfd);
	if (l->stopfd >= 0)
		close(l->stopfd);
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
	int op = EPOLL_CTL_MOD;

	if (events == s->events)
		return;
	if (s->events == 0)
		op = EPOLL_CTL_ADD;
	else if (events == 0)
		op = EPOLL_CTL_DEL;
	s->events = events;
	/* Can fail only for want of kernel memory, or if an operator's fd cannot be polled,
	 * which loop_add()'s caller was told: then the source stays silent.
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
	if (s->dev)
		pthread_mutex_lock(&s->dev->lock);
	/* A vCPU may have changed what is wanted since epoll_wait() returned. */
	events &= s->events ? s->events | EPOLLERR | EPOLLHUP : 0;
	if (events)
		s->fn(s, events);
	if (s->dev)
		pthread_mutex_unlock(&s->dev->lock);
}

int loop_run(struct loop *l)
{
	struct epoll_event ev[16];

	for (;;) {
		bool stop = false;
		int n = epoll_wait(l->epfd, ev, ARRAY_SIZE(ev), -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				loop_dispatch(ev[i].data.ptr, ev[i].events);
			else
				stop = true;
		}
		if (stop) {
			eventfd_t v;

			(void)eventfd_read(l->stopfd, &v);
			return 0;
		}
	}
}

void loop_stop(struct loop *l)
{
	int saved = errno; /* may be called by a signal handler */

	(void)!eventfd_write(l->stopfd, 1);
	errno = saved;
}

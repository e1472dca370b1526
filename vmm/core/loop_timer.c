/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/core/loop_timer.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

int loop_timer_make(struct loop_source *s)
{
	s->events = 0;
	s->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return s->fd < 0 ? -errno : 0;
}

int loop_timer_open(struct loop *l, struct loop_source *s)
{
	int rc = loop_timer_make(s);

	if (rc < 0)
		return rc;
	s->events = EPOLLIN;
	rc = loop_add(l, s);
	if (rc < 0) {
		s->events = 0;
		loop_timer_close(l, s);
	}
	return rc;
}

void loop_timer_close(struct loop *l, struct loop_source *s)
{
	if (s->fd < 0)
		return;
	loop_del(l, s);
	close(s->fd);
	s->fd = -1;
}

static void loop_timer_is(const struct loop_source *s, uint64_t ns, uint64_t again)
{
	struct itimerspec it = {
		.it_value = {.tv_sec = (time_t)(ns / NS_PER_SECOND),
			     .tv_nsec = (long)(ns % NS_PER_SECOND)},
		.it_interval = {.tv_sec = (time_t)(again / NS_PER_SECOND),
				.tv_nsec = (long)(again % NS_PER_SECOND)}};

	(void)timerfd_settime(s->fd, 0, &it, NULL);
}

void loop_timer_set(const struct loop_source *s, uint64_t ns)
{
	loop_timer_is(s, ns, 0);
}

void loop_timer_every(const struct loop_source *s, uint64_t ns)
{
	loop_timer_is(s, ns, ns);
}

bool loop_timer_rang(const struct loop_source *s)
{
	uint64_t n;

	return read(s->fd, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

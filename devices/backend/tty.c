// SPDX-License-Identifier: Apache-2.0
/* tty - the operator's side of a guest console: made, started, resized and unmade. */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "devices/backend/tty_mode.h"
#include "vmm/core/util.h"

#define TTY_DRAIN_MS 2000

void tty_timer_set(const struct loop_source *s, long ns)
{
	struct itimerspec it = {.it_value = {.tv_nsec = ns}};

	(void)timerfd_settime(s->fd, 0, &it, NULL);
}

void tty_winsize(struct tty *t, uint16_t *cols, uint16_t *rows)
{
	struct winsize ws = {0};

	if (t->size >= 0)
		(void)ioctl(t->size, TIOCGWINSZ, &ws);
	*cols = ws.ws_col;
	*rows = ws.ws_row;
}

static void tty_on_wake(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, wake_source);
	uint16_t cols, rows;
	eventfd_t v;

	(void)events;
	(void)eventfd_read(s->fd, &v);
	if (t->term >= 0 && !t->eof && tty_mode_raw())
		loop_want(t->loop, &t->in_source, EPOLLIN);
	tty_winsize(t, &cols, &rows);
	if (t->client)
		t->client->resized(t->client, cols, rows);
}

/* ---- life ---- */

static void tty_source(struct loop_source *s, int fd,
		       void (*fn)(struct loop_source *s, uint32_t events))
{
	*s = (struct loop_source){.fd = fd, .fn = fn};
}

struct tty *tty_create(struct loop *l, int in, int out, void (*quit)(void *ctx),
		       void *ctx, struct err *e)
{
	struct tty *t = calloc(1, sizeof(*t));
	int tfl = TFD_CLOEXEC | TFD_NONBLOCK, efl = EFD_CLOEXEC | EFD_NONBLOCK;

	if (!t) {
		err_set(e, ENOMEM, "console: out of memory");
		return NULL;
	}
	t->loop = l;
	t->quit = quit;
	t->ctx = ctx;
	tty_fd_open(&t->in, in, O_RDONLY);
	tty_fd_open(&t->out, out, O_WRONLY);
	t->term = t->in.terminal ? in : -1;
	t->size = t->out.terminal ? out : t->term;
	tty_source(&t->in_source, t->in.fd, tty_on_in);
	tty_source(&t->out_source, t->out.fd, tty_on_out);
	tty_source(&t->turn_source, eventfd(0, efl), tty_on_turn);
	tty_source(&t->wake_source, eventfd(0, efl), tty_on_wake);
	tty_source(&t->again_source, timerfd_create(CLOCK_MONOTONIC, tfl), tty_on_again);
	tty_source(&t->hold_source, timerfd_create(CLOCK_MONOTONIC, tfl), tty_on_hold);
	if (t->turn_source.fd < 0 || t->wake_source.fd < 0 || t->again_source.fd < 0 ||
	    t->hold_source.fd < 0) {
		err_set(e, errno, "console: no more file descriptors; raise ulimit -n");
		tty_destroy(t);
		return NULL;
	}
	/* a reader that leaves is an EPIPE, not our end */
	(void)signal(SIGPIPE, SIG_IGN);
	return t;
}

void tty_start(struct tty *t, struct tty_client *c)
{
	struct loop_source *all[] = {&t->in_source,   &t->out_source,   &t->turn_source,
				     &t->wake_source, &t->again_source, &t->hold_source};

	t->client = c;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		all[i]->dev = c ? c->dev : NULL;
	loop_want(t->loop, &t->wake_source, EPOLLIN);
	loop_want(t->loop, &t->again_source, EPOLLIN);
	loop_want(t->loop, &t->hold_source, EPOLLIN);
	if (t->size >= 0)
		tty_mode_start(t->term, t->wake_source.fd);
	tty_in_start(t);
}

void tty_destroy(struct tty *t)
{
	struct loop_source *timers[] = {&t->turn_source, &t->wake_source,
					&t->again_source, &t->hold_source};

	tty_out_drain(t, TTY_DRAIN_MS);
	tty_mode_stop();
	loop_del(t->loop, &t->in_source);
	loop_del(t->loop, &t->out_source);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		loop_del(t->loop, timers[i]);
		if (timers[i]->fd >= 0)
			close(timers[i]->fd);
	}
	tty_fd_close(&t->in);
	tty_fd_close(&t->out);
	free(t);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* tty - the host side of a guest console: made, started, resized and unmade. */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "devices/backend/tty_mode.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define TTY_DRAIN_MS 2000

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
		tty_want(t, &t->in_source, EPOLLIN);
	tty_winsize(t, &cols, &rows);
	if (t->client && !t->resting)
		t->client->resized(t->client, cols, rows);
}

/* ---- life ---- */

static void tty_source(struct loop_source *s, int fd,
		       void (*fn)(struct loop_source *s, uint32_t events))
{
	*s = (struct loop_source){.fd = fd, .fn = fn};
}

struct tty *tty_alloc(struct loop *l, enum tty_end end, const char *label, struct err *e)
{
	struct tty *t = calloc(1, sizeof(*t));
	int efl = EFD_CLOEXEC | EFD_NONBLOCK;

	if (!t) {
		err_set(e, ENOMEM, "%s: out of memory", label);
		return NULL;
	}
	t->loop = l;
	t->left.fn = tty_on_left;
	t->hold.fn = tty_hold_soon;
	t->end = end;
	(void)snprintf(t->label, sizeof(t->label), "%s", label);
	t->term = t->size = t->slave = -1;
	t->in.fd = t->out.fd = -1;
	t->listener.at.fd = t->listener.at.slot = t->file.slot = t->made = -1;
	tty_source(&t->listener.source, -1, NULL);
	tty_source(&t->in_source, -1, tty_on_in);
	tty_source(&t->out_source, -1, tty_on_out);
	tty_source(&t->turn_source, eventfd(0, efl), tty_on_turn);
	tty_source(&t->wake_source, eventfd(0, efl), tty_on_wake);
	tty_source(&t->again_source, -1, tty_on_again);
	tty_source(&t->hold_source, -1, tty_on_hold);
	if (t->turn_source.fd < 0 || t->wake_source.fd < 0 ||
	    loop_timer_make(&t->again_source) < 0 ||
	    loop_timer_make(&t->hold_source) < 0) {
		err_set(e, errno, "%s: no more file descriptors; raise ulimit -n", label);
		tty_destroy(t);
		return NULL;
	}
	/* a reader that leaves causes EPIPE, not our end */
	(void)signal(SIGPIPE, SIG_IGN);
	return t;
}

struct tty *tty_create(struct loop *l, int in, int out, void (*quit)(void *ctx),
		       void *ctx, struct err *e)
{
	struct tty *t = tty_alloc(l, TTY_STDIO, "console", e);

	if (!t)
		return NULL;
	t->quit = quit;
	t->ctx = ctx;
	tty_fd_open(&t->in, in, O_RDONLY);
	tty_fd_open(&t->out, out, O_WRONLY);
	t->term = t->in.terminal ? in : -1;
	t->size = t->out.terminal ? out : t->term;
	return t;
}

const char *tty_path(const struct tty *t)
{
	return t->end == TTY_PTY ? t->pty_path : NULL;
}

bool tty_connected(const struct tty *t)
{
	return t->end != TTY_UNIX || t->listener.peer;
}

/* loop_want() leaves a source asleep that the loop cannot watch */
static int tty_watch(struct tty *t)
{
	struct loop_source *own[] = {&t->wake_source, &t->again_source, &t->hold_source};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		loop_want(t->loop, own[i], EPOLLIN);
		if (!own[i]->events)
			return -ENOSPC;
	}
	if (t->end == TTY_STDIO && t->size >= 0)
		tty_mode_start(t->term, t->out.terminal, t->wake_source.fd);
	return t->end == TTY_UNIX ? tty_unix_start(t) : tty_in_start(t);
}

int tty_start(struct tty *t, struct tty_client *c, struct err *e)
{
	struct loop_source *all[TTY_SOURCES];
	bool resting = t->resting;
	int rc;

	t->client = c;
	t->started = true;
	t->resting = false;
	tty_sources(t, all);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		all[i]->dev = c ? c->dev : NULL;
	t->left.dev = c ? c->dev : NULL;
	t->in_source.fd = t->in.fd;
	t->out_source.fd = t->out.fd;
	rc = tty_watch(t);
	if (rc < 0)
		return err_set(e, -rc,
			       "%s: the event loop cannot watch it: %s; see "
			       "/proc/sys/fs/epoll/max_user_watches",
			       t->label, strerror(-rc));
	if (resting)
		tty_rest(t);
	return 0;
}

void tty_set_watcher(struct tty *t, void (*fn)(void *ctx, const uint8_t *p, size_t n),
		     void *ctx)
{
	t->watch = fn;
	t->watch_ctx = ctx;
}

void tty_destroy(struct tty *t)
{
	if (!t)
		return;

	struct loop_source *timers[] = {&t->turn_source, &t->wake_source,
					&t->again_source, &t->hold_source};

	loop_unpost(t->loop, &t->left);
	loop_unpost(t->loop, &t->hold);
	tty_out_drain(t, t->nobody ? 0 : TTY_DRAIN_MS);
	if (t->end == TTY_STDIO)
		tty_mode_stop();
	tty_unix_destroy(t);
	tty_file_destroy(t);
	if (t->slave >= 0)
		close(t->slave);
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

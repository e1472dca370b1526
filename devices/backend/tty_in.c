/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_in - console input.
 *
 * From a terminal we go on reading even when the guest does not, or Ctrl-A x could not end a
 * guest that hangs; bytes that it does not take within TTY_LOOK_AGAIN_NS are dropped then. From
 * pipes and files we read only as much as the client has room for.
 */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "devices/backend/tty_mode.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/thread.h"
#include "vmm/core/util.h"

#define TTY_LOOK_AGAIN_NS 500000000
#define TTY_PIECE         4096
#define TTY_BURST         16   /* pieces of a stream before others have a turn */
#define TTY_ESCAPE        0x01 /* Ctrl-A */

static const char tty_help[] =
	"\r\nmicrovm: Ctrl-A x ends the machine, Ctrl-A Ctrl-A sends "
	"Ctrl-A, Ctrl-A h is this help\r\n";

static void tty_say_help(struct tty *t)
{
	if (t->out.terminal)
		(void)tty_write(t, (const uint8_t *)tty_help, sizeof(tty_help) - 1);
	else
		(void)write_unless_stuck(STDERR_FILENO, tty_help, sizeof(tty_help) - 1,
					 0);
}

/* Typed bytes: escapes are ours, the rest is held for the client while there is room. */
static void tty_typed(struct tty *t, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool escaped = t->escaped;

		t->escaped = !escaped && p[i] == TTY_ESCAPE;
		if (t->escaped)
			continue;
		if (escaped && p[i] == 'x')
			t->quit(t->ctx);
		else if (escaped && p[i] == 'h')
			tty_say_help(t);
		if (escaped && p[i] != TTY_ESCAPE)
			continue;
		if (t->nheld < TTY_HELD_MAX)
			t->held[t->nheld++] = p[i];
	}
}

static void tty_give_held(struct tty *t)
{
	struct tty_client *c = t->client;

	if (!c)
		t->nheld = 0;
	while (t->nheld && !t->resting) {
		size_t n = MIN(t->nheld, c->input_room(c));

		if (!n)
			return;
		c->input(c, t->held, n);
		t->nheld -= n;
		memmove(t->held, t->held + n, t->nheld);
		t->dropping = false;
	}
}

static void tty_end_input(struct tty *t)
{
	t->eof = true;
	if (t->end == TTY_UNIX)
		tty_unix_eof(t);
	else
		tty_want(t, &t->in_source, 0);
}

/* The terminal is another job's, or the guest takes nothing: stop reading, check again soon. */
static void tty_look_again(struct tty *t)
{
	tty_want(t, &t->in_source, 0);
	loop_timer_set(&t->again_source, TTY_LOOK_AGAIN_NS);
}

static void tty_read_terminal(struct tty *t)
{
	uint8_t buf[512];
	/* at rest the guest takes nothing, but our own keys work */
	bool drop = t->dropping || t->resting;
	size_t room = drop ? sizeof(buf) : TTY_HELD_MAX - t->nheld;
	ssize_t n;

	if (!room || !tty_mode_raw()) {
		tty_look_again(t);
		return;
	}
	n = tty_fd_read(&t->in, buf, MIN(room, sizeof(buf)));
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		tty_end_input(t);
		return;
	}
	tty_typed(t, buf, (size_t)n);
	tty_give_held(t);
}

/* Return: bytes that the client has got */
static size_t tty_read_piece(struct tty *t)
{
	struct tty_client *c = t->client;
	size_t room = c ? c->input_room(c) : 0;
	uint8_t buf[TTY_PIECE];
	ssize_t n;

	if (!room) {
		if (t->end == TTY_UNIX)
			tty_unix_rest(t);
		else
			tty_want(t, &t->in_source, 0);
		return 0;
	}
	n = tty_fd_read(&t->in, buf, MIN(room, sizeof(buf)));
	if (n == -EAGAIN)
		return 0;
	if (n <= 0) {
		tty_end_input(t);
		return 0;
	}
	c->input(c, buf, (size_t)n);
	return (size_t)n;
}

/* Linux receives into pages: a turn of the loop for each would be half of the work */
static void tty_read_stream(struct tty *t)
{
	unsigned int i = 0;
	size_t n;

	do
		n = tty_read_piece(t);
	while (t->pollable && n == TTY_PIECE && ++i < TTY_BURST);
	if (!t->pollable && n)
		tty_want(t, &t->turn_source, EPOLLOUT);
}

void tty_on_in(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, in_source);

	if (t->term >= 0)
		tty_read_terminal(t);
	else if (!(events & EPOLLIN) && t->end == TTY_UNIX)
		tty_unix_hung(t, events);
	else
		tty_read_stream(t);
}

/* The client has room: give it held bytes, or a piece of a file that cannot be polled. */
void tty_on_turn(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, turn_source);

	(void)events;
	tty_want(t, s, 0);
	tty_give_held(t);
	if (t->eof)
		return;
	if (t->pollable)
		tty_want(t, &t->in_source, EPOLLIN);
	else
		tty_read_stream(t);
}

void tty_on_again(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, again_source);
	uint64_t v;

	(void)events;
	(void)!read(s->fd, &v, sizeof(v));
	if (t->end == TTY_UNIX)
		tty_unix_again(t);
	if (t->eof || t->term < 0)
		return;
	tty_give_held(t);
	if (tty_mode_raw()) {
		t->dropping = t->nheld == TTY_HELD_MAX;
		tty_want(t, &t->in_source, EPOLLIN);
	} else {
		tty_look_again(t);
	}
}

void tty_input_wanted(struct tty *t)
{
	if (!t->nheld && t->eof)
		return;
	if (thread_is_vcpu()) {
		t->left_input = true;
		loop_post(t->loop, &t->left);
	} else {
		tty_want(t, &t->turn_source, EPOLLOUT);
	}
}

int tty_in_start(struct tty *t)
{
	int rc;

	t->eof = t->in.kind == TTY_FD_NONE;
	if (t->eof)
		return 0;
	t->in_source.events = EPOLLIN;
	rc = loop_add(t->loop, &t->in_source);
	t->pollable = rc == 0;
	if (rc < 0)
		t->in_source.events = 0;
	if (rc < 0 && rc != -EPERM) /* a file is read by turns, but this is no file */
		return rc;
	if (!t->pollable)
		tty_want(t, &t->turn_source, EPOLLOUT);
	else if (t->term >= 0 && !tty_mode_raw())
		tty_look_again(t);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_out - console output.
 *
 * A serial port gives one byte at a time, so bytes are held in a ring and written at the end of a
 * line, when there are many, or TTY_HOLD_NS after the first: one system call a line, no wait that
 * a person could notice, and no timer without output. A client that writes messages is not held.
 *
 * The thread of a serial port's vCPU makes one system call, write(), on a descriptor that this does
 * not block on. For all else it has the loop's thread come (tty_leave()): a timer, epoll, a new
 * file, a socket, what failed. Until then output that cannot be written is @blocked.
 */
#include "devices/backend/tty_impl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/core/limits.h"
#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/thread.h"
#include "vmm/core/util.h"

#define TTY_HOLD_NS   2000000
#define TTY_NOBODY_NS 500000000   /* a full pty that nothing leaves has no reader */
#define TTY_FLUSH_AT  1024        /* bytes held that justify a system call */
#define TTY_STRAIGHT  256         /* a write of so many bytes bypasses the ring */
#define TTY_BURST_MAX (256 * KIB) /* bytes taken before the loop must have a turn */

static void tty_leave(struct tty *t)
{
	loop_post(t->loop, &t->left);
}

static void tty_block(struct tty *t, bool blocked)
{
	t->blocked = blocked;
	if (thread_is_vcpu())
		tty_leave(t);
	else
		tty_want(t, &t->out_source, blocked ? EPOLLOUT : 0);
}

/* A full disk may have space again, and a peer's end is noticed on the way in. */
static void tty_put_failed(struct tty *t, int error)
{
	bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
	const char *cure;

	if (t->end == TTY_UNIX)
		return;
	cure = limits_cure(error);
	if (!full || !t->told)
		log_warn("%s: output goes nowhere %s: %s%s%s", t->label,
			 full ? "until there is space" : "from now on", strerror(error),
			 cure ? "; " : "", cure ? cure : "");
	t->told |= full;
	if (full)
		return;
	tty_block(t, false);
	tty_fd_close(&t->out);
}

/* Would tty_put() of @n bytes take more than one write(), or one that a vCPU may not make? */
static bool tty_put_is_slow(const struct tty *t, size_t n)
{
	return (t->out.kind != TTY_FD_NONBLOCK && t->out.kind != TTY_FD_FILE) ||
	       t->file.anew || (t->file.max && t->file.len + n > t->file.max);
}

/* Return: bytes that went out or were dropped because there is no reader; 0: wait */
static size_t tty_put(struct tty *t, const uint8_t *p, size_t n)
{
	bool vcpu = thread_is_vcpu(), slow = vcpu && tty_put_is_slow(t, n);
	size_t room = slow ? 0 : tty_file_room(t, n);
	ssize_t k = room ? tty_fd_write(&t->out, p, room) : (ssize_t)n;

	if (slow || (vcpu && k < 0)) {
		tty_block(t, true);
		return 0;
	}
	if (k >= 0) {
		t->file.len += room ? (size_t)k : 0;
		return (size_t)k;
	}
	if (k == -EAGAIN) {
		tty_block(t, true);
		return 0;
	}
	tty_put_failed(t, (int)-k);
	return n;
}

static void tty_flush(struct tty *t)
{
	while (t->n) {
		size_t k =
			tty_put(t, t->ring + t->head, MIN(t->n, TTY_OUT_MAX - t->head));

		if (!k)
			return;
		t->head = (t->head + k) % TTY_OUT_MAX;
		t->n -= k;
	}
	t->head = 0;
}

/* Make room for new bytes: without a reader, keep the newest. */
static void tty_drop_oldest(struct tty *t, size_t n)
{
	size_t room = TTY_OUT_MAX - t->n, k = MIN(n > room ? n - room : 0, t->n);

	t->head = (t->head + k) % TTY_OUT_MAX;
	t->n -= k;
}

static size_t tty_hold(struct tty *t, const uint8_t *p, size_t n)
{
	size_t taken = 0;

	n = MIN(n, TTY_OUT_MAX - t->n);
	while (taken < n) {
		size_t at = (t->head + t->n) % TTY_OUT_MAX;
		size_t k = MIN(n - taken, TTY_OUT_MAX - at);

		memcpy(t->ring + at, p + taken, k);
		t->n += k;
		taken += k;
	}
	return taken;
}

static void tty_arm(struct tty *t, uint64_t ns)
{
	t->armed = true;
	if (thread_is_vcpu() && ns == TTY_HOLD_NS) {
		loop_post(t->loop, &t->hold);
	} else if (thread_is_vcpu()) {
		t->left_ns = ns;
		tty_leave(t);
	} else {
		loop_timer_set(&t->hold_source, ns);
	}
}

/* The client waits: where no event will end that, a timer does */
static void tty_refuse(struct tty *t)
{
	t->refused = true;
	if (!t->blocked) {
		tty_arm(t, 1); /* more than a fair share: others first, then go on */
	} else if (t->end == TTY_PTY && !t->armed) {
		t->moved = false;
		tty_arm(t, TTY_NOBODY_NS);
	}
}

static size_t tty_take(struct tty *t, const uint8_t *p, size_t n)
{
	size_t most = MIN(n, TTY_BURST_MAX - t->burst), taken = 0;

	if (t->nobody) {
		size_t skip = n > TTY_OUT_MAX ? n - TTY_OUT_MAX : 0;

		tty_drop_oldest(t, n - skip);
		(void)tty_hold(t, p + skip, n - skip);
		return n;
	}
	if (t->out.kind == TTY_FD_NONE)
		return n;
	if (!t->n && !t->blocked && most >= TTY_STRAIGHT)
		taken = tty_put(t, p, most);
	taken += tty_hold(t, p + taken, most - taken);
	if (!t->blocked && ((t->client && t->client->whole) || t->n >= TTY_FLUSH_AT ||
			    memchr(p, '\n', taken)))
		tty_flush(t);
	if (taken < most) /* one more time: the ring may be empty now */
		taken += tty_hold(t, p + taken, most - taken);
	t->burst += taken;
	if (taken < n)
		tty_refuse(t);
	else if (t->n && !t->blocked && !t->armed)
		tty_arm(t, TTY_HOLD_NS);
	return taken;
}

size_t tty_write(struct tty *t, const uint8_t *p, size_t n)
{
	size_t taken = tty_take(t, p, n);

	if (t->watch)
		t->watch(t->watch_ctx, p, taken);
	return taken;
}

size_t tty_write_room(struct tty *t)
{
	bool all = t->nobody || t->out.kind == TTY_FD_NONE;

	return all ? TTY_OUT_MAX : TTY_OUT_MAX - t->n;
}

static void tty_tell_room(struct tty *t)
{
	if (t->refused && t->client && tty_write_room(t) >= TTY_OUT_MAX / 2) {
		t->refused = false;
		t->client->output_room(t->client);
	}
}

void tty_on_out(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, out_source);
	size_t before = t->n;

	(void)events;
	t->burst = 0;
	tty_flush(t);
	if (t->n < before) {
		t->moved = true;
		t->nobody = false;
	}
	if (!t->n && t->blocked)
		tty_block(t, false);
	tty_tell_room(t);
}

void tty_on_hold(struct loop_source *s, uint32_t events)
{
	struct tty *t = container_of(s, struct tty, hold_source);
	uint64_t v;

	(void)events;
	(void)!read(s->fd, &v, sizeof(v));
	t->armed = false;
	t->burst = 0;
	if (!t->blocked)
		tty_flush(t);
	else if (t->end == TTY_PTY && t->refused && !t->moved)
		t->nobody = true;
	tty_tell_room(t);
	if (t->blocked && t->refused)
		tty_refuse(t);
}

/* What is blocked for real is found so again, by the loop */
void tty_do_left(struct tty *t)
{
	if (t->left_ns)
		loop_timer_set(&t->hold_source, t->left_ns);
	t->left_ns = 0;
	if (t->left_input)
		tty_input_wanted(t);
	t->left_input = false;
	if (t->blocked && !t->resting)
		tty_on_out(&t->out_source, 0);
}

/* Without the device's lock, which the vCPU's thread has when it posts this for each burst */
void tty_hold_soon(struct loop_task *task)
{
	loop_timer_set(&container_of(task, struct tty, hold)->hold_source, TTY_HOLD_NS);
}

void tty_on_left(struct loop_task *task)
{
	tty_do_left(container_of(task, struct tty, left));
}

void tty_out_open(struct tty *t)
{
	t->nobody = false;
	t->out_source.fd = t->out.fd;
	t->blocked = false;
	t->burst = 0;
	tty_flush(t);
}

void tty_out_forget(struct tty *t)
{
	tty_block(t, false);
	tty_fd_close(&t->out);
	t->head = t->n = 0;
	t->nobody = true;
	tty_tell_room(t);
}

void tty_out_push(struct tty *t)
{
	if (!t->blocked)
		tty_flush(t);
}

void tty_out_drain(struct tty *t, int ms)
{
	uint64_t end = monotonic_ns() + (uint64_t)ms * 1000000;

	tty_flush(t);
	while (t->n) {
		struct pollfd p = {.fd = t->out.fd, .events = POLLOUT};
		uint64_t now = monotonic_ns();

		if (now >= end || poll(&p, 1, (int)((end - now) / 1000000) + 1) == 0)
			return;
		tty_flush(t);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_terminal - our terminal, while the job has it: raw, and of a size that the job is told.
 *
 * It becomes raw when the job has begun: until then Ctrl-C is a signal, and ends the start. The
 * broker restores it if this process dies (vmm/jail/broker.c).
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/tty_mode.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"
#include "vmm/job/job_session.h"

#define TERMINAL_AGAIN_NS 500000000

void job_terminal_size(int fd, uint16_t *rows, uint16_t *cols)
{
	struct winsize ws = {0};

	if (fd >= 0)
		(void)ioctl(fd, TIOCGWINSZ, &ws);
	*rows = ws.ws_row ? ws.ws_row : 24;
	*cols = ws.ws_col ? ws.ws_col : 80;
}

/* Raw if it is ours.  In the background another job of the shell's has it: look again */
static void terminal_take(struct job_session *s)
{
	struct job_terminal *t = &s->terminal;

	t->raw = tty_mode_raw();
	if (!t->raw)
		loop_timer_set(&t->again, TERMINAL_AGAIN_NS);
}

static void on_again(struct loop_source *l, uint32_t events)
{
	struct job_session *s = container_of(l, struct job_session, terminal.again);

	(void)events;
	(void)loop_timer_rang(l);
	terminal_take(s);
	job_session_pump(s);
}

static void on_wake(struct loop_source *l, uint32_t events)
{
	struct job_session *s = container_of(l, struct job_session, terminal.wake);
	eventfd_t n;

	(void)events;
	(void)eventfd_read(l->fd, &n);
	if (s->terminal.on && s->started_ns)
		terminal_take(s);
	s->resized = true;
	job_session_pump(s);
}

int job_terminal_open(struct job_session *s, int in, int out, struct err *e)
{
	struct job_terminal *t = &s->terminal;
	int rc;

	t->on = s->stdin_.fd.terminal;
	t->in = t->on ? in : -1;
	t->shown = s->out_[0].fd.terminal;
	t->size = t->shown ? out : t->in;
	t->wake = (struct loop_source){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				       .events = EPOLLIN,
				       .fn = on_wake};
	t->again.fn = on_again;
	rc = t->wake.fd < 0 ? -errno : loop_add(s->loop, &t->wake);
	if (rc == 0)
		rc = loop_timer_open(s->loop, &t->again);
	if (rc < 0)
		return err_set(e, -rc, "the terminal cannot be watched: %s",
			       strerror(-rc));
	return 0;
}

/* No filter allows it later, and a process that is not locked yet handles more signals */
void job_terminal_arm(struct job_session *s)
{
	if (s->terminal.wake.fd >= 0)
		tty_mode_start(s->terminal.in, s->terminal.shown, s->terminal.wake.fd);
}

void job_terminal_begin(struct job_session *s)
{
	if (s->terminal.on)
		terminal_take(s);
}

void job_terminal_close(struct job_session *s)
{
	struct job_terminal *t = &s->terminal;

	if (t->wake.fd < 0)
		return;
	tty_mode_stop();
	t->raw = false;
	loop_del(s->loop, &t->wake);
	loop_del(s->loop, &t->again);
	cleanup_close_fd(&t->wake.fd);
	cleanup_close_fd(&t->again.fd);
	t->wake.fd = t->again.fd = -1;
}

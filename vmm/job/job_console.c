/* SPDX-License-Identifier: Apache-2.0 */
/* job_console - what the guest's kernel prints. */
#include "vmm/job/job_console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define CONSOLE_LINES 24  /* that are told */
#define CONSOLE_WIDTH 160 /* of each, at most */

int job_console_pipe(struct job_console *c, int *end, struct err *e)
{
	int fd[2];

	c->source.fd = *end = -1;
	if (pipe2(fd, 0) < 0)
		return err_set(e, errno, "no pipe for the kernel's console: %s",
			       strerror(errno));
	c->source.fd = fd[0];
	*end = fd[1];
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) == 0 &&
	    fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	return err_set(e, errno, "no pipe for the kernel's console: %s", strerror(errno));
}

/* A guest's bytes do nothing to the operator's terminal */
static char printable(char c)
{
	return c == '\n' || (c >= ' ' && c < 0x7f) ? c : c == '\t' ? ' ' : '?';
}

static void console_take(struct job_console *c, char *p, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r') {
			p[k] = printable(p[i]);
			c->kept[c->n++ % JOB_CONSOLE_KEPT] = p[k++];
		}
	if (c->shown && k)
		(void)write_unless_stuck(STDERR_FILENO, p, k, 0);
}

static bool console_read(struct job_console *c)
{
	char buf[4096];
	ssize_t n = read(c->source.fd, buf, sizeof(buf));

	if (n == 0) /* the console is gone, and would be so for ever */
		loop_want(c->loop, &c->source, 0);
	if (n <= 0)
		return false;
	if (c->heard)
		c->heard(c->ctx, (const uint8_t *)buf, (size_t)n);
	console_take(c, buf, (size_t)n);
	return true;
}

static void console_on_output(struct loop_source *s, uint32_t events)
{
	(void)events;
	(void)console_read(container_of(s, struct job_console, source));
}

int job_console_open(struct job_console *c, struct loop *l, struct err *e)
{
	int rc;

	c->loop = l;
	c->source.events = EPOLLIN;
	c->source.fn = console_on_output;
	rc = loop_add(l, &c->source);
	return rc < 0 ? err_set(e, -rc, "the kernel's console cannot be watched: %s",
				strerror(-rc))
		      : 0;
}

void job_console_close(struct job_console *c)
{
	if (c->loop)
		loop_del(c->loop, &c->source);
	c->loop = NULL;
	cleanup_close_fd(&c->source.fd);
	c->source.fd = -1;
}

/* Where the last lines begin, of what is kept */
static size_t console_first(const struct job_console *c)
{
	size_t least = c->n > JOB_CONSOLE_KEPT ? c->n - JOB_CONSOLE_KEPT : 0, at = c->n;

	for (unsigned int lines = 0; at > least; at--) {
		if (c->kept[(at - 1) % JOB_CONSOLE_KEPT] == '\n' && at != c->n &&
		    ++lines == CONSOLE_LINES)
			break;
	}
	return at;
}

bool job_console_drain(struct job_console *c)
{
	size_t before = c->n;

	while (c->loop && console_read(c))
		;
	return c->n != before;
}

bool job_console_tell(struct job_console *c)
{
	char line[64 + CONSOLE_WIDTH];
	size_t at, n = 0, head;

	(void)job_console_drain(c);
	if (c->shown || !c->n)
		return false;
	head = (size_t)snprintf(line, 64, "%s: console: ", log_prefix());
	for (at = console_first(c); at < c->n; at++) {
		char byte = c->kept[at % JOB_CONSOLE_KEPT];

		if (byte != '\n' && n < CONSOLE_WIDTH - 1)
			line[head + n++] = byte;
		if (n && (byte == '\n' || at + 1 == c->n)) {
			line[head + n] = '\n';
			(void)write_unless_stuck(STDERR_FILENO, line, head + n + 1, 0);
			n = 0;
		}
	}
	return true;
}

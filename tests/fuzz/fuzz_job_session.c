/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_job_session - any bytes of an agent, in pieces, to a job's session on the host, with stdin that
 * never ends, a stdout that takes all and a stderr that takes nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/lib/driver.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/job/job_session.h"

#define PIECES 64

static struct driver d;
static struct job_text machine, job;
static int stdio[3], stuck[2];

static void fuzz_over(void *ctx, const struct exit_verdict *v)
{
	unsigned int *ends = ctx;

	BUG_ON(++*ends > 1 || v->status < 0 || v->status > 255);
}

static void fuzz_make(void)
{
	struct err e;

	log_threshold = LOG_ERROR;
	(void)signal(SIGPIPE, SIG_IGN);
	driver_init(&d, MIB);
	stdio[0] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	stdio[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	BUG_ON(stdio[0] < 0 || stdio[1] < 0 || pipe2(stuck, O_CLOEXEC) < 0);
	stdio[2] = stuck[1];
	BUG_ON(fcntl(stuck[1], F_SETPIPE_SZ, 4096) < 0);
	BUG_ON(job_text_add(&machine, &e, "root=virtiofs:root") < 0 ||
	       job_text_add(&job, &e, "arg=/bin/true") < 0);
}

static void fuzz_drain(int fd)
{
	static uint8_t buf[65536];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
}

/* The first byte says how long the pieces are, and which signals come between them.  Each piece is some
 * fifty system calls, so there are not many
 */
static void fuzz_session(struct job_session *s, int peer, const uint8_t *p, size_t n)
{
	size_t piece = n ? MAX(1U << (p[0] & 15), n / PIECES) : 1;
	bool signals = n && p[0] & 0x80;

	while (n && !s->over) {
		ssize_t k = send(peer, p, MIN(n, piece), MSG_DONTWAIT | MSG_NOSIGNAL);

		driver_settle(&d);
		fuzz_drain(peer);
		if (k <= 0)
			break;
		if (signals)
			(void)job_session_signal(s, *p);
		p += k;
		n -= (size_t)k;
		for (unsigned int i = 0; i < ARRAY_SIZE(s->out_); i++)
			BUG_ON(s->out_[i].n > AGENT_WINDOW ||
			       s->out_[i].credit > AGENT_WINDOW);
		BUG_ON(s->stdin_.credit > AGENT_WINDOW);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct job_session s;
	unsigned int ends = 0;
	const struct job_start start = {.machine = &machine,
					.job = &job,
					.stop_timeout_ns = 1000000000,
					.late_ns = 1000000000,
					.over = fuzz_over,
					.ctx = &ends};
	struct err e;
	int pair[2];

	if (!d.loop)
		fuzz_make();
	BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0);
	memset(&s, 0, sizeof(s));
	BUG_ON(job_session_open(&s, &start, d.loop, pair[0], stdio, &e) < 0);
	fuzz_session(&s, pair[1], data, size);
	job_session_close(&s);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_peer - an agent that follows a script, at the other end of a job's session.
 *
 * For one .c file a program, which has the session's streams in pipes: what the test writes to
 * stdin_end is the session's stdin, and so on.
 */
#ifndef MICROVM_TESTS_JOB_PEER_H
#define MICROVM_TESTS_JOB_PEER_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/driver.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/job/job_session.h"

static struct driver d; /* for its loop */
static struct job_session s;
static struct job_start start;
static struct job_text machine, job;
static struct exit_verdict verdict;
static bool ended;
static struct err err;

static int peer = -1;                         /* the agent's end */
static int wire = -1, ours[3] = {-1, -1, -1}; /* the session's */
static int stdin_end = -1, stdout_end = -1, stderr_end = -1;
static struct agent_reader heard;
static struct agent_writer said;

static void peer_over(void *ctx, const struct exit_verdict *v)
{
	(void)ctx;
	ck_assert(!ended);
	ended = true;
	verdict = *v;
}

static void peer_pipe(int *in, int *out)
{
	int fd[2];

	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	*in = fd[0];
	*out = fd[1];
}

static void peer_open(void)
{
	int pair[2];

	log_threshold = LOG_ERROR;
	(void)signal(SIGPIPE, SIG_IGN); /* as main() has it */
	driver_init(&d, MIB);
	memset(&s, 0, sizeof(s));
	memset(&heard, 0, sizeof(heard));
	memset(&said, 0, sizeof(said));
	heard.from = AGENT_HOST;
	ended = false;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	wire = pair[0];
	peer = pair[1];
	ck_assert_int_eq(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	peer_pipe(&ours[0], &stdin_end);
	peer_pipe(&stdout_end, &ours[1]);
	peer_pipe(&stderr_end, &ours[2]);
	ck_assert_int_eq(fcntl(stdout_end, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(job_text_add(&machine, &err, "root=virtiofs:root"), 0);
	ck_assert_int_eq(job_text_add(&job, &err, "arg=/bin/true"), 0);
	start = (struct job_start){.machine = &machine,
				   .job = &job,
				   .stop_timeout_ns = UINT64_C(60000000000),
				   .late_ns = UINT64_C(60000000000),
				   .over = peer_over};
}

static void peer_begin(void)
{
	ck_assert_msg(job_session_open(&s, &start, d.loop, wire, ours, &err) == 0, "%s",
		      err.msg);
}

static void peer_close(void)
{
	int *all[] = {&peer,    &wire,      &ours[0],    &ours[1],
		      &ours[2], &stdin_end, &stdout_end, &stderr_end};

	job_session_close(&s);
	job_text_free(&machine);
	job_text_free(&job);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		cleanup_close_fd(all[i]);
		*all[i] = -1;
	}
	driver_fini(&d);
}

/* All that was put into @said goes over the wire, and the session takes it */
static void peer_send(void)
{
	const uint8_t *p;
	size_t n;

	while (p = agent_unsent(&said, &n), n) {
		ssize_t k = send(peer, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k > 0)
			agent_wrote(&said, (size_t)k);
		driver_settle(&d);
		if (ended)
			return;
	}
	driver_settle(&d);
}

/* The next frame that the session says; false: it says none */
static bool peer_hear(struct agent_frame *f)
{
	for (unsigned int i = 0; i < 1000; i++) {
		uint8_t *p;
		size_t room;
		ssize_t n;
		int rc = agent_next(&heard, f);

		ck_assert_int_ge(rc, 0);
		if (rc > 0)
			return true;
		driver_settle(&d);
		room = agent_room(&heard, &p);
		n = recv(peer, p, room, MSG_DONTWAIT);
		if (n <= 0)
			return false;
		agent_got(&heard, (size_t)n);
	}
	return false;
}

/* Up to the beginning of the job */
static void peer_greet(void)
{
	const struct agent_hello hello = {.version = AGENT_VERSION};

	ck_assert(agent_put_hello(&said, AGENT_GUEST, &hello));
	ck_assert(agent_put(&said, AGENT_READY, 0, 0, NULL, 0));
	ck_assert(agent_put_u32(&said, AGENT_STARTED, JOB_SESSION, 0, 2));
	peer_send();
	ck_assert(!ended);
}

#endif

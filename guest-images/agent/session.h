/* SPDX-License-Identifier: Apache-2.0 */
/* session - the jobs' frames and streams: what the host says of a session, and what the job writes */
#ifndef MICROVM_AGENT_SESSION_H
#define MICROVM_AGENT_SESSION_H

#include <poll.h>
#include <sys/types.h>

#include "guest-images/agent/agent.h"

#define SESSION_POLLS (AGENT_SESSIONS * 5) /* that sessions_poll() fills in, at most */

/* A frame for a session.  @out has space (agent_space()). */
void sessions_frame(struct agent_writer *out, const struct agent_frame *f);

/* What the sessions wait for.  Return: how many of @fds are filled in */
unsigned int sessions_poll(struct agent_writer *out, struct pollfd *fds);

/* Do for each session what can be done without waiting */
void sessions_run(struct agent_writer *out);

/* A child of ours has ended; @status is waitpid()'s */
void sessions_reaped(struct agent_writer *out, pid_t pid, int status);

/*
 * session_ended.c: @exit is of a job whose command had the status @status of waitpid(), in cgroup
 * @number; @asked: the host has sent it SIGKILL
 */
void session_ended(struct agent_exit *exit, int status, bool asked, unsigned int number);

#endif

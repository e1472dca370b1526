/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_session - a job's session with the agent in the guest (docs/agent.md): the host's end.
 *
 * All of it happens on the machine's loop, in the process that is locked up. Whatever the agent sends
 * is checked; what it may not send is the session's end. Memory is bounded: two windows, a frame or
 * two each way, and the texts.
 */
#ifndef MICROVM_JOB_SESSION_H
#define MICROVM_JOB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-images/agent/proto.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"
#include "vmm/job/job_copy.h"
#include "vmm/job/job_stdio.h"
#include "vmm/job/job_text.h"
#include "vmm/machine/exit.h"

#define JOB_SESSION     1   /* its number: a machine has one job */
#define JOB_STATUS_OURS 125 /* of what is not the job's, as docker has it */

/* What the session needs to begin; outlives it */
struct job_start {
	const struct job_text *machine, *job;
	const struct job_copier *copier; /* NULL: nothing is copied out */
	bool terminal;                   /* the job has one, of our terminal's size */
	uint64_t stop_timeout_ns;        /* from SIGTERM to the machine's end; 0: none */
	int stop_signal;                 /* that the job gets for it; 0: the same */
	uint64_t late_ns; /* a job that has not begun by then is worth a word */
	bool greeting; /* the agent's greeting is the end of it: the guest has booted */
	/* the job printed this on its stdout; NULL: not wanted */
	void (*printed)(void *ctx, const uint8_t *p, size_t n);
	/* the session is over, and the machine is to end with this verdict. Called once; not after
	 * job_session_close()
	 */
	void (*over)(void *ctx, const struct exit_verdict *v);
	void *ctx; /* of both */
};

/* Our terminal, if the job has one and stdin is one (job_terminal.c) */
struct job_terminal {
	bool on;    /* there is one */
	bool raw;   /* it is the job's: not while another job of the shell's has it */
	int in;     /* it, or -1 */
	bool shown; /* our output goes there as well */
	int size;   /* whose size the job's terminal has; -1: none */
	struct loop_source wake;  /* the size has changed, or we go on after a stop */
	struct loop_source again; /* look whether it is ours again */
};

/* What the copier says of what is copied out (job_copied.c) */
struct job_copied {
	struct loop_source source;
	bool begun; /* some of the archive came */
	bool came;  /* its whole answer */
	bool shut;  /* it was told that no more comes */
	size_t n;
	char text[AGENT_SENTENCE + 1];
};

struct job_session {
	const struct job_start *start;
	struct loop *loop;
	struct tty_fd fd;
	struct loop_source wire, stop, late;
	struct agent_reader in;
	struct agent_writer out;
	size_t machine_said, job_said; /* bytes of the texts */
	bool made, begun;              /* MADE and START are said */
	/* when the agent's HELLO, READY, STARTED and EXIT came; 0: not yet. We end after EXIT, when the
	 * streams are written out
	 */
	uint64_t greeted_ns, ready_ns, started_ns, exited_ns;
	bool over;
	bool stopping;    /* SIGTERM came before */
	bool worried;     /* it was said that the job has not begun */
	bool resized;     /* to be said */
	uint64_t signals; /* a bit for each, to be said */
	struct agent_exit exit;
	struct job_in stdin_;
	struct job_out out_[3]; /* stdout, stderr, what is copied out */
	struct job_copied copied;
	struct job_terminal terminal;
};

/* job_session_open() - begin a session over the stream socket @wire, which stays the caller's, with
 * @stdio as its streams. @s is zeroed; @loop outlives it.
 * Return: 0, or -errno in @e; job_session_close() in either case
 */
int job_session_open(struct job_session *s, const struct job_start *start,
		     struct loop *loop, int wire, const int stdio[3], struct err *e);
void job_session_close(struct job_session *s);
/* job_session_signal() - @sig was sent to us.  Return: the session has taken it */
bool job_session_signal(struct job_session *s, int sig);
/* job_session_pump() - say what is to be said, as far as the guest takes it */
void job_session_pump(struct job_session *s);
/* job_session_end() - the session is over with @v */
void job_session_end(struct job_session *s, const struct exit_verdict *v);

/* job_copied.c: hear the copier; is all said and done, or will it not be; after whatever end, and before
 * the session is closed, say in @v what did not come
 */
int job_copied_open(struct job_session *s, struct err *e);
void job_copied_close(struct job_session *s);
bool job_copied_done(struct job_session *s);
void job_copied_tell(const struct job_session *s, struct exit_verdict *v);

/* job_terminal.c: find out about the terminal; once the process is locked, handle its signals; make
 * it raw, for a job that has begun; give it back
 */
int job_terminal_open(struct job_session *s, int in, int out, struct err *e);
void job_terminal_arm(struct job_session *s);
void job_terminal_begin(struct job_session *s);
void job_terminal_close(struct job_session *s);
/* job_terminal_size() - 24 and 80 where there is none */
void job_terminal_size(int fd, uint16_t *rows, uint16_t *cols);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* job - start a session's job in namespaces of its own */
#ifndef MICROVM_AGENT_JOB_H
#define MICROVM_AGENT_JOB_H

#include <sys/types.h>

#include "guest-images/agent/spec.h"

/* What the reaper says on @ctl, a SOCK_SEQPACKET; it may be a job's doing, so anything */
enum note_what { NOTE_STARTED, NOTE_ENDED, NOTE_CANNOT };
struct note {
	uint32_t what;
	uint32_t
		status; /* STARTED: the process; ENDED: waitpid()'s; CANNOT: 125, 126 or 127 */
	char sentence[AGENT_SENTENCE + 1];
};

struct job {
	pid_t reaper;
	int ctl; /* notes come out, signals go in, a byte each */
	int in, out,
		err; /* our ends of its streams, or -1; with a terminal @in and @out are its master */
	int slave; /* of the terminal: kept, so that it is there until the job is gone; or -1 */
};

/*
 * Start the job of @s, in the cgroup of @number.  All descriptors are non-blocking and the caller's.
 * Return: was its reaper started?  If not, @why says what failed.
 */
bool job_start(struct job *job, const struct spec *s, unsigned int number,
	       char why[AGENT_SENTENCE + 1]);

/* job_run.c: become the job @s, in its namespaces, with its streams at 0, 1 and 2.  It comes back if
 * that failed, and @note says why. */
void job_run(const struct spec *s, struct note *note);

#endif

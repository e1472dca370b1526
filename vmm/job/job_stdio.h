/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_stdio - our stdin, stdout and stderr, as the job's streams.
 *
 * No call of ours waits for them, and no flag of theirs changes: other processes have them as well
 * (devices/backend/tty_fd.h). What stdout does not take is kept, a window at most; the job has no
 * credit for more. Loop thread.
 */
#ifndef MICROVM_JOB_STDIO_H
#define MICROVM_JOB_STDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/backend/tty_fd.h"
#include "guest-images/agent/proto.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"

/* stdout, stderr, or the copier's socket */
struct job_out {
	struct loop *loop;
	unsigned int nr; /* which of these */
	struct tty_fd fd;
	struct loop_source source; /* writable again */
	uint8_t *ring;             /* AGENT_WINDOW bytes */
	size_t head, n;
	uint32_t credit; /* bytes that the guest may still send */
	uint32_t owed;   /* bytes that went out since the last credit */
	bool ended;      /* its end came */
	bool gone;       /* nobody reads it: what comes is dropped */
	bool broken;     /* and that is a reader's end, not a full disk */
	void (*moved)(
		struct job_out *o); /* some of @ring went out, or the reader is gone */
};

/* job_out_open() - the @nr-th, over @fd, which stays the caller's.  Return: 0, or -errno in @e;
 * job_out_close() in either case
 */
int job_out_open(struct job_out *o, struct loop *l, unsigned int nr, int fd,
		 void (*moved)(struct job_out *o), struct err *e);
void job_out_close(struct job_out *o);
/* job_out_put() - @n bytes from the guest.  Return: false, it had no credit for them */
bool job_out_put(struct job_out *o, const uint8_t *p, size_t n);

struct job_in {
	struct loop *loop;
	struct tty_fd fd;
	struct loop_source source; /* readable */
	bool file;                 /* it always is: epoll does not take it */
	uint32_t credit;           /* bytes that the guest takes */
	bool ended;
	void (*ready)(struct job_in *in);
};

/* job_in_open() - over @fd, which stays the caller's; @ready is called when there is something to
 * read, while that is wanted. Return: 0, or -errno in @e; job_in_close() in either case
 */
int job_in_open(struct job_in *in, struct loop *l, int fd,
		void (*ready)(struct job_in *in), struct err *e);
void job_in_close(struct job_in *in);
/* job_in_want() - call @ready when there is something to read, or do not */
void job_in_want(struct job_in *in, bool want);
/* job_in_read() - at most @n bytes.  Return: how many; 0: that was its end; -EAGAIN: none now */
long job_in_read(struct job_in *in, uint8_t *p, size_t n);

#endif

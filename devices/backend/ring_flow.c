/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ring_flow - what goes to the kernel, and what comes back from it.
 *
 * If the kernel takes no submissions (most likely it is out of memory), a timer tries again, less
 * and less often; after patience_ms, all that it did not take fails, and so do later ones unless
 * it takes them at once.
 */
#include "devices/backend/ring_impl.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

/* ---- completions ---- */

/* Lock held */
static void ring_ready(struct ring *r, struct ring_user *u)
{
	if (u->ready)
		return;
	u->ready = true;
	u->next_ready = r->ready;
	r->ready = u;
}

/* There is room again: call the users that wait for it. Lock held */
static void ring_feed(struct ring *r)
{
	if (!r->starved)
		return;
	r->starved = false;
	for (uint64_t left = r->files; left; left &= left - 1) {
		struct ring_user *u = r->user[__builtin_ctzll(left)];

		if (u->starved)
			ring_ready(r, u);
		u->starved = false;
	}
}

/* Put @op on its user's list. Lock held */
static void ring_came(struct ring *r, struct ring_op *op, int res)
{
	struct ring_user *u = op->user;

	op->res = res;
	op->next = NULL;
	if (u->first)
		u->last->next = op;
	else
		u->first = op;
	u->last = op;
	u->inflight--;
	ring_ready(r, u);
}

void ring_reap(struct ring *r)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	if (IO_URING_READ_ONCE(*r->uring.sq.kflags) &
	    (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))
		(void)io_uring_get_events(&r->uring);
	io_uring_for_each_cqe(&r->uring, head, cqe)
	{
		struct ring_op *op = io_uring_cqe_get_data(cqe);

		ring_came(r, op, ring_sys->result(op, cqe->res));
		n++;
	}
	io_uring_cq_advance(&r->uring, n);
}

struct ring_op *ring_take(struct ring *r, struct ring_user *u)
{
	struct ring_op *list = u->first;
	struct ring_user **at = &r->ready;

	while (u->ready && *at != u)
		at = &(*at)->next_ready;
	if (u->ready)
		*at = u->next_ready;
	u->ready = false;
	u->first = u->last = NULL;
	return list;
}

/* ---- submissions ---- */

/* The kernel reads the ring only in calls */
void ring_withdraw(struct ring *r, int res)
{
	struct io_uring_sq *sq = &r->uring.sq;
	unsigned int head = *sq->khead;

	for (unsigned int i = head; i != sq->sqe_tail; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];

		ring_came(r, (struct ring_op *)(uintptr_t)sqe->user_data, res);
	}
	sq->sqe_head = sq->sqe_tail = head;
	*sq->ktail = head;
	ring_feed(r);
}

/* The kernel did not take everything. Lock held */
static void ring_refused(struct ring *r, int rc)
{
	static struct log_limit limit;
	uint64_t now = monotonic_ns();

	if (!r->refused) {
		r->refused = now;
		r->nap = 1;
	}
	if (now - r->refused >= ring_sys->patience_ms * 1000000ULL) {
		if (log_limit_ok(&limit))
			log_warn("the host's io_uring takes nothing: %s; requests fail",
				 strerror(-rc));
		ring_withdraw(r, RING_WITHDRAWN);
		return;
	}
	loop_timer_set(&r->again, r->nap * UINT64_C(1000000));
}

bool ring_push(struct ring *r)
{
	while (io_uring_sq_ready(&r->uring)) {
		int rc = ring_sys->submit(&r->uring);

		if (rc <= 0) {
			ring_refused(r, rc ? rc : -EAGAIN);
			return false;
		}
		r->refused = 0;
	}
	ring_feed(r);
	return true;
}

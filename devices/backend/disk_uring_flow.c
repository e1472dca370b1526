/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_uring_flow - requests of a disk on their way through an io_uring.
 *
 * Theory of operation. Staged requests go to the kernel in one call. A short transfer is
 * submitted again for its rest. Requests that need more than one kind of call (to free space,
 * direct I/O from unaligned buffers) go to the engine with blocking calls inside this one; but
 * this engine makes all data stable, whichever moved it, because only one fdatasync at a time may
 * run: of two that overlap, the kernel would report a lost page to only one. Flushes that come
 * meanwhile share the next one.
 */
#include "devices/backend/disk_uring_impl.h"

#include <errno.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define URING_TRIES 8 /* of EAGAIN and the like from the kernel, in a row */

static void uring_finish(struct disk_uring *en, struct disk_req *r, int rc)
{
	r->result = rc;
	disk_list_add(&en->finished, r);
}

/* The bytes of @r have been moved */
static void uring_moved(struct disk_uring *en, struct disk_req *r)
{
	if (r->durable)
		disk_list_add(&en->unsynced, r);
	else
		uring_finish(en, r, 0);
}

void uring_leave(struct disk_uring *en, struct disk_req *r)
{
	r->ring.res = r->durable; /* remembered */
	r->durable = false;
	disk_submit(&en->blocking, r);
}

/* ---- submitting: the ring locked ---- */

static void uring_prep(struct disk_uring *en, struct io_uring_sqe *sqe,
		       struct disk_req *r)
{
	int file = (int)en->user.file;

	if (r->op == DISK_READ && r->niov == 1)
		io_uring_prep_read(sqe, file, r->iov->iov_base,
				   (unsigned int)r->iov->iov_len, r->off);
	else if (r->op == DISK_READ)
		io_uring_prep_readv(sqe, file, r->iov, r->niov, r->off);
	else if (r->niov == 1)
		io_uring_prep_write(sqe, file, r->iov->iov_base,
				    (unsigned int)r->iov->iov_len, r->off);
	else
		io_uring_prep_writev(sqe, file, r->iov, r->niov, r->off);
	ring_set(sqe, &r->ring);
}

/* Return: can more follow? */
static bool uring_start_one(struct disk_uring *en, struct disk_req *r)
{
	struct io_uring_sqe *sqe = ring_get(en->ring, &en->user, &r->ring);

	if (sqe) {
		uring_prep(en, sqe, r);
		return true;
	}
	disk_list_push(&en->staged, r); /* uring_on_done() goes on */
	return false;
}

/* By the other engine; it still is the only one that runs */
static void uring_sync_leaves(struct disk_uring *en)
{
	en->flush = (struct disk_req){.op = DISK_FLUSH};
	disk_submit(&en->blocking, &en->flush);
	en->left = true;
}

static void uring_start_sync(struct disk_uring *en)
{
	struct io_uring_sqe *sqe;
	struct disk_req *r;

	if (en->sync_runs || !en->unsynced.n)
		return;
	if (en->sync_failed) {
		while ((r = disk_list_pop(&en->unsynced)))
			uring_finish(en, r, -EIO);
		return;
	}
	if (!en->alone) {
		sqe = ring_get(en->ring, &en->user, &en->sync);
		if (!sqe)
			return;
		io_uring_prep_fsync(sqe, (int)en->user.file, IORING_FSYNC_DATASYNC);
		ring_set(sqe, &en->sync);
	} else {
		uring_sync_leaves(en);
	}
	en->sync_runs = true;
	disk_list_move(&en->syncing, &en->unsynced);
}

static void uring_start(struct disk_uring *en)
{
	struct disk_req *r;
	bool go = true;

	while (go && (r = disk_list_pop(&en->staged))) {
		if (r->op == DISK_FLUSH)
			disk_list_add(&en->unsynced, r);
		else
			go = uring_start_one(en, r);
	}
	uring_start_sync(en);
}

/* ---- completions ---- */

/* Should it be tried again? A kernel that asks for that for ever would keep us from all other
 * work: @again counts the times in a row.
 */
static bool uring_again(int res, unsigned int *again)
{
	if (res == -EINTR || res == -EAGAIN)
		return ++*again < URING_TRIES;
	*again = 0;
	return false;
}

static void uring_synced(struct disk_uring *en, int res)
{
	struct disk_req *r;

	en->sync_runs = false;
	if (uring_again(res, &en->sync_again)) {
		disk_list_move(&en->unsynced, &en->syncing);
		return;
	}
	/* one that did not run lost nothing */
	if (res < 0 && res != -ECANCELED && res != RING_WITHDRAWN && !en->sync_again) {
		en->sync_failed = true;
		disk_log_sync_failed(en->d, res);
	}
	while ((r = disk_list_pop(&en->syncing)))
		uring_finish(en, r, res < 0 ? -EIO : 0);
}

/* Each try would cost the submitting thread milliseconds */
static void uring_stays_alone(struct disk_uring *en)
{
	if (!en->alone)
		log_warn(
			"disk %s: the host's kernel gets no thread for it: blocking calls from "
			"now on; raise ulimit -u, or the pids.max of the control group",
			en->d->path);
	en->alone = true;
	en->d->how = "sync";
}

static void uring_came(struct disk_uring *en, struct disk_req *r, int res)
{
	if (res > 0)
		disk_req_eat(r, MIN((size_t)res, r->len));
	if (res == 0 || res == RING_WITHDRAWN)
		res = -EIO; /* end of file (we know the size); or not even begun */
	if (uring_again(res, &r->again) || (res > 0 && r->len)) {
		disk_list_add(&en->staged, r);
	} else if (r->again || res == -ECANCELED) {
		if (res == -ECANCELED)
			uring_stays_alone(en);
		uring_leave(en, r);
		en->left = true;
	} else if (res < 0) {
		disk_log_failed(en->d, r->op, r->off, res);
		uring_finish(en, r, res);
	} else {
		uring_moved(en, r);
	}
}

/* Return: was there anything? */
static bool uring_take(struct disk_uring *en, struct ring_op *list)
{
	bool any = list != NULL;

	while (list) {
		struct ring_op *op = list;

		list = list->next;
		if (op == &en->sync && op->res == -ECANCELED) {
			uring_stays_alone(en);
			uring_sync_leaves(en);
		} else if (op == &en->sync) {
			uring_synced(en, op->res);
		} else {
			uring_came(en, container_of(op, struct disk_req, ring), op->res);
		}
	}
	return any;
}

void uring_go_on(struct disk_uring *en)
{
	struct ring_op *list;

	do {
		ring_lock(en->ring);
		uring_start(en);
		list = ring_submit(en->ring, &en->user);
		ring_unlock(en->ring);
	} while (uring_take(en, list));
	if (en->left) {
		en->left = false;
		disk_commit(&en->blocking);
	}
}

void uring_hand_back(struct disk_uring *en)
{
	struct disk_req *list = en->finished.head;

	en->finished = (struct disk_list){0};
	if (list)
		en->done(en->ctx, list);
}

void uring_on_done(struct ring_user *u, struct ring_op *list)
{
	struct disk_uring *en = container_of(u, struct disk_uring, user);

	(void)uring_take(en, list);
	uring_go_on(en);
	uring_hand_back(en);
}

void uring_on_blocking(void *ctx, struct disk_req *list)
{
	struct disk_uring *en = ctx;

	while (list) {
		struct disk_req *r = list;

		list = list->next;
		if (r == &en->flush) {
			uring_synced(en, r->result);
			continue;
		}
		r->durable = r->ring.res;
		if (r->result == 0)
			uring_moved(en, r);
		else
			uring_finish(en, r, r->result);
	}
	uring_go_on(en);
	uring_hand_back(en);
}

static void uring_drop(struct disk_uring *en, struct disk_list *l)
{
	struct disk_req *r;

	while ((r = disk_list_pop(l)))
		uring_finish(en, r, -ECANCELED);
}

void uring_stop(struct disk_uring *en)
{
	do { /* requests to repeat come back to where they waited */
		uring_drop(en, &en->staged);
		uring_drop(en, &en->unsynced);
	} while (uring_take(en, ring_wait(en->ring, &en->user)));
}

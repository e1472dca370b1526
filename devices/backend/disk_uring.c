/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_uring - the disk engine on an io_uring.
 *
 * Theory of operation. Staged requests go to the kernel in one call. A short transfer is
 * submitted again for its rest. Requests that need more than one kind of call (to free space,
 * direct I/O from unaligned buffers) go to the engine with blocking calls inside this one; but
 * this engine makes all data stable, whichever moved it, because only one fdatasync at a time may
 * run: of two that overlap, the kernel would report a lost page to only one. Flushes that come
 * meanwhile share the next one.
 */
#include "devices/backend/disk_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "devices/backend/disk_list.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* Bytes that one commit gives to the ring. The submitting thread, mostly the loop, copies what
 * the page cache has and pins all other pages: a guest can ask for 4 GiB at once, which took a
 * second. The rest goes to the other engine's threads.
 */
#define URING_ROOM        (4 * MIB)
#define URING_ROOM_DIRECT (64 * MIB)
#define URING_TRIES       8 /* of EAGAIN and the like from the kernel, in a row */

/* All under dev->lock */
struct disk_uring {
	struct disk *d;
	struct disk blocking; /* the same file, with the other engine; owns only that */
	struct ring *ring;
	struct ring_user user;
	bool live;     /* the ring has @user; else all goes to @blocking */
	uint64_t room; /* bytes left of this commit's */
	disk_done_fn done;
	void *ctx;

	struct disk_list staged;   /* to be started */
	struct disk_list finished; /* to be handed back */
	struct disk_list unsynced; /* wait for an fdatasync that begins after they came */
	struct disk_list syncing;  /* wait for the one that runs */
	struct ring_op sync;
	unsigned int sync_again;
	bool sync_runs, sync_failed;
	bool left; /* the other engine has staged requests that are not committed */
};

static bool uring_is_ours(struct disk_uring *en, const struct disk_req *r)
{
	if (r->op == DISK_FLUSH)
		return true;
	if ((r->op != DISK_READ && r->op != DISK_WRITE) || r->len > en->room ||
	    (en->d->direct && !disk_req_aligned(en->d, r)))
		return false;
	en->room -= r->len;
	return true;
}

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

/* @r goes to the other engine, and comes back through uring_on_blocking() */
static void uring_leave(struct disk_uring *en, struct disk_req *r)
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
	sqe = ring_get(en->ring, &en->user, &en->sync);
	if (!sqe)
		return;
	io_uring_prep_fsync(sqe, (int)en->user.file, IORING_FSYNC_DATASYNC);
	ring_set(sqe, &en->sync);
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
	/* a discard that did not run lost nothing */
	if (res < 0 && res != -ECANCELED && !en->sync_again) {
		en->sync_failed = true;
		disk_log_sync_failed(en->d, res);
	}
	while ((r = disk_list_pop(&en->syncing)))
		uring_finish(en, r, res < 0 ? -EIO : 0);
}

static void uring_came(struct disk_uring *en, struct disk_req *r, int res)
{
	if (res > 0)
		disk_req_eat(r, MIN((size_t)res, r->len));
	if (res == 0 || res == -ECANCELED)
		res = -EIO; /* end of file (we know the size); or not even begun */
	if (uring_again(res, &r->again) || (res > 0 && r->len)) {
		disk_list_add(&en->staged, r);
	} else if (r->again) {
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
		if (op == &en->sync)
			uring_synced(en, op->res);
		else
			uring_came(en, container_of(op, struct disk_req, ring), op->res);
	}
	return any;
}

/* Until the kernel has all staged requests and none has come back */
static void uring_go_on(struct disk_uring *en)
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

static void uring_hand_back(struct disk_uring *en)
{
	struct disk_req *list = en->finished.head;

	en->finished = (struct disk_list){0};
	if (list)
		en->done(en->ctx, list);
}

/* Loop thread */
static void uring_on_done(struct ring_user *u, struct ring_op *list)
{
	struct disk_uring *en = container_of(u, struct disk_uring, user);

	(void)uring_take(en, list);
	uring_go_on(en);
	uring_hand_back(en);
}

/* The blocking engine is done with these */
static void uring_on_blocking(void *ctx, struct disk_req *list)
{
	struct disk_uring *en = ctx;

	while (list) {
		struct disk_req *r = list;

		list = list->next;
		r->durable = r->ring.res;
		if (r->result == 0)
			uring_moved(en, r);
		else
			uring_finish(en, r, r->result);
	}
	uring_go_on(en);
	uring_hand_back(en);
}

/* ---- the device's side ---- */

static void disk_uring_submit(struct disk *d, struct disk_req *r)
{
	struct disk_uring *en = d->engine;

	r->again = 0;
	if (!en->live) {
		disk_submit(&en->blocking, r);
	} else if (uring_is_ours(en, r)) {
		disk_list_add(&en->staged, r);
	} else {
		uring_leave(en, r);
	}
}

/* The other engine learns the cost of zeroes */
static uint64_t disk_uring_price(const struct disk *d, const struct disk_req *r)
{
	const struct disk_uring *en = d->engine;

	return disk_price(&en->blocking, r);
}

static void disk_uring_commit(struct disk *d)
{
	struct disk_uring *en = d->engine;

	disk_commit(&en->blocking);
	if (!en->live)
		return;
	en->room = d->direct ? URING_ROOM_DIRECT : URING_ROOM;
	uring_go_on(en);
	uring_hand_back(en);
}

static bool disk_uring_rest(struct disk *d)
{
	struct disk_uring *en = d->engine;

	return disk_rest(&en->blocking) &&
	       (!en->live || (!en->staged.n && !en->unsynced.n && !en->syncing.n &&
			      ring_user_idle(en->ring, &en->user)));
}

/* Without io_uring on this host the other engine flushes */
static bool disk_uring_flush_failed(struct disk *d, bool fail)
{
	struct disk_uring *en = d->engine;

	en->sync_failed |= en->blocking.ops->flush_failed(&en->blocking, fail);
	return en->sync_failed;
}

static void uring_drop(struct disk_uring *en, struct disk_list *l)
{
	struct disk_req *r;

	while ((r = disk_list_pop(l)))
		uring_finish(en, r, -ECANCELED);
}

/* Starts nothing more, and leaves nothing with the kernel */
static void uring_stop(struct disk_uring *en)
{
	do { /* requests to repeat come back to where they waited */
		uring_drop(en, &en->staged);
		uring_drop(en, &en->unsynced);
	} while (uring_take(en, ring_wait(en->ring, &en->user)));
}

static void disk_uring_cancel(struct disk *d)
{
	struct disk_uring *en = d->engine;

	if (en->live)
		uring_stop(en);
	disk_cancel(&en->blocking);
	if (en->live) {
		uring_stop(en);
		uring_hand_back(en);
	}
}

/* io_uring first tries without waiting, if the file's system says that it can; files of other
 * systems go through threads of the kernel's. tmpfs never waits and does not say so: O_NONBLOCK
 * at the registration says it instead. If set later, the kernel would answer EAGAIN instead of
 * waiting.
 */
static int uring_add(struct disk_uring *en, int fd)
{
	int fl = fcntl(fd, F_GETFL), rc;
	struct statfs st;
	bool memory = fstatfs(fd, &st) == 0 && st.f_type == TMPFS_MAGIC;

	(void)fcntl(fd, F_SETFL, memory ? fl | O_NONBLOCK : fl & ~O_NONBLOCK);
	rc = ring_add(en->ring, &en->user, fd);
	(void)fcntl(fd, F_SETFL, fl & ~O_NONBLOCK);
	return rc;
}

/* It is on one already */
static int disk_uring_use_ring(struct disk *d, struct ring *ring, disk_engine_fn make)
{
	(void)d;
	(void)ring;
	(void)make;
	return 0;
}

static int disk_uring_start(struct disk *d, struct work_pool *pool, struct device *dev,
			    disk_done_fn done, void *ctx)
{
	struct disk_uring *en = d->engine;
	int rc = 0;

	en->done = done;
	en->ctx = ctx;
	en->room = d->direct ? URING_ROOM_DIRECT : URING_ROOM;
	if (!en->live) {
		en->user = (struct ring_user){.dev = dev, .done = uring_on_done};
		rc = ring_start(en->ring);
		if (rc == 0)
			rc = uring_add(en, d->fd);
		en->live = rc == 0;
	}
	d->how = en->live ? "uring" : "sync";
	if (!en->live) {
		log_info("disk %s: no io_uring on this host (%s): blocking calls instead",
			 d->path, strerror(-rc));
		return disk_start(&en->blocking, pool, dev, done, ctx);
	}
	return disk_start(&en->blocking, pool, dev, uring_on_blocking, en);
}

static void disk_uring_destroy(struct disk *d)
{
	struct disk_uring *en = d->engine;

	if (en->live) {
		(void)ring_wait(en->ring, &en->user);
		ring_del(en->ring, &en->user);
	}
	en->blocking.ops->destroy(&en->blocking);
	free(en);
}

static const struct disk_engine_ops disk_uring_ops = {
	.use_ring = disk_uring_use_ring,
	.start = disk_uring_start,
	.submit = disk_uring_submit,
	.price = disk_uring_price,
	.commit = disk_uring_commit,
	.rest = disk_uring_rest,
	.flush_failed = disk_uring_flush_failed,
	.cancel = disk_uring_cancel,
	.destroy = disk_uring_destroy,
};

int disk_uring_create(struct disk *d, struct ring *ring)
{
	struct disk_uring *en = calloc(1, sizeof(*en));

	if (!en)
		return -ENOMEM;
	en->d = d;
	en->blocking = *d;
	if (disk_sync_create(&en->blocking) < 0) {
		free(en);
		return -ENOMEM;
	}
	d->ops->destroy(d);
	en->ring = ring;
	d->engine = en;
	d->ops = &disk_uring_ops;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_uring - the disk engine on an io_uring: what it takes for the ring, its start, its rest and
 * its end. disk_uring_flow.c moves the requests.
 */
#include "devices/backend/disk_uring_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* Bytes that one commit gives to the ring. The submitting thread, mostly the loop, copies what
 * the page cache has and pins all other pages: a guest can ask for 4 GiB at once, which took a
 * second. The rest goes to the other engine's threads.
 */
#define URING_ROOM        (4 * MIB)
#define URING_ROOM_DIRECT (64 * MIB)

static bool uring_is_ours(struct disk_uring *en, const struct disk_req *r)
{
	if (r->op == DISK_FLUSH)
		return true;
	if (en->alone || (r->op != DISK_READ && r->op != DISK_WRITE) ||
	    r->len > en->room || (en->d->direct && !disk_req_aligned(en->d, r)))
		return false;
	en->room -= r->len;
	return true;
}

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
	/* for what the ring does not take: a thread each costs the start of a jailed machine, where
	 * all are there from the start
	 */
	en->blocking.lanes = en->live ? 1 : DISK_LANES;
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

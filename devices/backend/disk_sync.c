/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_sync - the disk engine with blocking system calls.
 *
 * Theory of operation. A read that the page cache can answer is answered at once, in
 * disk_commit(), by RWF_NOWAIT: no thread is woken. All other requests go on one list, from which
 * up to d->lanes lanes (each one struct work) take requests one at a time. A lane comes back
 * when the list is empty or its time slice is over, with all requests it finished: a burst costs
 * a few thread hops and interrupts, not one a request, and a slow disk does not delay finished
 * requests.
 */
#include "devices/backend/disk_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/backend/disk_list.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define DISK_SLICE_NS   200000
#define DISK_INLINE_MAX (256 * KIB) /* bytes copied on the loop thread in one commit */
#define DISK_BOUNCE     (64 * KIB)  /* a lane's buffer for unaligned direct I/O */

static int disk_sync_discard(int fd, uint64_t off, uint64_t len)
{
	return ioctl(fd, BLKDISCARD, (uint64_t[2]){off, len});
}

const struct disk_sys disk_sys_host = {
	.readv = preadv2,
	.writev = pwritev2,
	.datasync = fdatasync,
	.allocate = fallocate,
	.discard = disk_sync_discard,
};
const struct disk_sys *disk_sys = &disk_sys_host;

struct disk_lane {
	struct work work;
	struct disk_sync *en;
	struct disk_list finished; /* the worker's while it runs, then ours */
	uint8_t *bounce;           /* direct only */
	bool busy;                 /* the pool owns @work; under dev->lock */
};

struct disk_sync {
	struct disk *d;
	const struct disk_sys *sys;
	struct work_pool *pool;
	struct device *dev;
	disk_done_fn done;
	void *ctx;
	struct disk_list staged; /* under dev->lock */
	bool nowait;             /* the file takes RWF_NOWAIT; under dev->lock */
	struct disk_lane lane[DISK_LANES];

	pthread_mutex_t lock; /* innermost: @pending only */
	struct disk_list pending;

	pthread_mutex_t sync_lock; /* one fdatasync at a time; taken on workers only */
	atomic_bool sync_failed;
};

/* ---- moving bytes: worker thread, or the loop for reads that do not wait ---- */

static ssize_t disk_call(struct disk_sync *en, struct disk_req *r, int flags)
{
	off_t off = (off_t)r->off;
	int n = (int)r->niov;

	return r->op == DISK_READ ? en->sys->readv(en->d->fd, r->iov, n, off, flags)
				  : en->sys->writev(en->d->fd, r->iov, n, off, flags);
}

/* All of @r, over short counts and EINTR. End of file is an error: the size is known. */
static int disk_move(struct disk_sync *en, struct disk_req *r)
{
	while (r->len) {
		ssize_t n = disk_call(en, r, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		disk_req_eat(r, (size_t)n);
	}
	return 0;
}

/* Between the bounce buffer and @r's memory, whose buffers advance. */
static void disk_copy(struct disk_req *r, uint8_t *bounce, size_t len)
{
	disk_req_copy(r, bounce, len);
	r->off += len;
	r->len -= len;
}

static int disk_move_bounced(struct disk_lane *lane, struct disk_req *r)
{
	if (r->off % lane->en->d->block || r->len % lane->en->d->block)
		return -EINVAL;
	while (r->len) {
		struct iovec v = {lane->bounce, MIN(r->len, DISK_BOUNCE)};
		struct disk_req part = {.op = r->op,
					.off = r->off,
					.iov = &v,
					.niov = 1,
					.len = v.iov_len};
		size_t len = v.iov_len;
		int rc;

		if (r->op == DISK_WRITE)
			disk_copy(r, lane->bounce, len);
		rc = disk_move(lane->en, &part);
		if (rc < 0)
			return rc;
		if (r->op == DISK_READ)
			disk_copy(r, lane->bounce, len);
	}
	return 0;
}

/* One at a time: of two that overlap, the kernel would report a lost page to only one. */
static int disk_sync(struct disk_sync *en)
{
	bool failed;

	pthread_mutex_lock(&en->sync_lock);
	while (!en->sync_failed && en->sys->datasync(en->d->fd) < 0) {
		if (errno == EINTR)
			continue;
		en->sync_failed = true;
		disk_log_sync_failed(en->d, -errno);
	}
	failed = en->sync_failed;
	pthread_mutex_unlock(&en->sync_lock);
	return failed ? -EIO : 0;
}

static int disk_execute(struct disk_lane *lane, struct disk_req *r)
{
	struct disk_sync *en = lane->en;
	uint64_t off = r->off;
	int rc;

	if (r->op == DISK_FLUSH)
		return disk_sync(en);
	if (r->op == DISK_DISCARD || r->op == DISK_ZERO)
		rc = disk_space(en->d, en->sys, r);
	else if (en->d->direct && !disk_req_aligned(en->d, r))
		rc = disk_move_bounced(lane, r);
	else
		rc = disk_move(en, r);
	if (rc < 0)
		disk_log_failed(en->d, r->op, off, rc);
	if (rc == 0 && r->durable)
		rc = disk_sync(en);
	return rc;
}

/* ---- lanes ---- */

static void disk_lane_run(struct work *w)
{
	struct disk_lane *lane = container_of(w, struct disk_lane, work);
	struct disk_sync *en = lane->en;
	uint64_t start = monotonic_ns();

	do {
		struct disk_req *r;

		pthread_mutex_lock(&en->lock);
		r = disk_list_pop(&en->pending);
		pthread_mutex_unlock(&en->lock);
		if (!r)
			break;
		r->result = disk_execute(lane, r);
		disk_list_add(&lane->finished, r);
	} while (monotonic_ns() - start < DISK_SLICE_NS);
}

static void disk_start_lanes(struct disk_sync *en)
{
	unsigned int n;

	pthread_mutex_lock(&en->lock);
	n = en->pending.n;
	pthread_mutex_unlock(&en->lock);
	for (unsigned int i = 0; i < en->d->lanes && n; i++) {
		struct disk_lane *lane = &en->lane[i];

		if (lane->busy)
			continue;
		lane->busy = true;
		lane->work.dev = en->dev;
		n--;
		work_submit(en->pool, &lane->work);
	}
}

static void disk_finish(struct disk_sync *en, struct disk_list *l)
{
	struct disk_req *list = l->head;

	*l = (struct disk_list){0};
	if (list)
		en->done(en->ctx, list);
}

static void disk_lane_done(struct work *w)
{
	struct disk_lane *lane = container_of(w, struct disk_lane, work);
	struct disk_list l = lane->finished;

	lane->finished = (struct disk_list){0};
	lane->busy = false;
	for (const struct disk_req *r = l.head; r; r = r->next)
		disk_space_learn(lane->en->d, r);
	disk_start_lanes(lane->en);
	disk_finish(lane->en, &l);
}

/* ---- the device's side, dev->lock held ---- */

static void disk_sync_submit(struct disk *d, struct disk_req *r)
{
	struct disk_sync *en = d->engine;

	disk_list_add(&en->staged, r);
}

/* Return: @r is finished; otherwise it (or the rest of it) has to wait */
static bool disk_read_now(struct disk_sync *en, struct disk_req *r)
{
	ssize_t n = disk_call(en, r, RWF_NOWAIT);

	if (n < 0 && errno == EOPNOTSUPP)
		en->nowait = false;
	if (n > 0)
		disk_req_eat(r, (size_t)n);
	r->result = 0;
	return r->len == 0;
}

static void disk_sync_commit(struct disk *d)
{
	struct disk_sync *en = d->engine;
	struct disk_list later = {0}, finished = {0};
	size_t budget = DISK_INLINE_MAX;
	struct disk_req *r;

	while ((r = disk_list_pop(&en->staged))) {
		bool now = en->nowait && r->op == DISK_READ && r->len <= budget;

		if (now)
			budget -= r->len;
		disk_list_add(now && disk_read_now(en, r) ? &finished : &later, r);
	}
	if (later.n) {
		pthread_mutex_lock(&en->lock);
		disk_list_move(&en->pending, &later);
		pthread_mutex_unlock(&en->lock);
		disk_start_lanes(en);
	}
	disk_finish(en, &finished);
}

/* A lane that found nothing to do also counts as under way until it comes back */
static bool disk_sync_rest(struct disk *d)
{
	const struct disk_sync *en = d->engine;

	for (unsigned int i = 0; i < DISK_LANES; i++)
		if (en->lane[i].busy)
			return false;
	return !en->staged.n;
}

static bool disk_sync_flush_failed(struct disk *d, bool fail)
{
	struct disk_sync *en = d->engine;

	if (fail)
		en->sync_failed = true;
	return en->sync_failed;
}

static void disk_sync_cancel(struct disk *d)
{
	struct disk_sync *en = d->engine;
	struct disk_list l = {0};

	pthread_mutex_lock(&en->lock);
	disk_list_move(&l, &en->pending);
	pthread_mutex_unlock(&en->lock);
	disk_list_move(&l, &en->staged);
	for (struct disk_req *r = l.head; r; r = r->next)
		r->result = -ECANCELED;
	disk_finish(en, &l);
	if (en->dev)
		work_drain(en->pool, en->dev);
}

static int disk_sync_use_ring(struct disk *d, struct ring *ring, disk_engine_fn make)
{
	return make(d, ring);
}

static int disk_sync_start(struct disk *d, struct work_pool *pool, struct device *dev,
			   disk_done_fn done, void *ctx)
{
	struct disk_sync *en = d->engine;

	if (!en->pool)
		work_pool_grow(pool, d->lanes);
	en->pool = pool;
	en->dev = dev;
	en->done = done;
	en->ctx = ctx;
	d->how = "sync";
	for (unsigned int i = 0; i < d->lanes && d->direct; i++) {
		if (!en->lane[i].bounce)
			en->lane[i].bounce = aligned_alloc(PAGE_SIZE, DISK_BOUNCE);
		if (!en->lane[i].bounce)
			return -ENOMEM;
	}
	return 0;
}

static void disk_sync_destroy(struct disk *d)
{
	struct disk_sync *en = d->engine;

	for (unsigned int i = 0; i < DISK_LANES; i++)
		free(en->lane[i].bounce);
	pthread_mutex_destroy(&en->lock);
	pthread_mutex_destroy(&en->sync_lock);
	free(en);
}

static const struct disk_engine_ops disk_sync_ops = {
	.use_ring = disk_sync_use_ring,
	.start = disk_sync_start,
	.submit = disk_sync_submit,
	.price = disk_file_price,
	.commit = disk_sync_commit,
	.rest = disk_sync_rest,
	.flush_failed = disk_sync_flush_failed,
	.cancel = disk_sync_cancel,
	.destroy = disk_sync_destroy,
};

int disk_sync_create(struct disk *d)
{
	struct disk_sync *en = calloc(1, sizeof(*en));

	if (!en)
		return -ENOMEM;
	en->d = d;
	en->sys = disk_sys;
	/* RWF_NOWAIT does not stop direct I/O, or a remote file's readahead, from waiting */
	en->nowait = !d->direct && !d->remote;
	pthread_mutex_init(&en->lock, NULL);
	pthread_mutex_init(&en->sync_lock, NULL);
	for (unsigned int i = 0; i < DISK_LANES; i++) {
		en->lane[i].en = en;
		en->lane[i].work.run = disk_lane_run;
		en->lane[i].work.done = disk_lane_done;
	}
	d->engine = en;
	d->ops = &disk_sync_ops;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk - a raw image or block device, opened, checked and locked; and the engine that
 * moves its bytes.
 *
 * Requests belong to the caller, which keeps one per queue entry, so the data path
 * allocates nothing.  disk_submit() stages, disk_commit() starts everything staged, and
 * finished requests come back in batches.  disk_create.c opens and chooses the engines
 * (disk_engine.h): for a file disk_uring.c, by an io_uring, or disk_sync.c, with blocking calls on
 * the worker pool; on top of files overlay.c and disk_sector.c.
 */
#ifndef MICROVM_BACKEND_DISK_H
#define MICROVM_BACKEND_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/state.h"
#include "vmm/core/work.h"
#include "devices/backend/ring.h"

#define DISK_SECTOR 512
#define DISK_LANES \
	4 /* blocking calls that a disk without io_uring has under way at most */

/* DISK_DISCARD: the content of the range no longer matters, so its space may be freed. DISK_ZERO:
 * it reads as zeroes from now on, and with @unmap its space may also be freed
 */
enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_ZERO };

struct disk_req {
	enum disk_op op;
	bool durable; /* a change: on stable storage before it completes */
	bool unmap;   /* DISK_ZERO */
	uint64_t off; /* bytes; it and the three below advance while the request runs */
	struct iovec *iov; /* the caller's; guest memory.  DISCARD and ZERO: none */
	unsigned int niov;
	uint64_t len;   /* sum of @iov; DISCARD and ZERO: of the range */
	int result;     /* when finished: 0, or -errno, and any part may be missing */
	uint64_t moved; /* bytes that the host moves for it: disk_price() at first, the
		        * true number after it finished without an error */
	struct disk_req *next;
	struct ring_op ring; /* the engine's, as are the next */
	unsigned int again;  /* times in a row that the kernel did none of it */
};

/* disk_done_fn - @list (linked by ->next) is finished and belongs to the caller again. With the
 * device's lock held: on the loop thread, or inside disk_commit() or disk_cancel().
 */
typedef void (*disk_done_fn)(void *ctx, struct disk_req *list);

struct disk_engine_ops;

/* How the host does a DISK_ZERO, as far as an earlier one has shown it */
enum disk_zeroes { ZEROES_UNKNOWN, ZEROES_MARKED, ZEROES_WRITTEN };

struct disk {
	char *path; /* for messages */
	int fd;     /* -1: it stands on other disks (overlay, disk_sector.h) */
	bool readonly, direct;
	bool unsaved; /* at rest: the guest wrote bits that an overlay's file lacks */
	bool had;     /* its device was activated: objects made for it stay */
	bool device;  /* a block device, not a file */
	bool remote;  /* another host or process serves it, or hangs */
	unsigned int lanes; /* blocking calls under way at most; before disk_start() */
	bool can_discard;   /* DISK_DISCARD frees space; otherwise it does nothing */
	uint32_t discard_align; /* bytes: smaller pieces free nothing */
	bool zeroes_below; /* a block device: its driver cannot mark a range as zeroes */
	enum disk_zeroes zeroes[2]; /* with @unmap and without; dev->lock */
	uint64_t size;              /* bytes, a multiple of DISK_SECTOR */
	uint32_t block, physical;   /* logical and physical block size, bytes */
	uint32_t block_off;         /* bytes from offset 0 to a physical block boundary */
	uint32_t io_min, io_opt;    /* bytes; io_opt 0: unknown */
	uint32_t dio_mem;   /* direct: the alignment of buffers and iovec lengths */
	const char *how;    /* from disk_start() on: the engine, "uring" or "sync" */
	struct disk *under; /* with larger blocks, on which this one stands; NULL: none */
	const struct disk_engine_ops *ops;
	void *engine; /* a struct of the engine's own */
};

/* The system calls of the data path, as libc has them.  Tests replace the table, before
 * disk_open(), to make the n-th call fail.
 */
struct disk_sys {
	ssize_t (*readv)(int fd, const struct iovec *v, int n, off_t off, int flags);
	ssize_t (*writev)(int fd, const struct iovec *v, int n, off_t off, int flags);
	int (*datasync)(int fd);
	int (*allocate)(int fd, int mode, off_t off, off_t len); /* fallocate() */
	int (*discard)(int fd, uint64_t off, uint64_t len);      /* BLKDISCARD */
};
extern const struct disk_sys disk_sys_host;
extern const struct disk_sys *disk_sys;

/* disk_open() - cfg->disk[@i], locked against other users for as long as it is open, on blocking calls.
 * Return: NULL with a sentence in @e
 */
struct disk *disk_open(const struct config *cfg, unsigned int i, struct err *e);
/* disk_use_ring() - before disk_start(): reads, writes and flushes go by @ring, if this host
 * can.  Return: 0 or -ENOMEM
 */
int disk_use_ring(struct disk *d, struct ring *ring);
/* disk_create() - disk_open(), and with @ring (NULL: there is none) if the settings say so, or if
 * they leave it open and it pays. Return: as disk_open()
 */
struct disk *disk_create(const struct config *cfg, unsigned int i, struct ring *ring,
			 struct err *e);
void disk_close(struct disk *d); /* nothing may be in flight; NULL does nothing */

/* disk_start() - requests finish on @dev's behalf through @done from now on.  Opens all that this
 * needs, except the threads of @pool; any number of times. Return: 0 or -ENOMEM
 */
int disk_start(struct disk *d, struct work_pool *pool, struct device *dev,
	       disk_done_fn done, void *ctx);

/* disk_look_again() - the host may have changed the disk's size: use the new one, and log it.
 * @dev's lock held. Return: has it changed?
 */
bool disk_look_again(struct disk *d);
/* disk_grow() - make the file of a disk @size bytes long; disk_look_again() has to follow. @dev's lock
 * held; waits for the file system only. Return: 0, also if it has that size; -errno with a sentence in
 * @e: -ENOTSUP: an overlay, or a block device of another size; -EROFS; -EINVAL: no such size, or less
 * than it has
 */
int disk_grow(const struct disk *d, uint64_t size, struct err *e);
/* disk_may_change() - may it have another size while it is open? An overlay may not */
bool disk_may_change(const struct disk *d);

/* @dev's lock is held for all of these.
 *
 * disk_submit() - stage @r, within the disk's size.  A DISK_FLUSH covers every write that
 * finished before it was submitted, and finishes only after they are stable. Once one failed,
 * every later one on this disk fails with -EIO: the kernel reports lost pages once.
 */
void disk_submit(struct disk *d, struct disk_req *r);
/* disk_price() - how many bytes the host moves for @r, at most: more than @r->len if it changes
 * part of a larger unit, 0 if it only marks a range
 */
uint64_t disk_price(const struct disk *d, const struct disk_req *r);
/* disk_commit() - start what is staged; may call done() for requests that need no waiting */
void disk_commit(struct disk *d);
/* disk_rest() - for a pause, while nothing is submitted: requests under way end through the loop,
 * and bits that an overlay's file lacks are written to it. Never waits. Return: nothing is under
 * way, with the kernel or a worker thread; if false, ask again after the loop has run
 */
bool disk_rest(struct disk *d);
/* disk_state() - save at rest, or load, what a driver knows of @d and a file does not hold: the
 * size and blocks are identity. @failed: has a flush failed? Loading only reports that, and
 * disk_fail_flushes() applies it. Saving fails while an overlay's file lacks bits
 */
void disk_state(struct disk *d, struct state *s, bool *failed);
/* disk_fail_flushes() - as if a flush had failed: every later one fails */
void disk_fail_flushes(struct disk *d);
/* disk_files() - the files that @d stands on, the lowest first, an overlay after its base.  @at: DISK_FILES_MAX
 * of them. Return: how many. disk_is_plain() - has it no overlay, or one that holds nothing yet?
 */
#define DISK_FILES_MAX 2
unsigned int disk_files(const struct disk *d, const struct disk **at);
bool disk_is_plain(const struct disk *d);
/* disk_cancel() - finish everything: -ECANCELED for requests that have not begun, and wait for
 * the others. For reset
 */
void disk_cancel(struct disk *d);

#endif

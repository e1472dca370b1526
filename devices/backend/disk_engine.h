/* SPDX-License-Identifier: Apache-2.0 */
/* disk_engine - the engine of a disk, as disk.c sees it; disk.h has each op's contract. */
#ifndef MICROVM_BACKEND_DISK_ENGINE_H
#define MICROVM_BACKEND_DISK_ENGINE_H

#include <sys/stat.h>

#include "devices/backend/disk.h"

/* disk_engine_fn - give @file, with its engine of blocking calls, one on @ring. Return: 0 or
 * -ENOMEM
 */
typedef int (*disk_engine_fn)(struct disk *file, struct ring *ring);

struct disk_engine_ops {
	/* before start(): call @make for each file that @d is or stands on. Return: 0, or @make's
	 * error
	 */
	int (*use_ring)(struct disk *d, struct ring *ring, disk_engine_fn make);
	int (*start)(struct disk *d, struct work_pool *pool, struct device *dev,
		     disk_done_fn done, void *ctx);
	void (*submit)(struct disk *d, struct disk_req *r);
	uint64_t (*price)(const struct disk *d, const struct disk_req *r);
	void (*commit)(struct disk *d);
	bool (*rest)(struct disk *d);
	/* has a flush failed, and so every later one? @fail: one has */
	bool (*flush_failed)(struct disk *d, bool fail);
	/* disk_files(), disk_is_plain(); NULL: it is a file of its own, or stands on one disk */
	unsigned int (*files)(const struct disk *d, const struct disk **at);
	bool (*is_plain)(const struct disk *d);
	void (*cancel)(struct disk *d);
	void (*destroy)(struct disk *d); /* nothing in flight; frees d->engine */
};

/* disk_alloc() - a disk without a file and an engine.  Return: NULL with a sentence in @e */
struct disk *disk_alloc(const char *path, bool readonly, bool direct, struct err *e);

/* disk_sync_create() - give @d, whose fd and alignment are known, the engine with blocking
 * calls.  Return: 0 or -ENOMEM
 */
int disk_sync_create(struct disk *d);
/* disk_uring_create() - a disk_engine_fn: the engine on an io_uring */
int disk_uring_create(struct disk *d, struct ring *ring);

/* disk_req_eat() - @n more bytes of @r are done */
void disk_req_eat(struct disk_req *r, size_t n);
/* disk_req_copy() - the next @n bytes of @r's buffers to @buf, or for a read from it; the buffers
 * advance, r->off and r->len stay
 */
void disk_req_copy(struct disk_req *r, uint8_t *buf, size_t n);
struct disk_cut { /* where one of the buffers was divided */
	struct iovec rest;
	unsigned int at;
};

/* disk_req_cut() - give @io the first @len bytes of @r's buffers, for an engine that eats them;
 * disk_req_paste() - that is done, and @r has the rest
 */
void disk_req_cut(struct disk_req *r, uint64_t len, struct disk_req *io,
		  struct disk_cut *cut);
void disk_req_paste(struct disk_req *r, const struct disk_cut *cut);
/* disk_req_aligned() - can @r, which is a read or write, go to @d without a bounce buffer? */
bool disk_req_aligned(const struct disk *d, const struct disk_req *r);
/* disk_log_failed(), disk_log_sync_failed() - for the operator: @rc is the -errno */
void disk_log_failed(const struct disk *d, enum disk_op op, uint64_t off, int rc);
void disk_log_sync_failed(const struct disk *d, int rc);

/* disk_open_file() - one file or block device, with an engine of its own.  @dry: it will not be
 * used, and not even its time of change may differ afterwards. Return: NULL with a sentence in @e
 */
struct disk *disk_open_file(const char *path, bool readonly, bool direct, bool dry,
			    struct err *e);
/* disk_take_file() - as disk_open_file(), for a file that is open: @fd, named @path in messages.
 * @fd belongs to the disk from now on, and is closed if this fails
 */
struct disk *disk_take_file(int fd, const char *path, bool readonly, bool direct,
			    bool dry, struct err *e);
/* disk_file_open() - open d->path as d->readonly and d->direct say, unless d->fd is open; lock
 * it, and fill in its size and blocks.  Return: 0, or -errno with a sentence in @e
 */
int disk_file_open(struct disk *d, struct err *e);
/* disk_explain_open() - put into @e why the file @p, an image of format @f, cannot be opened, and
 * the cure; @code is open()'s errno. Return: -@code
 */
int disk_explain_open(const char *p, enum disk_format f, bool readonly, int code,
		      struct err *e);
/* disk_file_close() - this also unlocks it at once, even if another process still has it open */
void disk_file_close(struct disk *d);
/* disk_file_size() - its present number of bytes.  Return: 0 or -errno */
int disk_file_size(const struct disk *d, uint64_t *size);
/* disk_file_same() - are these two the same file or block device? */
bool disk_file_same(const struct stat *a, const struct stat *b);

/* disk_space_probe() - can the space of @d be freed?  Sets d->can_discard */
void disk_space_probe(struct disk *d);
/* disk_space() - a DISK_DISCARD or DISK_ZERO of @d, with blocking calls of @sys: by the file
 * system if it can, else by writing; @r->moved says which. Return: 0 or -errno
 */
int disk_space(const struct disk *d, const struct disk_sys *sys, struct disk_req *r);
/* disk_space_learn() - @r is finished: @d uses the same method the next time.  dev->lock held */
void disk_space_learn(struct disk *d, const struct disk_req *r);
/* disk_file_price() - disk_price() of one file or block device */
uint64_t disk_file_price(const struct disk *d, const struct disk_req *r);

#endif

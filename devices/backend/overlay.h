/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay - copy-on-write: a disk engine that stands on two disks, a base that is never written
 * and a top that holds the clusters that differ from it.
 *
 * The top is one sparse file: a header, a bitmap with a bit for each cluster of the disk, and the
 * disk itself, at OVERLAY data offset. A bit says that the cluster is in the top, whole. Nothing
 * else must be consistent, so after a kill at any moment the file is as good as a closed one: a
 * bit reaches the file only when its cluster is on stable storage (overlay_flush.c), and a flush
 * finishes only after its bits are.
 *
 * overlay.c serves requests, overlay_piece.c takes them apart, overlay_price.c computes their
 * cost, overlay_map.c is the bitmap in memory, overlay_flush.c writes it to the file,
 * overlay_make.c opens and makes files, overlay_file.c reads them. All runs under dev->lock.
 */
#ifndef MICROVM_BACKEND_OVERLAY_H
#define MICROVM_BACKEND_OVERLAY_H

#include "devices/backend/disk_engine.h"
#include "devices/backend/disk_list.h"

#define OVERLAY_MAGIC   "mvm-cow\n"
#define OVERLAY_CLUSTER (64 * UINT64_C(1024))
#define OVERLAY_PAGE    UINT64_C(4096) /* of the bitmap: the unit of its writes */
#define OVERLAY_OPS     128            /* requests under way; more wait */
#define OVERLAY_BOUNCES 8              /* of them, those that copy a cluster */

/* The header: the first page of the file, little-endian as this host is */
struct overlay_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t cluster; /* bytes */
	uint64_t base_size;
	int64_t base_mtime; /* ns; 0: the base is a block device */
	uint64_t data;      /* where the disk begins in the file */
	uint64_t sum;       /* of the bytes before it */
};

struct overlay_map {
	uint64_t clusters, pages;
	uint64_t *live;  /* a bit a cluster: in the top */
	uint64_t *file;  /* pages as they are in the file, or will be */
	uint64_t *dirty; /* a bit a page of @live that is not in @file */
	uint64_t *late;  /* a bit a page of @file that is not written yet */
};

/* overlay_map_init() - all bits 0.  Return: 0 or -ENOMEM */
int overlay_map_init(struct overlay_map *m, uint64_t size);
void overlay_map_fini(struct overlay_map *m);
/* overlay_map_run() - how many clusters from @c on, at most @max, are in the same place as @c */
uint64_t overlay_map_run(const struct overlay_map *m, uint64_t c, uint64_t max,
			 bool *in_top);
void overlay_map_set(struct overlay_map *m, uint64_t c, uint64_t n);
/* overlay_map_stage() - copy all dirty pages to @file */
void overlay_map_stage(struct overlay_map *m);
/* overlay_map_late() - the next run of pages from @page on that are not written yet.
 * Return: their number, 0: none; the first in @page
 */
uint64_t overlay_map_late(const struct overlay_map *m, uint64_t *page);
void overlay_map_written(struct overlay_map *m, uint64_t page, uint64_t n);
/* overlay_map_saved() - are all bits in the file? */
bool overlay_map_saved(const struct overlay_map *m);

/* The step of a piece of a request */
enum overlay_step {
	OVERLAY_MOVE, /* between the guest and the top, or from the base */
	OVERLAY_FILL, /* whole clusters of the top, which it has afterwards */
	OVERLAY_COPY, /* a cluster of the base is read, for: */
	OVERLAY_PUT,  /* and goes to the top with the guest's bytes in it */
};

struct overlay_op {
	struct disk_req io; /* the piece under way */
	struct disk_req *r; /* the rest of the guest's request */
	enum overlay_step step;
	uint64_t first, n;   /* clusters that other ops must not begin to change */
	struct iovec one;    /* OVERLAY_COPY, OVERLAY_PUT: @bounce */
	uint8_t *bounce;     /* a cluster, or NULL */
	struct disk_cut cut; /* of this piece */
	uint64_t piece;      /* bytes of the request that this step does */
	uint64_t moved;      /* by the host, for the request so far */
	struct overlay_op *next;
};

enum overlay_flush_state { FLUSH_REST, FLUSH_DATA, FLUSH_MAP, FLUSH_SEAL };

struct overlay_flush {
	enum overlay_flush_state state;
	struct disk_list waiting, group; /* for the next one; for this one */
	struct disk_req io;
	struct iovec v;
	uint64_t page, n; /* of the bitmap: being written */
	bool failed;      /* for good: data may be lost, so none of its bits is written */
	struct disk_req own; /* a flush of our own, for a rest */
	bool tried;          /* in this rest: it may have failed */
};

struct overlay {
	struct disk *base, *top;
	struct overlay_header head;
	struct overlay_map map;
	struct overlay_flush flush;
	disk_done_fn done;
	void *ctx;
	struct disk_list waiting, finished;
	struct overlay_op *op, *free, *blocked; /* blocked: on a cluster or a bounce */
	unsigned int nbusy;                     /* that are not free */
	uint8_t *bounce[OVERLAY_BOUNCES];       /* a stack of those that are free */
	unsigned int nbounce;
	int made; /* the file, if we made it: its slot (vmm/core/outside.h); else -1 */
	bool pumping, staged, retry, cancelling;
};

/* overlay_open() - give @d an engine that stands on @base, which belongs to @d from now on (and
 * is closed with it), and on the file @top, which is made if it is missing and gets a header if
 * it is empty. @dry: neither happens, and the base stands in for the file.
 * Return: 0, or -errno with a sentence in @e
 */
int overlay_open(struct disk *d, struct disk *base, const char *top, bool dry,
		 struct err *e);
/* overlay_first() - where the first cluster of @d is read: a file and an offset in it */
int overlay_first(const struct disk *d, uint64_t *off);

/* overlay_is_one() - does @fd begin like an overlay? */
bool overlay_is_one(int fd);
/* overlay_top() - open the file @path, once, as a disk.  If it is not there it is made, and if it
 * is empty it gets the header ov->head.  @dry: neither happens, and the base stands in for
 * such a file, read-only.  Return: NULL with a sentence in @e
 */
struct disk *overlay_top(struct overlay *ov, const char *path, bool dry, struct err *e);
/* overlay_unmake() - no guest has used it: remove the file if we made it */
void overlay_unmake(struct overlay *ov);
/* overlay_save() - write the bits that the file lacks, with blocking calls, data first; for the
 * end
 */
void overlay_save(struct overlay *ov);
/* overlay_attach() - set the ops of an overlay that is open */
void overlay_attach(struct disk *d);

/* overlay_price() - disk_price(): a part of a cluster that the top lacks costs the cluster twice */
uint64_t overlay_price(const struct disk *d, const struct disk_req *r);
/* overlay_send() - @io to the base or the top; overlay_pump() will commit it */
void overlay_send(struct overlay *ov, struct disk *to, struct disk_req *io);
/* overlay_next() - begin the next piece of @op, or end it */
void overlay_next(struct overlay *ov, struct overlay_op *op);
/* overlay_piece_done() - op->io is finished */
void overlay_piece_done(struct overlay *ov, struct overlay_op *op);
/* overlay_finish() - @r is done with @result */
void overlay_finish(struct overlay *ov, struct disk_req *r, int result);
/* overlay_flush_begin() - if a flush waits and none is under way */
void overlay_flush_begin(struct overlay *ov);
/* overlay_flush_done() - flush.io is finished */
void overlay_flush_done(struct overlay *ov);
/* overlay_flush_own() - for a rest, with no request under way: flush if the file lacks bits, unless
 * that was tried.  Return: is there a flush to begin?
 */
bool overlay_flush_own(struct overlay *ov);

#endif

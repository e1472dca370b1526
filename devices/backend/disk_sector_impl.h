/* SPDX-License-Identifier: Apache-2.0 */
/* disk_sector_impl - the state of the engine, for disk_sector.c and disk_sector_piece.c. */
#ifndef MICROVM_BACKEND_DISK_SECTOR_IMPL_H
#define MICROVM_BACKEND_DISK_SECTOR_IMPL_H

#include "devices/backend/disk_engine.h"
#include "devices/backend/disk_list.h"

#define SECTOR_OPS 64 /* requests under way; more wait */

enum sector_step {
	SECTOR_WHOLE, /* blocks, between the guest and the disk */
	SECTOR_PART,  /* a block is read, to use a part of it */
	SECTOR_MERGE, /* a block is read, to change a part of it */
	SECTOR_PUT,   /* and written back */
};

struct sector_op {
	struct disk_req io; /* the piece under way */
	struct disk_req *r; /* the rest of the guest's request */
	enum sector_step step;
	uint64_t first, n; /* bytes of the disk that it is changing, in whole blocks */
	uint64_t piece;    /* bytes of the request that this step does */
	uint64_t moved;    /* by the host, for the request so far */
	struct iovec one;  /* @bounce */
	uint8_t *bounce;   /* a block */
	struct disk_cut cut;
	struct sector_op *next;
};

struct disk_sector {
	struct disk *under;
	disk_done_fn done;
	void *ctx;
	struct disk_list waiting, finished;
	struct sector_op op[SECTOR_OPS];
	struct sector_op *free, *blocked; /* blocked: on another's block */
	unsigned int nbusy;               /* that are not free */
	uint8_t *bounces;
	bool pumping, staged, retry, cancelling;
};

/* All with dev->lock held */

/* sector_send() - @io to the disk below; sector_pump() will commit it */
void sector_send(struct disk_sector *en, struct disk_req *io);
/* sector_next() - begin the next piece of @op, or end it */
void sector_next(struct disk_sector *en, struct sector_op *op);
/* sector_piece_done() - op->io is finished */
void sector_piece_done(struct disk_sector *en, struct sector_op *op);

#endif

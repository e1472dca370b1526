/* SPDX-License-Identifier: Apache-2.0 */
/* disk_uring_impl - a disk on an io_uring, for disk_uring.c and disk_uring_flow.c. */
#ifndef MICROVM_BACKEND_DISK_URING_IMPL_H
#define MICROVM_BACKEND_DISK_URING_IMPL_H

#include "devices/backend/disk_engine.h"
#include "devices/backend/disk_list.h"

/* All under dev->lock */
struct disk_uring {
	struct disk *d;
	struct disk blocking; /* the same file, with the other engine; owns only that */
	struct ring *ring;
	struct ring_user user;
	bool live;     /* the ring has @user; else all goes to @blocking */
	bool alone;    /* the kernel got no thread: from then on all goes to @blocking */
	uint64_t room; /* bytes left of this commit's */
	disk_done_fn done;
	void *ctx;

	struct disk_list staged;   /* to be started */
	struct disk_list finished; /* to be handed back */
	struct disk_list unsynced; /* wait for an fdatasync that begins after they came */
	struct disk_list syncing;  /* wait for the one that runs */
	struct ring_op sync;
	struct disk_req flush; /* in place of @sync, by the other engine */
	unsigned int sync_again;
	bool sync_runs, sync_failed;
	bool left; /* the other engine has staged requests that are not committed */
};

/* All with dev->lock held */

/* uring_leave() - @r goes to the other engine, and comes back through uring_on_blocking() */
void uring_leave(struct disk_uring *en, struct disk_req *r);
/* uring_go_on() - until the kernel has all staged requests and none has come back */
void uring_go_on(struct disk_uring *en);
/* uring_hand_back() - en->done() for all that are finished */
void uring_hand_back(struct disk_uring *en);
/* uring_stop() - start nothing more, and leave nothing with the kernel */
void uring_stop(struct disk_uring *en);
/* uring_on_done() - ring_user's.  Loop thread */
void uring_on_done(struct ring_user *u, struct ring_op *list);
/* uring_on_blocking() - the other engine is done with these; @ctx is the disk_uring */
void uring_on_blocking(void *ctx, struct disk_req *list);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balloon_job - a chain of the balloon's, whose pages go to the host; for devices/virtio/balloon.c
 * only.
 */
#ifndef MICROVM_VIRTIO_BALLOON_JOB_H
#define MICROVM_VIRTIO_BALLOON_JOB_H

#include <linux/virtio_balloon.h>
#include <stdatomic.h>

#include "devices/virtio/virtio.h"
#include "vmm/core/work.h"

#define BALLOON_PAGE (1UL << VIRTIO_BALLOON_PFN_SHIFT)

/* The roles of queues. Drivers number those that exist: hinting's never does, and without a
 * statistics queue reporting is the third (balloon_queue()).
 */
enum {
	BALLOON_INFLATE,
	BALLOON_DEFLATE,
	BALLOON_STATISTICS,
	BALLOON_REPORTING,
	BALLOON_QUEUES
};

/* One chain, on its way through a worker */
struct balloon_job {
	struct work work;
	const struct gmem *mem;
	unsigned int role; /* BALLOON_* of its queue */
	struct virtq_chain c;
	uint64_t released; /* bytes */
	const char *lie;   /* NULL: none */
	_Atomic bool stop; /* the device is being reset: the rest is not needed */
};

/* balloon_check() - does the chain fit its queue?  Return: NULL, or the lie */
const char *balloon_check(const struct balloon_job *j);
/* balloon_run() - a work's: give the pages of its chain to the host, until j->stop or a lie.  A
 * worker, without a lock
 */
void balloon_run(struct work *w);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balloon - what the balloon's guest says about its own memory, for who asks (virtio 1.2,
 * 5.5.6.3).  Nobody is asked unless somebody wants to know: no timer, no wake-up.
 */
#ifndef MICROVM_VIRTIO_BALLOON_H
#define MICROVM_VIRTIO_BALLOON_H

#include "devices/virtio/virtio.h"

#define BALLOON_STATS 10 /* VIRTIO_BALLOON_S_*, as of virtio 1.2 */

struct balloon_stats {
	uint64_t
		at_ns; /* CLOCK_MONOTONIC when it came; 0: the guest never said anything */
	uint32_t known;                /* a bit for each value that it told */
	uint64_t value[BALLOON_STATS]; /* bytes or counts, whatever the guest likes */
};

/* balloon_stats_name() - value @i in a report: "free_bytes"; a constant */
const char *balloon_stats_name(unsigned int i);
struct balloon_asker {
	/* an answer came: loop thread, dev->lock held */
	void (*told)(struct balloon_asker *a);
};

/* balloon_ask() - have the guest say how its memory is now; a->told() may be called before
 * this returns, or never: a guest need not answer.  The latest asker is told, once, and must
 * live until then or as long as the device.  Loop thread, dev->lock held.
 * Return: false, there is no driver that could answer
 */
bool balloon_ask(struct virtio_dev *v, struct balloon_asker *a);
/* balloon_last_stats() - what the guest said last, also if its driver is gone.  dev->lock held */
const struct balloon_stats *balloon_last_stats(const struct virtio_dev *v);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balloon - the guest's figures about its own memory, for a caller that asks (virtio 1.2,
 * 5.5.6.3).  The guest is asked only on request: no timer, no wake-up.
 */
#ifndef MICROVM_VIRTIO_BALLOON_H
#define MICROVM_VIRTIO_BALLOON_H

#include "devices/virtio/virtio.h"

#define BALLOON_STATS 10 /* VIRTIO_BALLOON_S_*, as of virtio 1.2 */

struct balloon_stats {
	uint64_t at_ns; /* CLOCK_MONOTONIC when it came; 0: the guest sent none */
	uint32_t known; /* a bit for each value that it sent */
	uint64_t value[BALLOON_STATS]; /* bytes or counts, unchecked */
};

/* balloon_stats_name() - value @i in a report: "free_bytes"; a constant */
const char *balloon_stats_name(unsigned int i);
struct balloon_asker {
	/* an answer came: loop thread, dev->lock held */
	void (*told)(struct balloon_asker *a);
};

/* balloon_ask() - ask the guest for its memory figures; a->told() may be called before this
 * returns, or never: a guest need not answer. The latest asker is told, once, and must live until
 * then or as long as the device. Loop thread, dev->lock held.
 * Return: false, there is no driver that could answer
 */
bool balloon_ask(struct virtio_dev *v, struct balloon_asker *a);
/* balloon_last_stats() - the guest's last figures, also if its driver is gone.  dev->lock held */
const struct balloon_stats *balloon_last_stats(const struct virtio_dev *v);

/* balloon_resize() - ask the guest for @bytes, whole pages of BALLOON_PAGE; it gives them when it does.
 * dev->lock held. balloon_size(): what was asked for, and what its driver says it has given, unchecked
 */
void balloon_resize(struct virtio_dev *v, uint64_t bytes);
void balloon_size(const struct virtio_dev *v, uint64_t *asked, uint64_t *given);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balloon_stats - the balloon's statistics queue (virtio 1.2, 5.5.6.3).
 *
 * The driver has one buffer there, full of figures, and gets it back when we ask for new ones.
 * Until then it stays in the ring, so that it does not count as in flight.
 */
#ifndef MICROVM_VIRTIO_BALLOON_STATS_H
#define MICROVM_VIRTIO_BALLOON_STATS_H

#include "devices/virtio/balloon.h"

struct balloon_stats_queue {
	struct balloon_asker *asker; /* NULL: no caller waits for an answer */
	struct balloon_stats last;
	bool heard; /* the buffer at @at, its place in the ring, has been read */
	uint16_t at;
	struct virtq_chain c;
};

/* Both: dev->lock held, @v active and @q of @v; loop thread if a caller has asked */

/* balloon_stats_hear() - @q may have a buffer.  Unknown figures, a partial one at the end and
 * those beyond a bound are skipped; a buffer for us to write breaks the device
 */
void balloon_stats_hear(struct balloon_stats_queue *s, struct virtio_dev *v,
			struct virtq *q);
/* balloon_stats_known() - the next buffer in @q was read before the device was saved */
void balloon_stats_known(struct balloon_stats_queue *s, const struct virtq *q);
/* balloon_stats_ask() - as balloon_ask() */
void balloon_stats_ask(struct balloon_stats_queue *s, struct virtio_dev *v,
		       struct virtq *q, struct balloon_asker *a);

#endif

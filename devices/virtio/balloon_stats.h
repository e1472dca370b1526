/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balloon_stats - the balloon's statistics queue (virtio 1.2, 5.5.6.3).
 *
 * The driver has one buffer there, full of figures, and gets it back when new ones are
 * wanted.  Until then it stays in the ring, so that nothing is in flight for nothing.
 */
#ifndef MICROVM_VIRTIO_BALLOON_STATS_H
#define MICROVM_VIRTIO_BALLOON_STATS_H

#include "devices/virtio/balloon.h"

struct balloon_stats_queue {
	struct balloon_asker *asker; /* NULL: nobody waits for an answer */
	struct balloon_stats last;
	bool heard; /* the buffer at @at, where it stands in the ring, has nothing new */
	uint16_t at;
	struct virtq_chain c;
};

/* Both: dev->lock held, @v active and @q of @v; loop thread if somebody has asked */

/* balloon_stats_hear() - @q may have a buffer.  Figures that are not known here, part of one at the end
 * and what is beyond a bound are passed over; a buffer for us to write breaks the device
 */
void balloon_stats_hear(struct balloon_stats_queue *s, struct virtio_dev *v,
			struct virtq *q);
/* balloon_stats_known() - the buffer that is next in @q was heard before the device was saved */
void balloon_stats_known(struct balloon_stats_queue *s, const struct virtq *q);
/* balloon_stats_ask() - as balloon_ask() */
void balloon_stats_ask(struct balloon_stats_queue *s, struct virtio_dev *v,
		       struct virtq *q, struct balloon_asker *a);

#endif

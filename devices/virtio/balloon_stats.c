/* SPDX-License-Identifier: Apache-2.0 */
/* balloon_stats - a guest's figures about its memory, and the queue that carries them. */
#include "devices/virtio/balloon_stats.h"

#include <endian.h>
#include <linux/virtio_balloon.h>
#include <string.h>

#include "vmm/core/util.h"

#define STATS_LEN 10 /* of one figure: 16 bits of tag, 64 of value, unaligned */
#define STATS_MAX 64 /* figures that are read; Linux has 10, 16 since 6.12 */

_Static_assert(sizeof(struct virtio_balloon_stat) == STATS_LEN,
	       "layout of virtio 1.2, 5.5.6.3");

const char *balloon_stats_name(unsigned int i)
{
	static const char *const names[] = {
		[VIRTIO_BALLOON_S_SWAP_IN] = "swap_in_bytes",
		[VIRTIO_BALLOON_S_SWAP_OUT] = "swap_out_bytes",
		[VIRTIO_BALLOON_S_MAJFLT] = "major_faults",
		[VIRTIO_BALLOON_S_MINFLT] = "minor_faults",
		[VIRTIO_BALLOON_S_MEMFREE] = "free_bytes",
		[VIRTIO_BALLOON_S_MEMTOT] = "total_bytes",
		[VIRTIO_BALLOON_S_AVAIL] = "available_bytes",
		[VIRTIO_BALLOON_S_CACHES] = "disk_caches_bytes",
		[VIRTIO_BALLOON_S_HTLB_PGALLOC] = "hugetlb_allocations",
		[VIRTIO_BALLOON_S_HTLB_PGFAIL] = "hugetlb_failures",
	};
	_Static_assert(ARRAY_SIZE(names) == BALLOON_STATS, "a name for each");

	BUG_ON(i >= BALLOON_STATS);
	return names[i];
}

static void stats_read(struct balloon_stats *t, struct span *s)
{
	struct virtio_balloon_stat stat[STATS_MAX];
	size_t n = MIN(s->len / STATS_LEN, STATS_MAX);

	*t = (struct balloon_stats){.at_ns = monotonic_ns()};
	if (!span_get(s, stat, n * STATS_LEN))
		return;
	for (size_t i = 0; i < n; i++) {
		unsigned int tag = le16toh(stat[i].tag);

		if (tag >= BALLOON_STATS)
			continue;
		t->known |= 1U << tag;
		t->value[tag] = le64toh(stat[i].val);
	}
}

void balloon_stats_hear(struct balloon_stats_queue *s, struct virtio_dev *v,
			struct virtq *q)
{
	struct balloon_asker *a = s->asker;

	/* a kick without a buffer, as after a rest, does not renew old figures */
	if ((s->heard && s->at == q->next_avail) || !virtio_pop(v, q, &s->c))
		return;
	if (s->c.to_driver.n) {
		virtio_broken(v, "statistics that are not for reading");
		return;
	}
	stats_read(&s->last, &s->c.from_driver);
	virtq_unpop(q, &s->c);
	balloon_stats_known(s, q);
	s->asker = NULL;
	if (a)
		a->told(a);
}

void balloon_stats_known(struct balloon_stats_queue *s, const struct virtq *q)
{
	s->heard = true;
	s->at = q->next_avail;
}

void balloon_stats_ask(struct balloon_stats_queue *s, struct virtio_dev *v,
		       struct virtq *q, struct balloon_asker *a)
{
	s->asker = a;
	/* no buffer there: the answer to an earlier asker is on its way */
	if (!virtio_pop(v, q, &s->c))
		return;
	virtq_push(q, s->c.head, 0);
	s->heard = false;
	v->dev->io.requests++;
	virtio_notify(v, q);
	balloon_stats_hear(s, v, q); /* else the ring is empty and the driver will kick */
}

/* SPDX-License-Identifier: Apache-2.0 */
/* ring_cases - descriptors and available rings that lie. */
#include "guest-images/payloads/hostile/cases.h"
#include "vmm/core/layout_x86.h"

#define HOLE LAYOUT_VIRTIO

uint64_t cases_ram_end(void)
{
	uint64_t top = rt_alloc_top();

	for (unsigned int i = 0; i < rt_boot.nregion; i++) {
		const struct rt_region *m = &rt_boot.region[i];

		if (top >= m->base && top - m->base < m->len)
			return m->base + m->len;
	}
	return 0;
}

/* Where the data is said to be */
static void ring_straddle_end(struct rig *r)
{
	r->d->addr = cases_ram_end() - r->d->len / 2;
}
static void ring_straddle_last(struct rig *r)
{
	const struct rt_region *m = &rt_boot.region[rt_boot.nregion - 1];

	r->d->addr = m->base + m->len - r->d->len + 1;
	if (r->d->len == 1)
		r->d->addr = m->base + m->len;
}
static void ring_at_end(struct rig *r)
{
	r->d->addr = cases_ram_end();
}
static void ring_in_device(struct rig *r)
{
	r->d->addr = HOLE;
}
static void ring_in_lapic(struct rig *r)
{
	r->d->addr = LAYOUT_LAPIC;
}
static void ring_addr_wraps(struct rig *r)
{
	r->d->addr = UINT64_MAX - r->d->len / 2;
}
static void ring_addr_top(struct rig *r)
{
	r->d->addr = UINT64_MAX;
}
static void ring_addr_high(struct rig *r)
{
	r->d->addr = UINT64_C(1) << 63 | r->d->addr;
}
static void ring_len_max(struct rig *r)
{
	r->d->len = UINT32_MAX;
}
static void ring_len_one_more(struct rig *r)
{
	r->d->len = (uint32_t)(cases_ram_end() - r->d->addr + 1);
}
static void ring_len_zero(struct rig *r)
{
	r->d->len = 0;
}

/* Where the chain goes */
static void ring_next(struct rig *r, uint16_t next)
{
	r->d->flags |= VRING_DESC_F_NEXT;
	r->d->next = next;
}
static void ring_next_size(struct rig *r)
{
	ring_next(r, RIG_QUEUE);
}
static void ring_next_max(struct rig *r)
{
	ring_next(r, 0xffff);
}
static void ring_loop_self(struct rig *r)
{
	ring_next(r, (uint16_t)(r->d - r->vq->desc));
}
static void ring_loop_head(struct rig *r)
{
	r->vq->desc[8] = *r->d;
	r->vq->desc[8].flags |= VRING_DESC_F_NEXT;
	r->vq->desc[8].next = 0;
	ring_next(r, 8);
}

/* What is available */
static void ring_head_size(struct rig *r)
{
	r->vq->avail->ring[0] = RIG_QUEUE;
}
static void ring_head_max(struct rig *r)
{
	r->vq->avail->ring[0] = 0xffff;
}
static void ring_idx_past_size(struct rig *r)
{
	r->idx = RIG_QUEUE + 1;
}
static void ring_idx_half(struct rig *r)
{
	r->idx = 0x8000;
}
static void ring_idx_back(struct rig *r)
{
	r->idx = 0xffff;
}
static void ring_same_head(struct rig *r)
{
	for (unsigned int i = 0; i < RIG_QUEUE; i++)
		r->vq->avail->ring[i] = 0;
	r->idx = RIG_QUEUE;
}

/* Which way the data goes */
static void ring_other_way(struct rig *r)
{
	r->d->flags ^= VRING_DESC_F_WRITE;
}
static void ring_both_ways(struct rig *r)
{
	/* to_driver, then from_driver: the order that the standard forbids */
	r->d->flags |= VRING_DESC_F_WRITE;
	r->vq->desc[8] = (struct vring_desc){rig_addr(r, RIG_HDR), 8, 0, 0};
	ring_next(r, 8);
}
static void ring_unknown_flags(struct rig *r)
{
	r->d->flags |= 0xfff0;
}

/* What the data overwrites: all of it is lent, so the device may; but what then? */
static void ring_data_is_table(struct rig *r)
{
	r->d->addr = (uintptr_t)r->vq->desc;
	r->d->len = RIG_QUEUE * sizeof(struct vring_desc);
}
static void ring_data_is_used(struct rig *r)
{
	r->d->addr = (uintptr_t)r->vq->used;
	r->d->len = 4 + RIG_QUEUE * sizeof(struct vring_used_elem);
}
static void ring_data_is_avail(struct rig *r)
{
	r->d->addr = (uintptr_t)r->vq->avail;
	r->d->len = 4 + 2 * RIG_QUEUE;
}

/* A disk's request */
static void ring_no_header(struct rig *r)
{
	r->vq->avail->ring[0] = 1;
}
static void ring_short_header(struct rig *r)
{
	r->vq->desc[0].len = 15;
}
static void ring_header_to_driver(struct rig *r)
{
	r->vq->desc[0].flags |= VRING_DESC_F_WRITE;
	r->any_memory = true;
}
static void ring_no_status(struct rig *r)
{
	r->d->flags &= (uint16_t) ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
}
static void ring_status_empty(struct rig *r)
{
	r->vq->desc[2].len = 0;
}
static void ring_status_from_driver(struct rig *r)
{
	r->d->flags &= (uint16_t)~VRING_DESC_F_WRITE;
	r->vq->desc[2].flags = 0;
}
static void ring_status_outside(struct rig *r)
{
	r->vq->desc[2].addr = cases_ram_end();
}
static void ring_header_outside(struct rig *r)
{
	r->vq->desc[0].addr = cases_ram_end() - 8;
}

/* Storms */
static void ring_kick_storm(struct rig *r)
{
	for (unsigned int i = 0; i < 2000; i++)
		vio_write(&r->v, VIRTIO_MMIO_QUEUE_NOTIFY, r->t->qi);
}
static void ring_kick_wrong(struct rig *r)
{
	static const uint32_t q[] = {1,   2,     3,     7,          8,         255,
				     256, 65535, 65536, 0x80000000, UINT32_MAX};

	for (unsigned int i = 0; i < sizeof(q) / sizeof(q[0]); i++)
		vio_write(&r->v, VIRTIO_MMIO_QUEUE_NOTIFY, q[i]);
}

const struct hostile_case ring_cases[] = {
	{"straddles_end_of_ram", true, 0, NULL, ring_straddle_end},
	{"straddles_end_of_last_ram", true, 0, NULL, ring_straddle_last},
	{"begins_at_end_of_ram", true, 0, NULL, ring_at_end},
	{"lies_in_a_device", true, 0, NULL, ring_in_device},
	{"lies_in_the_lapic", true, 0, NULL, ring_in_lapic},
	{"address_wraps", true, 0, NULL, ring_addr_wraps},
	{"address_is_all_ones", true, 0, NULL, ring_addr_top},
	{"address_has_bit_63", true, 0, NULL, ring_addr_high},
	{"length_is_all_ones", true, 0, NULL, ring_len_max},
	{"length_ends_one_past_ram", true, 0, NULL, ring_len_one_more},
	{"length_is_zero", false, 0, NULL, ring_len_zero},
	{"next_is_size", true, 0, NULL, ring_next_size},
	{"next_is_all_ones", true, 0, NULL, ring_next_max},
	{"loops_on_itself", true, 0, NULL, ring_loop_self},
	{"loops_to_its_head", true, 0, NULL, ring_loop_head},
	{"head_is_size", true, 0, NULL, ring_head_size},
	{"head_is_all_ones", true, 0, NULL, ring_head_max},
	{"avail_idx_is_past_size", true, 0, NULL, ring_idx_past_size},
	{"avail_idx_jumps_halfway", true, 0, NULL, ring_idx_half},
	{"avail_idx_goes_back", true, 0, NULL, ring_idx_back},
	{"same_head_many_times", false, 0, NULL, ring_same_head},
	{"data_goes_the_other_way", false, 0, NULL, ring_other_way},
	{"to_driver_before_from_driver", false, 0, NULL, ring_both_ways},
	{"unknown_flags", false, 0, NULL, ring_unknown_flags},
	{"data_is_the_table", false, 0, NULL, ring_data_is_table},
	{"data_is_the_used_ring", false, 0, NULL, ring_data_is_used},
	{"data_is_the_avail_ring", false, 0, NULL, ring_data_is_avail},
	{"no_header", true, 3, NULL, ring_no_header},
	{"short_header", true, 3, NULL, ring_short_header},
	{"header_goes_to_driver", true, 3, NULL, ring_header_to_driver},
	{"header_straddles_end_of_ram", true, 3, NULL, ring_header_outside},
	{"no_status", true, 3, NULL, ring_no_status},
	{"status_is_empty", false, 3, NULL, ring_status_empty},
	{"status_from_driver", true, 3, NULL, ring_status_from_driver},
	{"status_outside_ram", true, 3, NULL, ring_status_outside},
	{"kicked_two_thousand_times", false, 0, NULL, ring_kick_storm},
	{"kicked_on_queues_that_are_not", false, 0, NULL, ring_kick_wrong},
};
const unsigned int ring_ncases = sizeof(ring_cases) / sizeof(ring_cases[0]);

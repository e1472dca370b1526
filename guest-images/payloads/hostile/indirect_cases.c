/* SPDX-License-Identifier: Apache-2.0 */
/* indirect_cases - invalid tables of descriptors (virtio 1.2, 2.7.5.3). */
#include "guest-images/payloads/hostile/cases.h"

#define ENTRY ((uint32_t)sizeof(struct vring_desc))

/* indirect_table() - move the honest chain into an indirect table of its own.
 * Return: the table
 */
static struct vring_desc *indirect_table(struct rig *r)
{
	struct vring_desc *t = (void *)(r->arena + RIG_INDIRECT);

	memcpy(t, r->vq->desc, r->t->ndesc * ENTRY);
	r->d = &t[r->d - r->vq->desc];
	r->vq->desc[0] = (struct vring_desc){
		rig_addr(r, RIG_INDIRECT), r->t->ndesc * ENTRY, VRING_DESC_F_INDIRECT, 0};
	return t;
}

static void indirect_honest(struct rig *r)
{
	indirect_table(r);
}
static void indirect_write_flag(struct rig *r)
{
	/* the device has to ignore it */
	indirect_table(r);
	r->vq->desc[0].flags |= VRING_DESC_F_WRITE;
}
static void indirect_empty(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].len = 0;
}
static void indirect_len_15(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].len = 15;
}
static void indirect_len_odd(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].len += 8;
}
static void indirect_len_64k(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].len = 65537 * ENTRY; /* 1, where a count has 16 bits */
}
static void indirect_len_max(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].len = 0xfffffff0;
}
static void indirect_nested(struct rig *r)
{
	struct vring_desc *t = indirect_table(r);

	t[8] = t[0];
	t[0] = (struct vring_desc){rig_addr(r, RIG_INDIRECT) + 8 * ENTRY, ENTRY,
				   VRING_DESC_F_INDIRECT, 0};
}
static void indirect_and_next(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].flags |= VRING_DESC_F_NEXT;
	r->vq->desc[0].next = 8;
	r->vq->desc[8] = (struct vring_desc){rig_addr(r, RIG_HDR), 8, 0, 0};
}
static void indirect_outside(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].addr = cases_ram_end() - 8;
}
static void indirect_wraps(struct rig *r)
{
	indirect_table(r);
	r->vq->desc[0].addr = UINT64_MAX - 7;
}
static void indirect_misaligned(struct rig *r)
{
	struct vring_desc *t = indirect_table(r);

	memmove((uint8_t *)t + 1, t, r->t->ndesc * ENTRY);
	r->vq->desc[0].addr++;
}
static void indirect_next_outside(struct rig *r)
{
	indirect_table(r);
	r->d->flags |= VRING_DESC_F_NEXT;
	r->d->next = (uint16_t)r->t->ndesc;
}
static void indirect_loop(struct rig *r)
{
	struct vring_desc *t = indirect_table(r);

	r->d->flags |= VRING_DESC_F_NEXT;
	r->d->next = (uint16_t)(r->d - t);
}
/* indirect_long() - @n honest descriptors of one byte each */
static void indirect_long(struct rig *r, uint16_t n)
{
	struct vring_desc *t = (void *)(r->arena + RIG_INDIRECT);
	uint16_t flags = r->t->to_driver ? VRING_DESC_F_WRITE : 0;

	for (uint16_t i = 0; i < n; i++)
		t[i] = (struct vring_desc){rig_addr(r, RIG_DATA), 1,
					   (uint16_t)(flags | VRING_DESC_F_NEXT),
					   (uint16_t)(i + 1)};
	t[n - 1].flags = flags;
	r->vq->desc[0] = (struct vring_desc){rig_addr(r, RIG_INDIRECT), n * ENTRY,
					     VRING_DESC_F_INDIRECT, 0};
}
static void indirect_longer_than_queue(struct rig *r)
{
	indirect_long(r, RIG_QUEUE + 1);
}
static void indirect_longest(struct rig *r)
{
	indirect_long(r, 1024);
}

const struct hostile_case indirect_cases[] = {
	{"indirect", false, 0, NULL, indirect_honest},
	{"indirect_with_write_flag", false, 0, NULL, indirect_write_flag},
	{"indirect_is_empty", true, 0, NULL, indirect_empty},
	{"indirect_of_15_bytes", true, 0, NULL, indirect_len_15},
	{"indirect_of_half_an_entry", true, 0, NULL, indirect_len_odd},
	{"indirect_of_65537_entries", true, 0, NULL, indirect_len_64k},
	{"indirect_of_4_gib", true, 0, NULL, indirect_len_max},
	{"indirect_in_indirect", true, 0, NULL, indirect_nested},
	{"indirect_and_next", true, 0, NULL, indirect_and_next},
	{"indirect_straddles_end_of_ram", true, 0, NULL, indirect_outside},
	{"indirect_wraps", true, 0, NULL, indirect_wraps},
	{"indirect_misaligned", false, 0, NULL, indirect_misaligned},
	{"indirect_next_outside_table", true, 0, NULL, indirect_next_outside},
	{"indirect_loops", true, 0, NULL, indirect_loop},
	{"indirect_longer_than_queue", false, 0, NULL, indirect_longer_than_queue},
	{"indirect_of_1024_pieces", false, 0, NULL, indirect_longest},
};
const unsigned int indirect_ncases = sizeof(indirect_cases) / sizeof(indirect_cases[0]);

/* SPDX-License-Identifier: Apache-2.0 */
/* rig - see rig.h. */
#include <linux/virtio_blk.h>

#include "guest-images/payloads/hostile/rig.h"

#define BIT(n)   (UINT64_C(1) << (n))
#define SENTINEL 0xa5

const struct target rig_targets[] = {
	{"blk", VIRTIO_ID_BLOCK, 0, 1, 3, 4096, true, true},
	{"rng", VIRTIO_ID_RNG, 0, 1, 1, 64, true, true},
	{"net-tx", VIRTIO_ID_NET, 1, 2, 1, 76, false, true},
	{"net-rx", VIRTIO_ID_NET, 0, 2, 1, 2048, true, false},
	{"console-tx", VIRTIO_ID_CONSOLE, 1, 2, 1, 1, false, true},
	{"console-rx", VIRTIO_ID_CONSOLE, 0, 2, 1, 64, true, false},
	{"vsock-tx", VIRTIO_ID_VSOCK, 1, 2, 1, 44, false, true},
	{"vsock-rx", VIRTIO_ID_VSOCK, 0, 2, 1, 2048, true, false},
	{"button-status", VIRTIO_ID_INPUT, 1, 2, 1, 8, false, true},
	{"button-events", VIRTIO_ID_INPUT, 0, 2, 1, 8, true, false},
};
const unsigned int rig_ntargets = sizeof(rig_targets) / sizeof(rig_targets[0]);

/* rig_memory() - the queue that we attack has room for one descriptor more than it says, an
 * honest one: so chance does not stop a device that reads past the table's end
 */
static void rig_memory(struct vq *q)
{
	static struct vring_desc *desc;
	static struct vring_avail *avail;
	static struct vring_used *used;

	if (!desc) {
		desc = rt_alloc((RIG_QUEUE + 1) * sizeof(*desc), 16);
		avail = rt_alloc(6 + 2 * RIG_QUEUE, 2);
		used = rt_alloc(6 + sizeof(struct vring_used_elem) * RIG_QUEUE, 4);
	}
	q->desc = desc;
	q->avail = avail;
	q->used = used;
}

bool rig_open(struct rig *r, const struct target *t)
{
	static uint8_t *arena, *shadow;

	if (!arena) {
		arena = rt_alloc(RIG_ARENA, 4096);
		shadow = rt_alloc(RIG_ARENA, 4096);
	}
	memset(r, 0, sizeof(*r));
	r->t = t;
	r->arena = arena;
	r->shadow = shadow;
	r->vq = &r->q[t->qi];
	rig_memory(r->vq);
	return vio_find(&r->v, t->id, 0);
}

bool rig_begin(struct rig *r)
{
	if (!vio_begin(&r->v, BIT(VIRTIO_RING_F_INDIRECT_DESC)))
		return false;
	for (unsigned int i = 0; i < r->t->nq; i++)
		if (!vq_init(&r->q[i], &r->v, i, RIG_QUEUE))
			return false;
	return true;
}

/* rig_watched() - the last bytes of region @i, if nothing of ours is there */
static uint8_t *rig_watched(unsigned int i)
{
	const struct rt_region *m = &rt_boot.region[i];
	uint64_t end = m->base + m->len;

	if (m->len < RIG_WATCH || end - RIG_WATCH < rt_alloc_top())
		return NULL;
	rt_map(end - RIG_WATCH, RIG_WATCH);
	return (uint8_t *)(uintptr_t)(end - RIG_WATCH);
}

void rig_lay(struct rig *r)
{
	const struct target *t = r->t;
	struct vring_desc *d = r->vq->desc;
	struct virtio_blk_outhdr hdr = {.type = VIRTIO_BLK_T_IN};
	unsigned int i = 0;

	memset(r->arena, SENTINEL, RIG_ARENA);
	memcpy(r->arena + RIG_HDR, &hdr, sizeof(hdr));
	if (!t->to_driver) /* an empty virtio_net_hdr, NUL, a packet from no CID */
		memset(r->arena + RIG_DATA, 0, t->len);
	for (unsigned int k = 0; k < rt_boot.nregion; k++)
		if (rig_watched(k))
			memset(rig_watched(k), SENTINEL, RIG_WATCH);
	if (t->ndesc == 3)
		d[i++] = (struct vring_desc){rig_addr(r, RIG_HDR), sizeof(hdr),
					     VRING_DESC_F_NEXT, 1};
	r->d = &d[i++];
	*r->d = (struct vring_desc){rig_addr(r, RIG_DATA), t->len,
				    t->to_driver ? VRING_DESC_F_WRITE : 0, 0};
	if (t->ndesc == 3) {
		r->d->flags |= VRING_DESC_F_NEXT;
		r->d->next = 2;
		d[i++] = (struct vring_desc){rig_addr(r, RIG_STATUS), 1,
					     VRING_DESC_F_WRITE, 0};
	}
	d[RIG_QUEUE] = *r->d;
	d[RIG_QUEUE].flags &= (uint16_t)~VRING_DESC_F_NEXT;
	r->vq->avail->ring[0] = 0;
	r->idx = 1;
	r->notify = t->qi;
	r->any_memory = r->damaged = false;
}

/* rig_lent() - may the device have written arena byte @off? */
static bool rig_lent(const struct rig *r, unsigned int off)
{
	if (off >= RIG_DATA && off < RIG_DATA + r->t->len)
		return r->t->to_driver;
	return r->t->ndesc == 3 && off == RIG_STATUS;
}

bool rig_undamaged(const struct rig *r)
{
	if (r->damaged)
		return false;
	if (r->any_memory)
		return true;
	for (unsigned int i = 0; i < RIG_ARENA; i++)
		if (r->arena[i] != r->shadow[i] && !rig_lent(r, i)) {
			print("  arena + 0x%x was written\n", i);
			return false;
		}
	for (unsigned int k = 0; k < rt_boot.nregion; k++) {
		const uint8_t *p = rig_watched(k);

		for (unsigned int i = 0; p && i < RIG_WATCH; i++)
			if (p[i] != SENTINEL) {
				print("  0x%lx was written\n", (uintptr_t)p + i);
				return false;
			}
	}
	return true;
}

/* rig_answer() - a chain came back: does it say that it was carried out? */
static enum verdict rig_answer(const struct rig *r)
{
	const volatile struct vring_used_elem *e = r->vq->used->ring;

	if (r->t->ndesc == 3)
		return read8(rig_addr(r, RIG_STATUS)) == VIRTIO_BLK_S_OK ? V_PASS
									 : V_REJECT;
	if (r->t->to_driver)
		return e->len ? V_PASS : V_REJECT;
	return V_PASS;
}

enum verdict rig_go(struct rig *r, uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	memcpy(r->shadow, r->arena, RIG_ARENA);
	__atomic_store_n(&r->vq->avail->idx, r->idx, __ATOMIC_RELEASE);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_NOTIFY, r->notify);
	do {
		if (vio_status(&r->v) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return V_REJECT;
		if (__atomic_load_n(&r->vq->used->idx, __ATOMIC_ACQUIRE))
			return rig_answer(r);
	} while (now_ns() < end);
	return V_SILENT;
}

bool rig_works(struct rig *r)
{
	const struct target *t = r->t;
	enum verdict v;

	if (!rig_begin(r))
		return false;
	vio_driver_ok(&r->v);
	rig_lay(r);
	v = rig_go(r, t->answers ? VIO_WAIT_NS : 0);
	return (v == V_PASS || (v == V_SILENT && !t->answers)) && rig_undamaged(r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* virtio - see virtio.h. */
#include "guest-images/payloads/rt/virtio.h"
#include "vmm/core/layout_x86.h"

#define VIO_MAGIC   0x74726976 /* "virt" */
#define VIO_STRIDE  0x1000
#define VIO_WINDOWS 32

uint64_t vio_window(unsigned int i)
{
	static uint64_t base, stride;

	/* another VMM has its windows elsewhere: the command line says where */
	if (!base) {
		base = cmdline_u64("virtio", LAYOUT_VIRTIO);
		stride = cmdline_u64("virtio_stride", VIO_STRIDE);
	}
	if (i >= VIO_WINDOWS || read32(base + i * stride) != VIO_MAGIC)
		return 0;
	return base + i * stride;
}

bool vio_find(struct vio *v, uint32_t id, unsigned int nth)
{
	*v = (struct vio){.id = id};
	for (unsigned int i = 0; (v->base = vio_window(i)); i++)
		if (vio_read(v, VIRTIO_MMIO_DEVICE_ID) == id && !nth--)
			return true;
	return false;
}

uint64_t vio_offered(const struct vio *v)
{
	uint64_t f;

	vio_write(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	f = (uint64_t)vio_read(v, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	vio_write(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return f | vio_read(v, VIRTIO_MMIO_DEVICE_FEATURES);
}

uint8_t vio_status(const struct vio *v)
{
	return (uint8_t)vio_read(v, VIRTIO_MMIO_STATUS);
}

bool vio_reset(const struct vio *v)
{
	uint64_t end = now_ns() + VIO_WAIT_NS;

	vio_write(v, VIRTIO_MMIO_STATUS, 0);
	while (vio_status(v))
		if (now_ns() > end)
			return false;
	return true;
}

bool vio_begin(struct vio *v, uint64_t wanted)
{
	const uint32_t begun = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	if (!vio_reset(v))
		return false;
	vio_write(v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	vio_write(v, VIRTIO_MMIO_STATUS, begun);
	v->features = vio_offered(v) & (wanted | UINT64_C(1) << VIRTIO_F_VERSION_1);
	vio_write(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vio_write(v, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(v->features >> 32));
	vio_write(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	vio_write(v, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)v->features);
	vio_write(v, VIRTIO_MMIO_STATUS, begun | VIRTIO_CONFIG_S_FEATURES_OK);
	return vio_status(v) == (begun | VIRTIO_CONFIG_S_FEATURES_OK);
}

void vio_driver_ok(const struct vio *v)
{
	vio_write(v, VIRTIO_MMIO_STATUS,
		  VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			  VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
}

uint64_t vio_config64(const struct vio *v, unsigned int off)
{
	return vio_read(v, VIRTIO_MMIO_CONFIG + off) |
	       (uint64_t)vio_read(v, VIRTIO_MMIO_CONFIG + off + 4) << 32;
}

static void vio_write64(const struct vio *v, unsigned int low, const void *p)
{
	vio_write(v, low, (uint32_t)(uintptr_t)p);
	vio_write(v, low + 4, (uint32_t)((uintptr_t)p >> 32));
}

bool vq_init(struct vq *q, struct vio *v, unsigned int qi, uint16_t size)
{
	uint32_t max;

	vio_write(v, VIRTIO_MMIO_QUEUE_SEL, qi);
	max = vio_read(v, VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (!max)
		return false;
	if (!q->desc) {
		q->desc = rt_alloc(size * sizeof(struct vring_desc), 16);
		q->avail = rt_alloc(6 + 2 * (size_t)size, 2);
		q->used = rt_alloc(6 + sizeof(struct vring_used_elem) * size, 4);
	}
	q->size = size < max ? size : (uint16_t)max;
	q->v = v;
	q->qi = qi;
	q->added = q->kicked = q->seen = q->free = 0;
	q->nfree = q->size;
	for (uint16_t i = 0; i < q->size; i++)
		q->desc[i].next = (uint16_t)(i + 1);
	memset(q->avail, 0, 6 + 2 * (size_t)q->size);
	memset(q->used, 0, 6 + sizeof(struct vring_used_elem) * q->size);
	q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	vio_write(v, VIRTIO_MMIO_QUEUE_NUM, q->size);
	vio_write64(v, VIRTIO_MMIO_QUEUE_DESC_LOW, q->desc);
	vio_write64(v, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q->avail);
	vio_write64(v, VIRTIO_MMIO_QUEUE_USED_LOW, q->used);
	vio_write(v, VIRTIO_MMIO_QUEUE_READY, 1);
	return true;
}

int vq_add(struct vq *q, const struct vbuf *b, unsigned int n)
{
	uint16_t head = q->free, d = head;

	if (!n || n > q->nfree)
		return -1;
	for (unsigned int i = 0; i < n; i++) {
		uint16_t next = q->desc[d].next;

		q->desc[d].addr = (uintptr_t)b[i].p;
		q->desc[d].len = b[i].len;
		q->desc[d].flags = (uint16_t)((b[i].to_driver ? VRING_DESC_F_WRITE : 0) |
					      (i + 1 < n ? VRING_DESC_F_NEXT : 0));
		d = next;
	}
	q->free = d;
	q->nfree = (uint16_t)(q->nfree - n);
	q->avail->ring[q->added % q->size] = head;
	q->added++;
	__atomic_store_n(&q->avail->idx, q->added, __ATOMIC_RELEASE);
	return head;
}

static bool vq_kick_wanted(const struct vq *q)
{
	const uint16_t *event;

	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* our idx is out before we look */
	if (!(q->v->features & UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX))
		return !(*(volatile uint16_t *)&q->used->flags & VRING_USED_F_NO_NOTIFY);
	event = (const uint16_t *)(const void *)&q->used->ring[q->size];
	return vring_need_event(__atomic_load_n(event, __ATOMIC_ACQUIRE), q->added,
				q->kicked);
}

void vq_kick(struct vq *q)
{
	if (vq_kick_wanted(q))
		vio_write(q->v, VIRTIO_MMIO_QUEUE_NOTIFY, q->qi);
	q->kicked = q->added;
}

int vq_take(struct vq *q, uint32_t *written)
{
	const struct vring_used_elem *e;
	uint16_t d, n = 1;

	if (__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) == q->seen)
		return -1;
	e = &q->used->ring[q->seen % q->size];
	if (e->id >= q->size) {
		print("FAIL: queue %u: used id %u of %u\n", q->qi, e->id, q->size);
		guest_panic();
	}
	q->seen++;
	/* used_event far in the past: we poll */
	q->avail->ring[q->size] = (uint16_t)(q->seen - 1);
	for (d = (uint16_t)e->id; q->desc[d].flags & VRING_DESC_F_NEXT; n++)
		d = q->desc[d].next;
	q->desc[d].next = q->free;
	q->free = (uint16_t)e->id;
	q->nfree = (uint16_t)(q->nfree + n);
	if (written)
		*written = e->len;
	return (int)e->id;
}

int vq_wait(struct vq *q, uint32_t *written)
{
	uint64_t end = now_ns() + VIO_WAIT_NS;
	int head;

	while ((head = vq_take(q, written)) < 0)
		if (now_ns() > end)
			return -1;
	return head;
}

bool vq_request(struct vq *q, const struct vbuf *b, unsigned int n, uint32_t *written)
{
	int head = vq_add(q, b, n);

	if (head < 0)
		return false;
	vq_kick(q);
	return vq_wait(q, written) == head;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio - the driver's side of virtio-mmio and the split ring (virtio 1.2, 2.7 and 4.2), polled.
 * It keeps to the rules; a test that breaks them reaches into struct vq.
 */
#ifndef PAYLOAD_VIRTIO_H
#define PAYLOAD_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "guest-images/payloads/rt/rt.h"

#define VIO_WAIT_NS UINT64_C(3000000000) /* no answer by then: the device is wedged */

struct vio {
	uint64_t base;
	uint32_t id;
	uint64_t features; /* what both sides agreed on */
};

struct vq {
	struct vio *v;
	unsigned int qi;
	uint16_t size;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t added;  /* avail->idx, ours */
	uint16_t kicked; /* avail->idx at the last kick */
	uint16_t seen;   /* used->idx as far as we took it */
	uint16_t free, nfree;
};

/* A piece of a request */
struct vbuf {
	void *p;
	uint32_t len;
	bool to_driver; /* the device fills it */
};

/* vio_window() - window @i.  Return: its address; 0 if there is no device */
uint64_t vio_window(unsigned int i);
/* vio_find() - the @nth device of kind @id */
bool vio_find(struct vio *v, uint32_t id, unsigned int nth);

static inline uint32_t vio_read(const struct vio *v, unsigned int reg)
{
	return read32(v->base + reg);
}
static inline void vio_write(const struct vio *v, unsigned int reg, uint32_t val)
{
	write32(v->base + reg, val);
}
uint64_t vio_offered(const struct vio *v);
uint8_t vio_status(const struct vio *v);
/* vio_reset() - and wait until it is done.  Return: false if it never is */
bool vio_reset(const struct vio *v);
/* vio_begin() - reset to FEATURES_OK, agreeing on what is offered out of @wanted and
 * VERSION_1.  Return: false if the device does not take it
 */
bool vio_begin(struct vio *v, uint64_t wanted);
void vio_driver_ok(const struct vio *v);
uint64_t vio_config64(const struct vio *v, unsigned int off);

/* vq_init() - allocate (once) and program queue @qi with at most @size descriptors.
 * Return: false if the device has no such queue
 */
bool vq_init(struct vq *q, struct vio *v, unsigned int qi, uint16_t size);
/* vq_add() - make a chain of @b available.  Return: its head, or -1 when there is no room */
int vq_add(struct vq *q, const struct vbuf *b, unsigned int n);
/* vq_kick() - notify, if the device asks for it */
void vq_kick(struct vq *q);
/* vq_take() - next used chain, its descriptors free again.  Return: its head, or -1 */
int vq_take(struct vq *q, uint32_t *written);
/* vq_wait() - the same, waiting for it.  Return: -1 when nothing comes for VIO_WAIT_NS */
int vq_wait(struct vq *q, uint32_t *written);
/* vq_request() - one chain there and back.  Return: false if it does not come back */
bool vq_request(struct vq *q, const struct vbuf *b, unsigned int n, uint32_t *written);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio - the virtio-mmio transport, version 2 (virtio 1.2, 4.2): registers and status.
 *
 * Theory: reads are answered from a page that the machine may map into the guest, so each write
 * that changes a register's value stores the new value there (mmio_show()). Writes pass a gate
 * for the device's state: a write that is not allowed now is dropped, which the driver can see by
 * reading back.
 */
#include "devices/virtio/mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* What the transport and its queues support for every device */
#define MMIO_FEATURES                                                       \
	((1ULL << VIRTIO_F_VERSION_1) | (1ULL << VIRTIO_RING_F_EVENT_IDX) | \
	 (1ULL << VIRTIO_RING_F_INDIRECT_DESC))

/* The steps of virtio 1.2, 3.1.1, one at a time.  FAILED may be added to any state, a
 * reset is possible from any; nothing else is.
 */
static const struct {
	uint32_t from, to;
} mmio_steps[] = {
	{0, S_ACK},
	{S_ACK, S_ACK | S_DRIVER},
	{S_ACK | S_DRIVER, S_ACK | S_DRIVER | S_FEATURES_OK},
	{S_ACK | S_DRIVER | S_FEATURES_OK,
	 S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK},
};

static struct virtq *mmio_queue(struct mmio *m)
{
	return m->queue_sel < m->v->nvq ? &m->v->vq[m->queue_sel] : NULL;
}

static uint64_t mmio_read(struct device *d, uint64_t off, unsigned int size)
{
	struct mmio *m = container_of(d, struct mmio, dev);
	uint64_t val = 0;

	memcpy(&val, m->page + off, size);
	return val;
}

void mmio_reset(struct device *d)
{
	struct mmio *m = container_of(d, struct mmio, dev);
	struct virtio_dev *v = m->v;

	v->active = false;
	mmio_kicks_sleep(m);
	/* 2.4.1: wait for requests in flight, even if the host hangs */
	d->waiting = true;
	if (m->activated || m->loaded)
		v->ops->reset(v);
	d->waiting = false;
	m->activated = m->loaded = false;
	for (unsigned int i = 0; i < v->nvq; i++)
		virtq_init(&v->vq[i], v->vq[i].size_max);
	v->acked = 0;
	m->driver_features = 0;
	m->device_features_sel = m->driver_features_sel = m->queue_sel = 0;
	m->interrupt = 0;
	m->status = 0;
	mmio_show_all(m);
}

/* May FEATURES_OK be set?  (virtio 1.2, 2.2.2: a subset; 6.1: VERSION_1 or nothing) */
static bool mmio_accept_features(struct mmio *m)
{
	if ((m->driver_features & ~m->v->offered) ||
	    !(m->driver_features & (1ULL << VIRTIO_F_VERSION_1)))
		return false;
	m->v->acked = m->driver_features;
	return true;
}

static void mmio_fail(struct mmio *m)
{
	log_guest("%s: the guest's driver has given up on the device", m->v->name);
	m->v->active = false;
	mmio_kicks_sleep(m);
	mmio_set_status(m, m->status | S_FAILED);
}

static void mmio_write_status(struct mmio *m, uint32_t val)
{
	if (val == 0) {
		mmio_reset(&m->dev);
		return;
	}
	if ((val & S_FAILED) && !(m->status & S_FAILED)) {
		mmio_fail(m);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(mmio_steps); i++) {
		if (m->status != mmio_steps[i].from || val != mmio_steps[i].to)
			continue;
		if (val == (S_ACK | S_DRIVER | S_FEATURES_OK) && !mmio_accept_features(m))
			return;
		mmio_set_status(m, val);
		if (val & S_DRIVER_OK)
			(void)mmio_activate(m);
		return;
	}
}

static void mmio_write_features(struct mmio *m, uint32_t val)
{
	unsigned int shift = 32 * m->driver_features_sel;

	if (m->status != (S_ACK | S_DRIVER) || m->driver_features_sel > 1)
		return;
	m->driver_features &= ~((uint64_t)UINT32_MAX << shift);
	m->driver_features |= (uint64_t)val << shift;
}

static void mmio_set_low(gpa_t *a, uint32_t val)
{
	*a = (*a & ~(gpa_t)UINT32_MAX) | val;
}

static void mmio_set_high(gpa_t *a, uint32_t val)
{
	*a = (*a & UINT32_MAX) | (gpa_t)val << 32;
}

/* The selected queue's registers, between FEATURES_OK and DRIVER_OK; all but QueueReady
 * only while the queue is not ready
 */
static void mmio_write_queue(struct mmio *m, uint64_t off, uint32_t val)
{
	struct virtq *q = mmio_queue(m);

	if (!q || m->status != (S_ACK | S_DRIVER | S_FEATURES_OK))
		return;
	if (off == VIRTIO_MMIO_QUEUE_READY) {
		q->ready = val & 1;
		mmio_show(m, VIRTIO_MMIO_QUEUE_READY, q->ready);
		return;
	}
	if (q->ready)
		return;
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		/* too many: none, which virtq_map() refuses */
		q->size = (uint16_t)(val <= q->size_max ? val : 0);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		mmio_set_low(&q->desc, val);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		mmio_set_high(&q->desc, val);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		mmio_set_low(&q->avail, val);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		mmio_set_high(&q->avail, val);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		mmio_set_low(&q->used, val);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		mmio_set_high(&q->used, val);
		break;
	default:
		break;
	}
}

static void mmio_write_register(struct mmio *m, uint64_t off, uint32_t val)
{
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		m->device_features_sel = val;
		mmio_show_selected(m);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		m->driver_features_sel = val;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		m->queue_sel = val;
		mmio_show_selected(m);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		mmio_write_features(m, val);
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		mmio_kick(m->v, val);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		mmio_ack(m, val);
		break;
	case VIRTIO_MMIO_STATUS:
		mmio_write_status(m, val);
		break;
	default:
		mmio_write_queue(m, off, val);
		break;
	}
}

static void mmio_write_config(struct mmio *m, uint64_t off, unsigned int size,
			      uint64_t val)
{
	struct virtio_dev *v = m->v;

	if (off + size > v->config_writable)
		return;
	memcpy((uint8_t *)v->config + off, &val, size);
	v->ops->config_written(v, (unsigned int)off, size);
	mmio_show_config(m);
}

static void mmio_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	struct mmio *m = container_of(d, struct mmio, dev);

	if (off >= VIRTIO_MMIO_CONFIG)
		mmio_write_config(m, off - VIRTIO_MMIO_CONFIG, size, val);
	else if (size == 4 && off % 4 == 0) /* the only legal access (4.2.2.2) */
		mmio_write_register(m, off, (uint32_t)val);
}

/* What changes the device's life, or is the device's own affair */
static bool mmio_slow(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	const struct mmio *m = container_of(d, struct mmio, dev);

	if (off >= VIRTIO_MMIO_CONFIG)
		return off - VIRTIO_MMIO_CONFIG + size <= m->v->config_writable;
	return off == VIRTIO_MMIO_STATUS &&
	       (val == 0 ? m->activated || m->loaded
			 : (val & (S_DRIVER_OK | S_FAILED)) != 0);
}

bool mmio_plausible(const struct mmio *m)
{
	uint32_t status = m->status & ~(uint32_t)(S_FAILED | S_NEEDS_RESET);
	bool reachable = status == 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(mmio_steps); i++)
		reachable |= status == mmio_steps[i].to;
	if (!reachable || (m->v->acked & ~m->v->offered))
		return false;
	if (status & S_FEATURES_OK)
		return true;
	for (unsigned int i = 0; i < m->v->nvq; i++)
		if (m->v->vq[i].ready || m->v->vq[i].size)
			return false;
	return m->v->acked == 0;
}

static void mmio_destroy(struct device *d)
{
	struct mmio *m = container_of(d, struct mmio, dev);

	mmio_kicks_fini(m);
	m->v->ops->destroy(m->v);
	device_fini(d);
	free(m);
}

static const struct device_ops mmio_ops = {
	.arm = mmio_arm,
	.read = mmio_read,
	.write = mmio_write,
	.reset = mmio_reset,
	.rest = mmio_rest,
	.wake = mmio_wake,
	.state = mmio_state,
	.destroy = mmio_destroy,
};

struct device *virtio_mmio_create(struct virtio_dev *v, uint64_t base, unsigned int gsi,
				  uint8_t *page, struct err *e)
{
	struct mmio *m = calloc(1, sizeof(*m) + v->nvq * sizeof(m->kick[0]));
	int rc;

	BUG_ON(v->nvq == 0 || v->nvq > VIRTIO_QUEUES_MAX ||
	       v->config_writable > v->config_len ||
	       v->config_len > VIRTIO_MMIO_WINDOW - VIRTIO_MMIO_CONFIG);
	if (!m) {
		err_set(e, ENOMEM, "%s: the host is out of memory", v->name);
		return NULL;
	}
	device_init(&m->dev, &mmio_ops, DEVICE_VIRTIO_MMIO, v->name, base,
		    VIRTIO_MMIO_WINDOW);
	rc = irq_init(&m->dev.irq, gsi);
	if (rc < 0) {
		err_set(e, -rc, "%s: no eventfd for its interrupt (%s); raise ulimit -n",
			v->name, strerror(-rc));
		device_fini(&m->dev);
		free(m);
		return NULL;
	}
	m->dev.slow = mmio_slow;
	m->v = v;
	m->page = page;
	mmio_kicks_init(m);
	mmio_poll_init(m);
	if (!v->elsewhere)
		v->offered |= MMIO_FEATURES;
	v->dev = &m->dev;
	v->transport = &mmio_transport;
	mmio_show_all(m);
	return &m->dev;
}

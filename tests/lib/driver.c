/* SPDX-License-Identifier: Apache-2.0 */
/* driver - a guest with one virtio device, driven through its registers. */
#include "tests/lib/driver.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "vmm/core/util.h"

static int driver_bind(struct doorbells *b, uint64_t addr, uint32_t value, int fd)
{
	struct driver *d = container_of(b, struct driver, doorbells);

	BUG_ON(d->nbound == ARRAY_SIZE(d->bound));
	d->bound[d->nbound].addr = addr;
	d->bound[d->nbound].value = value;
	d->bound[d->nbound++].fd = fd;
	return d->binds ? 0 : -1;
}

static void driver_timer(struct loop_source *s, uint32_t events)
{
	struct driver *d = container_of(s, struct driver, timer);
	uint64_t n;

	(void)events;
	(void)!read(s->fd, &n, sizeof(n));
	loop_stop(d->loop);
}

static void driver_must(const struct driver *d, bool ok)
{
	if (ok)
		return;
	(void)fprintf(stderr, "driver: %s\n", d->err.msg);
	abort();
}

static void driver_set_up(struct driver *d, uint64_t ram, bool shared)
{
	memset(d, 0, sizeof(*d));
	gmem_init(&d->mem, false);
	if (shared)
		gmem_share(&d->mem);
	driver_must(d, gmem_add(&d->mem, 0, ram, &d->err) == 0);
	driver_must(d, gmem_add(&d->mem, DRIVER_HIGH, DRIVER_HIGH_LEN, &d->err) == 0);
	d->heap = DRIVER_HEAP;
	d->heap_end = ram;
	d->loop = loop_create();
	BUG_ON(!d->loop);
	d->pool = work_pool_create(d->loop, 2);
	BUG_ON(!d->pool);
	d->timer = (struct loop_source){
		.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.events = EPOLLIN,
		.fn = driver_timer,
	};
	BUG_ON(loop_add(d->loop, &d->timer) < 0);
	d->page = aligned_alloc(VIRTIO_MMIO_WINDOW, VIRTIO_MMIO_WINDOW);
	BUG_ON(!d->page);
	memset(d->page, 0, VIRTIO_MMIO_WINDOW);
	d->doorbells.bind = driver_bind;
	d->env = (struct virtio_env){
		.cfg = &d->cfg,
		.mem = &d->mem,
		.loop = d->loop,
		.pool = d->pool,
		.doorbells = &d->doorbells,
	};
}

void driver_init(struct driver *d, uint64_t ram)
{
	driver_set_up(d, ram, false);
}

void driver_init_shared(struct driver *d, uint64_t ram)
{
	driver_set_up(d, ram, true);
}

void driver_plug(struct driver *d, struct virtio_dev *v)
{
	driver_must(d, v);
	d->v = v;
	d->dev = virtio_mmio_create(v, DRIVER_BASE, DRIVER_GSI, d->page, &d->err);
	driver_must(d, d->dev);
}

void driver_unplug(struct driver *d)
{
	if (!d->dev)
		return;
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	d->dev->ops->destroy(d->dev);
	d->dev = NULL;
	d->v = NULL;
	d->nbound = 0;
	memset(d->page, 0, VIRTIO_MMIO_WINDOW);
}

void driver_fini(struct driver *d)
{
	driver_unplug(d);
	work_pool_destroy(d->pool);
	loop_del(d->loop, &d->timer);
	close(d->timer.fd);
	loop_destroy(d->loop);
	gmem_fini(&d->mem);
	free(d->page);
}

gpa_t driver_alloc(struct driver *d, size_t len, size_t align)
{
	gpa_t at = ALIGN_UP(d->heap, align);

	BUG_ON(at + len > d->heap_end);
	d->heap = at + len;
	return at;
}

void *driver_ptr(struct driver *d, gpa_t gpa, size_t len)
{
	void *p = gmem_slice(&d->mem, gpa, len);

	BUG_ON(!p);
	return p;
}

uint64_t driver_read_n(struct driver *d, unsigned int off, unsigned int size)
{
	uint64_t val;

	pthread_mutex_lock(&d->dev->lock);
	val = d->dev->ops->read(d->dev, off, size);
	pthread_mutex_unlock(&d->dev->lock);
	return val;
}

void driver_write_n(struct driver *d, unsigned int off, unsigned int size, uint64_t val)
{
	pthread_mutex_lock(&d->dev->lock);
	d->dev->ops->write(d->dev, off, size, val);
	pthread_mutex_unlock(&d->dev->lock);
}

uint32_t driver_read(struct driver *d, unsigned int off)
{
	return (uint32_t)driver_read_n(d, off, 4);
}

void driver_write(struct driver *d, unsigned int off, uint32_t val)
{
	driver_write_n(d, off, 4, val);
}

uint32_t driver_status(struct driver *d)
{
	return driver_read(d, VIRTIO_MMIO_STATUS);
}

bool driver_broken(struct driver *d)
{
	return driver_status(d) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

uint64_t driver_offered(struct driver *d)
{
	uint64_t features;

	driver_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	features = (uint64_t)driver_read(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	driver_write(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return features | driver_read(d, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void driver_add_status(struct driver *d, uint32_t bit)
{
	driver_write(d, VIRTIO_MMIO_STATUS, driver_status(d) | bit);
}

uint64_t driver_negotiate(struct driver *d, uint64_t features)
{
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
	driver_add_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	driver_add_status(d, VIRTIO_CONFIG_S_DRIVER);
	features &= driver_offered(d);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_write(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
	driver_add_status(d, VIRTIO_CONFIG_S_FEATURES_OK);
	return driver_status(d) & VIRTIO_CONFIG_S_FEATURES_OK ? features : 0;
}

static void driver_write_gpa(struct driver *d, unsigned int off, gpa_t gpa)
{
	driver_write(d, off, (uint32_t)gpa);
	driver_write(d, off + 4, (uint32_t)(gpa >> 32));
}

void driver_queue(struct driver *d, unsigned int qi, uint16_t size)
{
	struct driver_ring *r = &d->ring[qi];

	driver_ring_init(r, &d->mem, driver_alloc(d, driver_ring_len(size), 16), size,
			 d->v->acked & (1ULL << VIRTIO_RING_F_EVENT_IDX));
	driver_write(d, VIRTIO_MMIO_QUEUE_SEL, qi);
	driver_write(d, VIRTIO_MMIO_QUEUE_NUM, size);
	driver_write_gpa(d, VIRTIO_MMIO_QUEUE_DESC_LOW, r->desc);
	driver_write_gpa(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, r->avail);
	driver_write_gpa(d, VIRTIO_MMIO_QUEUE_USED_LOW, r->used);
	driver_write(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

uint64_t driver_bring_up(struct driver *d, uint64_t features)
{
	features = driver_negotiate(d, features);
	if (!features)
		return 0;
	for (unsigned int qi = 0; qi < d->v->nvq; qi++)
		driver_queue(d, qi, d->v->vq[qi].size_max);
	driver_add_status(d, VIRTIO_CONFIG_S_DRIVER_OK);
	return features;
}

void driver_kick(struct driver *d, unsigned int qi)
{
	driver_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, qi);
}

int driver_send(struct driver *d, unsigned int qi, const struct driver_buf *b,
		unsigned int n)
{
	int head = driver_add(&d->ring[qi], b, n);

	if (head >= 0 && driver_publish(&d->ring[qi]))
		driver_kick(d, qi);
	return head;
}

void driver_pump(struct driver *d)
{
	loop_stop(d->loop);
	BUG_ON(loop_run(d->loop) < 0);
}

void driver_settle(struct driver *d)
{
	for (unsigned int i = 0; i < 8;
	     i++) /* the longest chain of causes has three links */
		driver_pump(d);
}

void driver_run(struct driver *d, unsigned int ms)
{
	struct itimerspec t = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L + 1}};

	BUG_ON(timerfd_settime(d->timer.fd, 0, &t, NULL) < 0);
	BUG_ON(loop_run(d->loop) < 0);
	driver_settle(d);
}

bool driver_wait(struct driver *d, unsigned int qi, uint32_t *id, uint32_t *len)
{
	uint64_t end = monotonic_ns() + DRIVER_LONG;

	driver_pump(d);
	while (!driver_used(&d->ring[qi], id, len)) {
		if (driver_broken(d) || monotonic_ns() > end)
			return false;
		driver_run(d, 1);
	}
	return true;
}

unsigned int driver_irqs(struct driver *d)
{
	eventfd_t n;

	return eventfd_read(d->dev->irq.fd, &n) < 0 ? 0 : (unsigned int)n;
}

bool driver_rest(struct driver *d)
{
	bool rests;

	pthread_mutex_lock(&d->dev->lock);
	rests = d->dev->ops->rest(d->dev);
	pthread_mutex_unlock(&d->dev->lock);
	return rests;
}

void driver_wake(struct driver *d)
{
	pthread_mutex_lock(&d->dev->lock);
	d->dev->ops->wake(d->dev);
	pthread_mutex_unlock(&d->dev->lock);
}

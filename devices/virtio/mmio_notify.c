/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio_notify - the virtio-mmio transport's kicks and interrupts.
 *
 * Neither needs the guest to exit to us. A kick is an eventfd that the machine rings from inside
 * the kernel when the guest writes QueueNotify; if it can't, the write arrives here and rings the
 * same eventfd, so kicks are handled on the loop thread in any case.
 *
 * After an interrupt Linux reads InterruptStatus (from the mapped page: free) and writes it back
 * to InterruptACK. A write of 1, "used buffers" alone, has a doorbell of its own that is never
 * read, and so bit 0 of InterruptStatus, once set, stays set until a reset or an acknowledgement
 * together with bit 1. That is within the rules: the bit asks the driver to look at its queues
 * (virtio 1.2, 4.2.3.4), which it does when it is interrupted; a driver must tolerate an
 * interrupt for a queue with nothing new (2.7.7.1); and the line is edge-triggered, so a bit that
 * stays set raises nothing. An eventfd saturates when the kernel rings it, so one that is never
 * read is never full.
 *
 * For the same reason a device whose queues are served elsewhere can have bit 0 set while it is
 * active: its server pushes the line without us, and the driver must then find the bit set.
 */
#include "devices/virtio/mmio.h"
#include "vmm/core/fds.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void mmio_kicked(struct loop_source *s, uint32_t events)
{
	struct mmio *m = container_of(s->dev, struct mmio, dev);
	struct mmio_kick *k = container_of(s, struct mmio_kick, source);
	unsigned int qi = (unsigned int)(k - m->kick);
	eventfd_t count;

	(void)events;
	(void)eventfd_read(s->fd, &count); /* the count does not matter */
	mmio_served(m, qi);
}

void mmio_served(struct mmio *m, unsigned int qi)
{
	if (!m->v->active || !m->v->vq[qi].desc_p)
		return;
	m->v->vq[qi].budget = m->v->vq[qi].size;
	m->v->ops->kick(m->v, qi);
}

void mmio_kicks_init(struct mmio *m)
{
	m->ack_fd = -1;
	for (unsigned int i = 0; i < m->v->nvq; i++)
		m->kick[i].source = (struct loop_source){
			.fd = -1,
			.dev = &m->dev,
			.fn = mmio_kicked,
		};
}

void mmio_kicks_fini(struct mmio *m)
{
	for (unsigned int i = 0; i < m->v->nvq; i++) {
		struct loop_source *s = &m->kick[i].source;

		if (s->fd < 0)
			continue;
		loop_del(m->v->env->loop, s);
		close(s->fd);
		s->fd = -1;
	}
	if (m->ack_fd >= 0)
		close(m->ack_fd);
	m->ack_fd = -1;
}

int mmio_kicks_arm(struct mmio *m)
{
	for (unsigned int i = 0; i <= m->v->nvq; i++) {
		int *fd = i < m->v->nvq ? &m->kick[i].source.fd : &m->ack_fd;

		if (*fd < 0)
			*fd = fd_place(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), FD_WAKE);
		if (*fd < 0)
			return -errno;
	}
	return 0;
}

/* Offer an open doorbell to the hypervisor; if it refuses, the slow path remains */
static void mmio_bind(struct mmio *m, unsigned int off, uint32_t value, int fd,
		      bool *bound)
{
	struct doorbells *b = m->v->env->doorbells;

	if (!*bound)
		(void)b->bind(b, m->dev.base + off, value, fd);
	*bound = true;
}

int mmio_kicks_wake(struct mmio *m)
{
	struct virtio_dev *v = m->v;

	for (unsigned int i = 0; i < v->nvq; i++) {
		struct mmio_kick *k = &m->kick[i];

		if (!v->vq[i].ready)
			continue;
		mmio_bind(m, VIRTIO_MMIO_QUEUE_NOTIFY, i, k->source.fd, &k->bound);
		if (v->elsewhere)
			continue;
		loop_want(v->env->loop, &k->source, EPOLLIN);
		if (!k->source.events) { /* an unwatched queue would hang the driver */
			mmio_kicks_sleep(m);
			return -ENOSPC;
		}
	}
	loop_poll_want(v->env->loop, &m->poller, v->polled && !v->elsewhere);
	/* Without it acknowledgements exit to us, which only costs time. */
	mmio_bind(m, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING, m->ack_fd,
		  &m->ack_bound);
	return 0;
}

void mmio_kicks_sleep(struct mmio *m)
{
	loop_poll_want(m->v->env->loop, &m->poller, false);
	for (unsigned int i = 0; i < m->v->nvq; i++)
		loop_want(m->v->env->loop, &m->kick[i].source, 0);
}

void mmio_kick(struct virtio_dev *v, uint32_t qi)
{
	const struct mmio *m = mmio_of(v);
	const struct loop_source *s = &m->kick[qi < v->nvq ? qi : 0].source;

	if (qi < v->nvq && (s->events || (v->elsewhere && v->active)))
		(void)eventfd_write(s->fd, 1);
}

void mmio_interrupt(struct mmio *m, uint32_t bits)
{
	if ((m->interrupt & bits) != bits) {
		m->interrupt |= bits;
		mmio_show(m, VIRTIO_MMIO_INTERRUPT_STATUS, m->interrupt);
	}
	irq_pulse(&m->dev.irq);
}

void mmio_show_used(struct mmio *m)
{
	m->interrupt |= VIRTIO_MMIO_INT_VRING;
	mmio_show(m, VIRTIO_MMIO_INTERRUPT_STATUS, m->interrupt);
}

void mmio_ack(struct mmio *m, uint32_t bits)
{
	if (m->v->elsewhere && m->activated)
		bits &= ~(uint32_t)VIRTIO_MMIO_INT_VRING;
	m->interrupt &= ~bits;
	mmio_show(m, VIRTIO_MMIO_INTERRUPT_STATUS, m->interrupt);
}

static void mmio_used(struct virtio_dev *v)
{
	mmio_interrupt(mmio_of(v), VIRTIO_MMIO_INT_VRING);
}

static void mmio_config_changed(struct virtio_dev *v)
{
	mmio_config(mmio_of(v));
}

static bool mmio_broken(struct virtio_dev *v)
{
	struct mmio *m = mmio_of(v);

	if (m->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return false;
	mmio_kicks_sleep(m);
	mmio_set_status(m, m->status | VIRTIO_CONFIG_S_NEEDS_RESET);
	if (m->status & VIRTIO_CONFIG_S_DRIVER_OK)
		mmio_interrupt(m, VIRTIO_MMIO_INT_CONFIG);
	return true;
}

static int mmio_kick_fd(const struct virtio_dev *v, unsigned int qi)
{
	return container_of(v->dev, struct mmio, dev)->kick[qi].source.fd;
}

const struct virtio_transport mmio_transport = {
	.kick = mmio_kick,
	.used = mmio_used,
	.config = mmio_config_changed,
	.broken = mmio_broken,
	.kick_fd = mmio_kick_fd,
};

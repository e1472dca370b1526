/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio_poll - polling a device's queues, where that is cheaper than kicks: a kick costs the guest
 * an exit and us a wake-up. The loop decides when (vmm/core/loop.h).
 */
#include "devices/virtio/mmio.h"

static struct mmio *mmio_of_poller(struct loop_poller *p)
{
	return container_of(p, struct mmio, poller);
}

static void mmio_poll_begin(struct loop_poller *p)
{
	struct virtio_dev *v = mmio_of_poller(p)->v;

	for (unsigned int i = 0; i < v->nvq; i++)
		virtq_poll_begin(&v->vq[i]);
}

/* A queue that a device leaves alone, because its backend is full or its rate is used up, does
 * not count as a find, or the loop would spin.
 */
static bool mmio_poll_look(struct loop_poller *p)
{
	struct mmio *m = mmio_of_poller(p);
	bool any = false;

	for (unsigned int i = 0; i < m->v->nvq; i++) {
		const struct virtq *q = &m->v->vq[i];
		uint16_t before = q->next_avail;

		if (!virtq_pending(q))
			continue;
		mmio_served(m, i);
		any |= q->next_avail != before;
	}
	return any;
}

static void mmio_poll_end(struct loop_poller *p)
{
	struct mmio *m = mmio_of_poller(p);

	for (unsigned int i = 0; i < m->v->nvq; i++)
		if (virtq_poll_end(&m->v->vq[i]))
			mmio_served(m, i);
}

void mmio_poll_init(struct mmio *m)
{
	m->poller = (struct loop_poller){
		.dev = &m->dev,
		.begin = mmio_poll_begin,
		.look = mmio_poll_look,
		.end = mmio_poll_end,
	};
	if (m->v->polled)
		loop_poll_add(m->v->env->loop, &m->poller);
}

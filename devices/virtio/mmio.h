/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio - what the transport's three files share: mmio.c (writes, status), mmio_page.c
 * (what is read) and mmio_notify.c (kicks and interrupts).
 */
#ifndef MICROVM_VIRTIO_MMIO_H
#define MICROVM_VIRTIO_MMIO_H

#include "devices/virtio/virtio.h"
#include "vmm/core/util.h"

/* A queue's doorbell: opened at the first DRIVER_OK, kept until the device goes */
struct mmio_kick {
	struct loop_source
		source; /* eventfd, -1 not opened; awake while the device lives */
	uint16_t left;  /* chains that virtio_pop() still gives for this kick */
};

struct mmio {
	struct device dev;
	struct virtio_dev *v;
	uint8_t *page; /* what the guest reads; ours to write, never to believe */
	uint32_t status, interrupt, generation;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features; /* as written, before FEATURES_OK */
	bool activated;           /* activate() called, reset() owed */
	struct loop_poller poller;
	int ack_fd; /* swallows InterruptACK writes of 1; never read; -1 not opened */
	struct mmio_kick kick[]; /* v->nvq of them */
};

static inline struct mmio *mmio_of(struct virtio_dev *v)
{
	return container_of(v->dev, struct mmio, dev);
}

/* mmio_show() - register @off reads as @val from now on: one aligned 32-bit store, since
 * the guest may be reading
 */
void mmio_show(struct mmio *m, unsigned int off, uint32_t val);
/* mmio_show_selected() - the registers that depend on a selector.  mmio_show_config():
 * v->config, whole aligned words, only where they changed; zeroes lie behind it
 */
void mmio_show_selected(struct mmio *m);
void mmio_show_config(struct mmio *m);
void mmio_show_all(struct mmio *m);
/* mmio_set_status() - @status is what the driver reads from now on */
void mmio_set_status(struct mmio *m, uint32_t status);

/* mmio_kicks_init() - nothing opened; m->v is set.  mmio_kicks_fini(): nothing open any more */
void mmio_kicks_init(struct mmio *m);
void mmio_kicks_fini(struct mmio *m);
/* mmio_kicks_wake() - kicks of all ready queues reach the device from now on; opens and
 * binds what is not.  Return: 0 or -errno, then all asleep
 */
int mmio_kicks_wake(struct mmio *m);
void mmio_kicks_sleep(struct mmio *m);
/* mmio_served() - queue @qi may have new chains: hand it to the device */
void mmio_served(struct mmio *m, unsigned int qi);
/* mmio_poll_init() - the loop may look at the queues instead of waiting for kicks */
void mmio_poll_init(struct mmio *m);
/* mmio_kick() - have queue @qi kicked from the loop; any number, nothing if asleep */
void mmio_kick(struct mmio *m, uint32_t qi);
/* mmio_interrupt() - set @bits of InterruptStatus and push the line */
void mmio_interrupt(struct mmio *m, uint32_t bits);
/* mmio_show_used() - InterruptStatus says "used buffers" from now on, until a reset */
void mmio_show_used(struct mmio *m);
/* mmio_ack() - the driver has seen @bits */
void mmio_ack(struct mmio *m, uint32_t bits);

#endif

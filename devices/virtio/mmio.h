/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmio - what the transport's files share: mmio.c (writes, status), mmio_page.c (reads),
 * mmio_notify.c (kicks and interrupts) and mmio_life.c (begin, rest, state).
 */
#ifndef MICROVM_VIRTIO_MMIO_H
#define MICROVM_VIRTIO_MMIO_H

#include <linux/virtio_config.h>

#include "devices/virtio/virtio.h"
#include "vmm/core/util.h"

#define S_ACK         VIRTIO_CONFIG_S_ACKNOWLEDGE
#define S_DRIVER      VIRTIO_CONFIG_S_DRIVER
#define S_FEATURES_OK VIRTIO_CONFIG_S_FEATURES_OK
#define S_DRIVER_OK   VIRTIO_CONFIG_S_DRIVER_OK
#define S_NEEDS_RESET VIRTIO_CONFIG_S_NEEDS_RESET
#define S_FAILED      VIRTIO_CONFIG_S_FAILED

/* A queue's doorbell: opened at the first DRIVER_OK, kept for the device's life */
struct mmio_kick {
	struct loop_source
		source; /* eventfd, -1 not opened; awake while the device is active */
	bool bound;     /* the hypervisor rings it, or refused */
};

struct mmio {
	struct device dev;
	struct virtio_dev *v;
	uint8_t *page; /* what the guest reads; we write it and never trust it */
	uint32_t status, interrupt, generation;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features; /* as written, before FEATURES_OK */
	bool activated;           /* activate() called, reset() owed */
	bool loaded;              /* so is reset(), whether it lived or not */
	bool armed;               /* all that it needs is open */
	struct loop_poller poller;
	int ack_fd; /* swallows InterruptACK writes of 1; never read; -1 not opened */
	bool ack_bound;
	struct mmio_kick kick[]; /* v->nvq of them */
};

static inline struct mmio *mmio_of(struct virtio_dev *v)
{
	return container_of(v->dev, struct mmio, dev);
}

/* mmio_reset() - as in device_ops, like mmio_arm() and the others below */
void mmio_reset(struct device *d);
int mmio_arm(struct device *d, struct err *e);
bool mmio_rest(struct device *d);
void mmio_wake(struct device *d);
void mmio_state(struct device *d, struct state *s);
/* mmio_activate() - the driver says DRIVER_OK.  Return: is it active?  If not, it is broken */
bool mmio_activate(struct mmio *m);
/* mmio_plausible() - could a driver have brought the device to what its registers say? */
bool mmio_plausible(const struct mmio *m);

/* mmio_show() - register @off reads as @val from now on: one aligned 32-bit store, since
 * the guest may be reading
 */
void mmio_show(struct mmio *m, unsigned int off, uint32_t val);
/* mmio_show_selected() - the registers that depend on a selector.  mmio_show_config(): v->config,
 * whole aligned words, only where they changed; zeroes follow it
 */
void mmio_show_selected(struct mmio *m);
void mmio_show_config(struct mmio *m);
void mmio_show_all(struct mmio *m);
/* mmio_set_status() - @status is what the driver reads from now on */
void mmio_set_status(struct mmio *m, uint32_t status);

/* mmio_config() - v->config was written: show it, and interrupt */
void mmio_config(struct mmio *m);

/* mmio_kicks_init() - opens nothing; m->v is set.  mmio_kicks_fini(): closes everything */
void mmio_kicks_init(struct mmio *m);
void mmio_kicks_fini(struct mmio *m);
/* mmio_kicks_arm() - open the doorbells of all queues.  Return: 0 or -errno
 * mmio_kicks_wake() - kicks of all ready queues reach the device from now on; binds their
 * doorbells the first time.  Return: 0 or -errno, then all asleep
 */
int mmio_kicks_arm(struct mmio *m);
int mmio_kicks_wake(struct mmio *m);
void mmio_kicks_sleep(struct mmio *m);
/* mmio_served() - queue @qi may have new chains: hand it to the device */
void mmio_served(struct mmio *m, unsigned int qi);
/* mmio_poll_init() - the loop may poll the queues instead of waiting for kicks */
void mmio_poll_init(struct mmio *m);
/* mmio_kick() - as in struct virtio_transport */
void mmio_kick(struct virtio_dev *v, uint32_t qi);
extern const struct virtio_transport mmio_transport;
/* mmio_interrupt() - set @bits of InterruptStatus and push the line */
void mmio_interrupt(struct mmio *m, uint32_t bits);
/* mmio_show_used() - InterruptStatus says "used buffers" from now on, until a reset */
void mmio_show_used(struct mmio *m);
/* mmio_ack() - the driver has seen @bits */
void mmio_ack(struct mmio *m, uint32_t bits);

#endif

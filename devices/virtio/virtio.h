/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio - a virtio device as its author sees it; mmio.c is the struct device around it
 * and owns status, features, selectors and interrupts (virtio 1.2, 2 and 4.2).
 *
 * A lying driver costs itself its device: virtio_broken() sets DEVICE_NEEDS_RESET, and a
 * reset revives it.
 */
#ifndef MICROVM_VIRTIO_VIRTIO_H
#define MICROVM_VIRTIO_VIRTIO_H

#include "vmm/core/config.h"
#include "vmm/core/device.h"
#include "vmm/core/doorbell.h"
#include "vmm/core/err.h"
#include "vmm/core/gmem.h"
#include "vmm/core/loop.h"
#include "vmm/core/work.h"
#include "devices/virtio/virtq.h"

#define VIRTIO_QUEUES_MAX 64 /* of one device; each costs memory only where it exists */

struct ring;
struct virtio_dev;

/* The rules of device_ops apply: dev->lock held, nothing blocks, nothing is NULL */
struct virtio_ops {
	/* Open all that activate() and a live device need, as in device_ops. Always before
	 * activate()
	 */
	int (*arm)(struct virtio_dev *v, struct err *e);
	/* DRIVER_OK, or a snapshot of a live device is being loaded (state() follows): queues
	 * mapped, features final. -errno: the device is broken. Whatever it returned, reset() is
	 * called before the next activate()
	 */
	int (*activate)(struct virtio_dev *v);
	/* queue @qi, mapped, may have new chains.  Loop thread; only while active */
	void (*kick)(struct virtio_dev *v, unsigned int qi);
	/* bytes [@off, @off + @len) of v->config were written by the driver */
	void (*config_written)(struct virtio_dev *v, unsigned int off, unsigned int len);
	/* afterwards nothing accesses a queue: sources asleep, work drained. Also after a load,
	 * armed and activated or not
	 */
	void (*reset)(struct virtio_dev *v);
	/* As in device_ops, between activate() and reset(), broken devices included; the
	 * transport stops kicks: meanwhile virtio_pop() gives nothing. After wake() comes a kick
	 * of each queue. Queues stay mapped
	 */
	bool (*rest)(struct virtio_dev *v);
	void (*wake)(struct virtio_dev *v);
	/* A load that is refused ends with reset(). What that does not take back, and all that
	 * the guest or the host would notice, waits for state_loaded()
	 */
	void (*state)(struct virtio_dev *v, struct state *s);
	void (*destroy)(struct virtio_dev *v); /* frees @v; all threads gone */
};

/* What a transport does for its device; dev->lock held */
struct virtio_transport {
	/* kick queue @qi from the loop; any number; ignored while the device is off */
	void (*kick)(struct virtio_dev *v, unsigned int qi);
	void (*used)(struct virtio_dev *v);   /* interrupt: buffers were used */
	void (*config)(struct virtio_dev *v); /* show v->config, and interrupt */
	/* DEVICE_NEEDS_RESET, the config interrupt, no more kicks.  Return: was it new? */
	bool (*broken)(struct virtio_dev *v);
	int (*kick_fd)(const struct virtio_dev *v, unsigned int qi);
};

/* What a device needs from its surroundings; filled by the machine, shared by all devices */
struct virtio_env {
	const struct config *cfg;
	const struct gmem *mem;
	struct loop *loop;
	struct work_pool *pool;
	struct ring *ring; /* not opened before a device needs it; NULL: none */
	struct doorbells *doorbells;
};

struct virtio_dev {
	const struct virtio_ops *ops; /* const, shared by all instances */
	char name[16];                /* "blk0" */
	uint32_t id;                  /* VIRTIO_ID_* */
	uint64_t
		offered; /* device bits; the transport adds VERSION_1, EVENT_IDX, INDIRECT */
	uint64_t acked;   /* a subset of offered, by construction */
	struct virtq *vq; /* @nvq of them, owned by the device, after virtq_init() */
	unsigned int nvq;
	void *config; /* little-endian image, the driver's reads come from it */
	size_t config_len;
	bool polled; /* the loop may poll the queues, for speed; kick() is called alike */
	size_t config_writable; /* driver writes reach [0, config_writable) only */
	const struct virtio_env *env;
	struct device *dev; /* set by the transport: lock, name, io counters */
	const struct virtio_transport *transport; /* likewise */
	bool active;  /* between activate() and reset(), and not broken */
	bool resting; /* between rest() and wake() */
	/* The kernel or another process serves the queues: kicks go to it and interrupts come
	 * from it (virtio_kick_fd(), virtio_call_fd()), nothing is popped or pushed here, kick()
	 * is never called, and @offered is all it offers
	 */
	bool elsewhere;
};

/* virtio_mmio_create() - the registers around @v at @base, interrupt @gsi.  Takes @v over:
 * destroying the device destroys @v.  @page (VIRTIO_MMIO_WINDOW zeroed bytes, page-aligned,
 * owned by the caller, outliving the device) is the image that every register read is
 * answered from and every write keeps true: the machine may map it into the guest
 * read-only, and then reads never leave the guest.
 * Return: NULL with @e set, @v then still the caller's
 */
struct device *virtio_mmio_create(struct virtio_dev *v, uint64_t base, unsigned int gsi,
				  uint8_t *page, struct err *e);
#define VIRTIO_MMIO_WINDOW 0x1000

/* Called by devices, dev->lock held */

/* virtio_pop() - virtq_pop() for kick(): gives at most queue-size chains for each kick, then has
 * the queue kicked again from the loop, so that a driver which refills the ring while we drain it
 * cannot occupy us; a broken ring breaks the device. Called outside kick() it uses the rest of
 * the last kick's budget, which is always safe.
 * Return: is there a chain in @c?  If not, go back to the loop
 */
bool virtio_pop(struct virtio_dev *v, struct virtq *q, struct virtq_chain *c);
/* virtio_notify() - publish pushed chains, interrupt if the driver wants it */
void virtio_notify(struct virtio_dev *v, struct virtq *q);
/* virtio_config_changed() - v->config was written: show it and interrupt */
void virtio_config_changed(struct virtio_dev *v);
/* virtio_broken() - the driver lied (@why): DEVICE_NEEDS_RESET and the config interrupt. No kick
 * comes until the driver resets the device; chains in flight may still complete
 */
void virtio_broken(struct virtio_dev *v, const char *why);

/* virtio_kick_fd() - the eventfd of queue @qi's kicks; from activate() on; the transport's.
 * virtio_call_fd() - an eventfd that is the device's interrupt, likewise.  For a device whose
 * queues are served elsewhere
 */
int virtio_kick_fd(const struct virtio_dev *v, unsigned int qi);
int virtio_call_fd(const struct virtio_dev *v);

int virtio_nop_arm(struct virtio_dev *v, struct err *e);
bool virtio_nop_rest(struct virtio_dev *v);
void virtio_nop_wake(struct virtio_dev *v);
int virtio_nop_activate(struct virtio_dev *v);
void virtio_nop_kick(struct virtio_dev *v, unsigned int qi);
void virtio_nop_config_written(struct virtio_dev *v, unsigned int off, unsigned int len);
void virtio_nop_reset(struct virtio_dev *v);
void virtio_nop_state(struct virtio_dev *v, struct state *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig - a device brought to the point where it can be lied to, and the judgement of what
 * it did: every byte that the request did not lend to the device is watched.
 */
#ifndef PAYLOAD_HOSTILE_RIG_H
#define PAYLOAD_HOSTILE_RIG_H

#include "guest-images/payloads/rt/virtio.h"

#define RIG_QUEUE    16
#define RIG_ARENA    0x10000 /* the request's memory, watched as a whole */
#define RIG_HDR      0x1000  /* offsets into the arena */
#define RIG_DATA     0x2000
#define RIG_STATUS   0x3000
#define RIG_INDIRECT 0x4000
#define RIG_WATCH    4096 /* bytes at the end of each region of RAM */

/* One queue of one kind of device, and how an honest chain on it looks: the data
 * descriptor is the one to be bent
 */
struct target {
	const char *name;
	uint32_t id;
	unsigned int qi, nq; /* the queue we attack; how many the driver sets up */
	unsigned int ndesc;  /* of an honest chain: 3 (header, data, status) or 1 */
	uint32_t len;        /* of the data */
	bool to_driver;
	bool answers; /* an honest chain comes back by itself */
};

enum verdict { V_PASS, V_REJECT, V_SILENT, V_DAMAGE };

struct rig {
	const struct target *t;
	struct vio v;
	struct vq q[3];
	struct vq *vq; /* the one we attack */
	uint8_t *arena;
	uint8_t *shadow;      /* expected bytes where no device may write */
	struct vring_desc *d; /* the data descriptor */
	uint16_t idx;         /* avail->idx to be published; a case may choose its own */
	uint32_t notify;      /* what is written to QUEUE_NOTIFY */
	bool any_memory;      /* a case lends more than is known here: do not watch */
	bool damaged;         /* a case has found damage itself */
};

extern const struct target rig_targets[];
extern const unsigned int rig_ntargets;

/* rig_open() - find the device.  Return: false if this machine has none */
bool rig_open(struct rig *r, const struct target *t);
/* rig_begin() - reset, features, queues: all but DRIVER_OK.  Return: false: it refuses */
bool rig_begin(struct rig *r);
/* rig_lay() - an honest chain at descriptor 0, not yet available; and all that is watched */
void rig_lay(struct rig *r);
/* rig_go() - make it available, kick, and see what comes in @ns */
enum verdict rig_go(struct rig *r, uint64_t ns);
/* rig_works() - after a reset an honest chain is taken again */
bool rig_works(struct rig *r);
/* rig_undamaged() - nothing but what was lent has changed since rig_lay() */
bool rig_undamaged(const struct rig *r);

static inline uint64_t rig_addr(const struct rig *r, unsigned int off)
{
	return (uintptr_t)r->arena + off;
}

#endif

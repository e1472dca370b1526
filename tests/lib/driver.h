/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver - the driver's side of a virtio device, for unit tests and fuzzers.
 *
 * Two layers.  A driver_ring is one virtqueue in guest memory, and works on a bare struct
 * virtq.  A driver is a guest with one device, spoken to through its registers, on a loop
 * that runs only when the test says so:
 *
 *	struct driver d;
 *	driver_init(&d, 16 * MIB);
 *	d.cfg.disk[0].path = path;  d.cfg.ndisk = 1;
 *	driver_plug(&d, blk_create(&d.env, 0, &d.err));
 *	driver_bring_up(&d, ~0ULL);
 *	gpa_t data = driver_alloc(&d, 512, 1);
 *	driver_send(&d, 0, (struct driver_buf[]){{hdr, 16, false}, {data, 512, true}}, 2);
 *	ck_assert(driver_wait(&d, 0, &id, &len));
 *	driver_fini(&d);
 *
 * Set-up that fails aborts the test.  Everything may lie: the raw layer writes whatever it
 * is told to, and nothing checks a gpa.
 */
#ifndef MICROVM_TESTS_DRIVER_H
#define MICROVM_TESTS_DRIVER_H

#include "devices/virtio/virtio.h"
#include "vmm/core/util.h"

#define DRIVER_LONG UINT64_C(30000000000) /* ns: longer than any busy host takes */
#define DRIVER_BASE 0xd0000000ULL         /* of the device's window */
#define DRIVER_GSI  16
/* Guest memory: [0, @ram) and a second region, far away, so that there are ends to cross */
#define DRIVER_HIGH     0x100000000ULL
#define DRIVER_HIGH_LEN 0x10000ULL
#define DRIVER_HEAP     0x1000ULL /* driver_alloc() starts here */

/* One buffer of a chain */
struct driver_buf {
	gpa_t gpa;
	uint32_t len;
	bool write; /* the device writes it */
};

struct driver_ring {
	const struct gmem *mem;
	uint16_t size;
	gpa_t desc, avail, used;
	uint16_t
		avail_idx; /* next chain's slot; shown to the device by driver_publish() */
	uint16_t used_idx; /* next used element to look at */
	uint16_t shown;    /* avail_idx at the last driver_publish() */
	bool event_idx;
	uint16_t nfree, free[VQ_SIZE_MAX]; /* a stack of descriptors */
	uint16_t chain_len[VQ_SIZE_MAX];   /* by head; 0: not ours */
	uint16_t chain[VQ_SIZE_MAX];       /* next descriptor of a chain of ours */
};

/* driver_ring_len() - bytes that a ring of @size takes at @at (16-aligned) */
size_t driver_ring_len(uint16_t size);
void driver_ring_init(struct driver_ring *r, const struct gmem *m, gpa_t at,
		      uint16_t size, bool event_idx);
/* driver_ring_attach() - what the registers would do: tell @q where the ring is */
void driver_ring_attach(const struct driver_ring *r, struct virtq *q);

/* driver_add() - put a chain in the available ring, not yet shown to the device.
 * Return: its head; -1 when there are not enough free descriptors
 */
int driver_add(struct driver_ring *r, const struct driver_buf *b, unsigned int n);
/* driver_add_indirect() - the same, in a table of @n descriptors at @table */
int driver_add_indirect(struct driver_ring *r, gpa_t table, const struct driver_buf *b,
			unsigned int n);
/* driver_publish() - show the device what was added.  Return: does it want a kick? */
bool driver_publish(struct driver_ring *r);
/* driver_used() - take the next used element, free its chain.  Return: was there one?
 * An @id that is no chain of ours is left for the caller to judge.
 */
bool driver_used(struct driver_ring *r, uint32_t *id, uint32_t *len);
/* driver_want_irqs() - at the next used element (@yes), or not at all */
void driver_want_irqs(struct driver_ring *r, bool yes);

/* Raw: to lie.  @i is a descriptor's or a slot's index, taken modulo nothing */
void driver_desc_at(const struct gmem *m, gpa_t table, unsigned int i, uint64_t addr,
		    uint32_t len, uint16_t flags, uint16_t next);
void driver_desc(struct driver_ring *r, unsigned int i, uint64_t addr, uint32_t len,
		 uint16_t flags, uint16_t next);
void driver_avail_slot(struct driver_ring *r, unsigned int i, uint16_t head);
void driver_avail_idx(struct driver_ring *r, uint16_t idx);
/* driver_offer() - @head in the next slot and shown: one raw chain for the device */
void driver_offer(struct driver_ring *r, uint16_t head);
uint16_t driver_used_idx(const struct driver_ring *r); /* as the device left it */

struct driver {
	struct gmem mem;
	struct config cfg;
	struct loop *loop;
	struct work_pool *pool;
	struct virtio_env env;
	struct err err; /* for the device's create() */
	struct device *dev;
	struct virtio_dev *v;
	uint8_t *page;
	struct driver_ring ring[VIRTIO_QUEUES_MAX];
	gpa_t heap, heap_end;
	/* doorbells: refused unless @binds; what was asked for is counted either way */
	struct doorbells doorbells;
	bool binds;
	unsigned int nbound;
	struct {
		uint64_t addr;
		uint32_t value;
		int fd;
	} bound[VIRTIO_QUEUES_MAX + 1];
	struct loop_source timer;
};

void driver_init(struct driver *d, uint64_t ram);
void driver_init_shared(struct driver *d,
			uint64_t ram); /* memory as vhost-user needs it */
/* driver_plug() - put @v behind its registers.  @v NULL: abort with d->err's sentence */
void driver_plug(struct driver *d, struct virtio_dev *v);
void driver_unplug(struct driver *d); /* reset and destroy the device, if there is one */
void driver_fini(struct driver *d);   /* the device too */

gpa_t driver_alloc(struct driver *d, size_t len, size_t align);
void *driver_ptr(struct driver *d, gpa_t gpa, size_t len); /* aborts if it is not RAM */

/* Registers, as a vCPU would: 4 bytes, under the device's lock */
uint32_t driver_read(struct driver *d, unsigned int off);
void driver_write(struct driver *d, unsigned int off, uint32_t val);
uint64_t driver_read_n(struct driver *d, unsigned int off, unsigned int size);
void driver_write_n(struct driver *d, unsigned int off, unsigned int size, uint64_t val);

uint64_t driver_offered(struct driver *d);
/* driver_negotiate() - reset, then up to FEATURES_OK with @features as far as offered.
 * Return: what was negotiated; 0 if the device did not accept it
 */
uint64_t driver_negotiate(struct driver *d, uint64_t features);
/* driver_queue() - make ring[@qi] with @size entries and tell the device */
void driver_queue(struct driver *d, unsigned int qi, uint16_t size);
/* driver_bring_up() - negotiate, all queues at their full size, DRIVER_OK.
 * Return: as driver_negotiate()
 */
uint64_t driver_bring_up(struct driver *d, uint64_t features);
/* driver_status() - the Status register; driver_broken(): is NEEDS_RESET in it? */
uint32_t driver_status(struct driver *d);
bool driver_broken(struct driver *d);

/* driver_rest(), driver_wake() - the device's rest() and wake(), under its lock */
bool driver_rest(struct driver *d);
void driver_wake(struct driver *d);

/* driver_send() - add a chain to ring[@qi], publish it, kick.  Return: as driver_add() */
int driver_send(struct driver *d, unsigned int qi, const struct driver_buf *b,
		unsigned int n);
void driver_kick(struct driver *d, unsigned int qi); /* QueueNotify */
void driver_pump(struct driver *d); /* the loop handles what is ready now */
/* driver_settle() - and what is ready because of that: where nobody but the loop and the
 * test take part, all that is to happen has happened
 */
void driver_settle(struct driver *d);
/* driver_run() - the loop runs for so long, and then it settles: even on a machine that does
 * not let us run
 */
void driver_run(struct driver *d, unsigned int ms);
/* driver_until() - run the loop until @cond, which others than the loop bring about.
 * Return: did it come true within half a minute?
 */
#define driver_until(d, cond)                                     \
	({                                                        \
		uint64_t end_ = monotonic_ns() + DRIVER_LONG;     \
		bool yes_;                                        \
		while (!(yes_ = (cond)) && monotonic_ns() < end_) \
			driver_run(d, 1);                         \
		yes_;                                             \
	})
/* driver_wait() - run the loop until ring[@qi] has a used element; gives up after half a
 * minute and when the device is broken
 */
bool driver_wait(struct driver *d, unsigned int qi, uint32_t *id, uint32_t *len);
unsigned int driver_irqs(struct driver *d); /* pulses since the last call */

#endif

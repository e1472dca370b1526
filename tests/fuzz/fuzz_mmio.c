/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mmio - the virtio-mmio transport under a guest that is mostly honest.
 *
 * The input is a program of register accesses, requests, lies, turns of the loop and
 * snapshots.  After each step the transport's promises hold; after all of them an honest
 * driver brings the device up again and gets its requests answered.
 */
#include "tests/fuzz/fuzz.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "tests/lib/driver.h"
#include "tests/lib/fake.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define RAM   0x20000ULL
#define STEPS 200
#define LIVE                                                    \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

enum step {
	BRING_UP,
	NEXT_STATUS,
	REGISTER,
	REGISTER_KNOWN,
	ANY_WIDTH,
	QUEUE,
	REQUEST,
	REQUEST_MORE,
	KICK,
	TURN,
	COLLECT,
	ACKNOWLEDGE,
	CONFIG_CHANGE,
	BREAK,
	SNAPSHOT,
	LIE,
	NSTEPS
};

static struct driver d;
static struct fake *f;

static const uint16_t registers[] = {VIRTIO_MMIO_DEVICE_FEATURES_SEL,
				     VIRTIO_MMIO_DRIVER_FEATURES,
				     VIRTIO_MMIO_DRIVER_FEATURES_SEL,
				     VIRTIO_MMIO_QUEUE_SEL,
				     VIRTIO_MMIO_QUEUE_NUM,
				     VIRTIO_MMIO_QUEUE_READY,
				     VIRTIO_MMIO_QUEUE_NOTIFY,
				     VIRTIO_MMIO_INTERRUPT_ACK,
				     VIRTIO_MMIO_STATUS,
				     VIRTIO_MMIO_QUEUE_DESC_LOW,
				     VIRTIO_MMIO_QUEUE_DESC_HIGH,
				     VIRTIO_MMIO_QUEUE_AVAIL_LOW,
				     VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
				     VIRTIO_MMIO_QUEUE_USED_LOW,
				     VIRTIO_MMIO_QUEUE_USED_HIGH,
				     VIRTIO_MMIO_SHM_SEL,
				     VIRTIO_MMIO_CONFIG};
static const uint32_t vals[] = {0,   1,       2,          3,          4,
				7,   8,       11,         15,         16,
				17,  128,     0x1000,     0x2000,     RAM - 16,
				RAM, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

static void plug(void)
{
	driver_unplug(&d);
	f = fake_create(&d.env);
	driver_plug(&d, &f->v);
	memset(d.ring, 0, sizeof(d.ring));
	d.heap = DRIVER_HEAP;
}

static void bring_up(uint64_t features)
{
	d.heap = DRIVER_HEAP;
	driver_bring_up(&d, features | 1ULL << VIRTIO_F_VERSION_1);
}

static void request(struct fuzz_in *in)
{
	unsigned int qi = fuzz_u8(in) % FAKE_QUEUES, n = fuzz_u8(in) % 4 + 1;
	struct driver_buf b[4];

	for (unsigned int i = 0; i < n; i++) {
		uint16_t x = fuzz_u16(in);

		b[i] = (struct driver_buf){0x10000 + (x & 0x7fff), x % 700 + 1U,
					   i >= n / 2};
	}
	if (d.ring[qi].size)
		driver_send(&d, qi, b, n);
}

static void collect(void)
{
	uint32_t id, len;

	for (unsigned int qi = 0; qi < FAKE_QUEUES; qi++)
		for (unsigned int n = 0; n < 32 && d.ring[qi].size; n++)
			if (!driver_used(&d.ring[qi], &id, &len))
				break;
}

static unsigned int loads; /* each owes the device a reset, whether it is live or not */

/* Save, damage a byte or none, load into the same or a new device */
static void snapshot(struct fuzz_in *in)
{
	uint8_t buf[512], how = fuzz_u8(in), val = fuzz_u8(in);
	struct state s;
	size_t len;

	state_saver(&s, buf, sizeof(buf));
	d.dev->ops->state(d.dev, &s);
	fuzz_check(!s.why);
	len = s.pos;
	if (how & 1)
		buf[fuzz_u16(in) % len] = val;
	if (how & 2)
		len -= val % len;
	if (how & 4) {
		driver_unplug(&d);
		f = fake_create(&d.env);
		driver_plug(&d, &f->v);
	}
	loads++;
	state_loader(&s, buf, len);
	d.dev->ops->state(d.dev, &s);
	fuzz_check(!s.why || driver_status(&d) == 0);
	fuzz_check(s.why || (how & 3) || driver_status(&d) < 256);
}

static void lie(struct fuzz_in *in)
{
	struct driver_ring *r = &d.ring[fuzz_u8(in) % FAKE_QUEUES];
	uint16_t x = fuzz_u16(in), y = fuzz_u16(in);

	if (!r->size)
		return;
	if (x & 1)
		driver_desc(r, x / 4U % r->size, vals[y % ARRAY_SIZE(vals)],
			    vals[y / 32 % ARRAY_SIZE(vals)], y >> 13, y & 31);
	else if (x & 2)
		driver_avail_slot(r, x / 4U % r->size, y);
	else
		driver_avail_idx(r, y);
}

/* One turn of the loop: no queue may get more than its size out of it */
static void turn(void)
{
	unsigned int chains = f->chains;

	driver_pump(&d);
	fuzz_check(f->chains - chains <= FAKE_QUEUES * FAKE_QUEUE_SIZE);
}

static void any_width(struct fuzz_in *in)
{
	unsigned int size = 1U << fuzz_u8(in) % 4,
		     off = fuzz_u16(in) % VIRTIO_MMIO_WINDOW;

	if (off & 0x800) /* the interesting part more often */
		off &= 0x1ff;
	off = MIN(off, VIRTIO_MMIO_WINDOW - size);
	driver_write_n(&d, off, size, fuzz_u64(in));
	driver_read_n(&d, off, size);
}

static void step(struct fuzz_in *in)
{
	switch ((enum step)(fuzz_u8(in) % NSTEPS)) {
	case BRING_UP:
		bring_up(fuzz_u64(in));
		break;
	case NEXT_STATUS:
		driver_write(&d, VIRTIO_MMIO_STATUS,
			     driver_status(&d) | 1U << fuzz_u8(in) % 4);
		break;
	case REGISTER:
		driver_write(&d, registers[fuzz_u8(in) % ARRAY_SIZE(registers)],
			     fuzz_u32(in));
		break;
	case REGISTER_KNOWN:
		driver_write(&d, registers[fuzz_u8(in) % ARRAY_SIZE(registers)],
			     vals[fuzz_u8(in) % ARRAY_SIZE(vals)]);
		break;
	case ANY_WIDTH:
		any_width(in);
		break;
	case QUEUE:
		if (d.heap < 0x8000)
			driver_queue(&d, fuzz_u8(in) % FAKE_QUEUES,
				     (uint16_t)(1 << fuzz_u8(in) % 5));
		break;
	case REQUEST:
	case REQUEST_MORE:
		request(in);
		break;
	case KICK:
		driver_kick(&d, fuzz_u8(in) % 4);
		break;
	case TURN:
		turn();
		break;
	case COLLECT:
		collect();
		break;
	case ACKNOWLEDGE:
		driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, fuzz_u8(in) & 3);
		break;
	case CONFIG_CHANGE:
		f->config[fuzz_u8(in) % FAKE_CONFIG_LEN] = fuzz_u8(in);
		virtio_config_changed(&f->v);
		break;
	case BREAK:
		virtio_broken(&f->v, "the fuzzer says so");
		break;
	case SNAPSHOT:
		snapshot(in);
		break;
	case LIE:
	case NSTEPS:
		lie(in);
		break;
	}
}

static void check(void)
{
	uint32_t status = driver_status(&d);

	fuzz_check(!f->v.active || status == LIVE);
	fuzz_check(!(f->v.acked & ~f->v.offered));
	fuzz_check(f->activated <= f->resets + 1);
	fuzz_check(f->resets <= f->activated + loads);
	fuzz_check(memcmp(d.page + VIRTIO_MMIO_CONFIG, f->config, FAKE_CONFIG_LEN) == 0);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		const struct virtq *q = &f->vq[i];

		fuzz_check(q->size <= q->size_max && q->inflight == 0);
		fuzz_check(!q->desc_p || (q->size && !(q->size & (q->size - 1))));
		if (status == 0)
			fuzz_check(!q->desc_p && !q->ready && !q->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_in in = {p, n};

	log_threshold = LOG_ERROR; /* what guests do wrong is no news here */
	if (!d.page)
		driver_init(&d, RAM);
	memset(driver_ptr(&d, 0, RAM), 0, RAM);
	plug();
	loads = 0;
	d.binds = fuzz_u8(&in) & 1;
	for (unsigned int i = 0; i < STEPS && in.n; i++) {
		step(&in);
		check();
	}
	bring_up(~0ULL);
	for (unsigned int qi = 0; qi < FAKE_QUEUES; qi++)
		fuzz_check(fake_round(&d, qi));
	driver_unplug(&d);
	return 0;
}

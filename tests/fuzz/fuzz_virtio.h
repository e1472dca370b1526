/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_virtio - a driver that does what the fuzzer's input says: chains that are mostly
 * well-formed, payload, raw descriptors, kicks and resets.  One device for all inputs,
 * reset at the start of each.
 */
#ifndef MICROVM_FUZZ_VIRTIO_H
#define MICROVM_FUZZ_VIRTIO_H

#include <linux/virtio_mmio.h>

#include "tests/lib/driver.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define FUZZ_RAM  MIB
#define FUZZ_DATA (64 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum fuzz_op {
	FUZZ_CHAIN,   /* buffers of the data area, shown to the device */
	FUZZ_PAYLOAD, /* bytes into the data area: request headers, frames */
	FUZZ_DESC,    /* a raw descriptor */
	FUZZ_OFFER,   /* a raw head */
	FUZZ_IDX,     /* a raw available index */
	FUZZ_KICK,
	FUZZ_CONFIG, /* a write to the configuration */
	FUZZ_RESET,
	FUZZ_OPS
};

struct fuzz_input {
	const uint8_t *p;
	size_t n;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned int size)
{
	uint64_t v = 0;

	for (; size && in->n; size--, in->n--)
		v = v << 8 | *in->p++;
	return v;
}

static inline void fuzz_chain(struct driver *d, struct fuzz_input *in, unsigned int qi,
			      gpa_t data)
{
	unsigned int n = 1 + (unsigned int)fuzz_take(in, 1) % 6;
	uint64_t writable = fuzz_take(in, 1);
	struct driver_buf b[6];

	for (unsigned int i = 0; i < n; i++) {
		b[i].gpa = data + fuzz_take(in, 2) % FUZZ_DATA;
		b[i].len = (uint32_t)fuzz_take(in, 2);
		b[i].write = writable >> i & 1;
	}
	if (driver_add(&d->ring[qi], b, n) >= 0)
		(void)driver_publish(&d->ring[qi]);
}

static inline void fuzz_payload(struct driver *d, struct fuzz_input *in, gpa_t data)
{
	uint64_t at = fuzz_take(in, 2) % (FUZZ_DATA - 64), len = fuzz_take(in, 1) % 64;
	uint8_t *p = driver_ptr(d, data + at, 64);

	for (; len && in->n; len--)
		*p++ = (uint8_t)fuzz_take(in, 1);
}

static inline gpa_t fuzz_bring_up(struct driver *d, uint64_t features)
{
	uint32_t id, len;
	gpa_t data;

	d->heap = DRIVER_HEAP;
	BUG_ON(!driver_bring_up(d, features | 1ULL << 32));
	data = driver_alloc(d, FUZZ_DATA, 16);
	for (unsigned int qi = 0; qi < d->v->nvq; qi++)
		BUG_ON(driver_used(&d->ring[qi], &id, &len));
	return data;
}

/* All of @in, against the device in @d; ends with nothing in flight.  @outside (or NULL) is
 * what happens at the device's other side before each kick
 */
static inline void fuzz_run(struct driver *d, struct fuzz_input in, void (*outside)(void))
{
	gpa_t data = fuzz_bring_up(d, fuzz_take(&in, 8));

	while (in.n) {
		enum fuzz_op op = (enum fuzz_op)(fuzz_take(&in, 1) % FUZZ_OPS);
		unsigned int qi = (unsigned int)fuzz_take(&in, 1) % d->v->nvq;
		struct driver_ring *r = &d->ring[qi];
		uint32_t id, len;

		switch (op) {
		case FUZZ_CHAIN:
			fuzz_chain(d, &in, qi, data);
			break;
		case FUZZ_PAYLOAD:
			fuzz_payload(d, &in, data);
			break;
		case FUZZ_DESC: {
			unsigned int i = (unsigned int)fuzz_take(&in, 1) % r->size;
			uint64_t addr = fuzz_take(&in, 5);
			uint32_t n = (uint32_t)fuzz_take(&in, 4);
			uint16_t flags = (uint16_t)fuzz_take(&in, 1);

			driver_desc(r, i, addr, n, flags, (uint16_t)fuzz_take(&in, 1));
			break;
		}
		case FUZZ_OFFER:
			driver_offer(r, (uint16_t)fuzz_take(&in, 2));
			break;
		case FUZZ_IDX:
			driver_avail_idx(r, (uint16_t)fuzz_take(&in, 2));
			break;
		case FUZZ_KICK:
			if (outside)
				outside();
			driver_kick(d, qi);
			driver_pump(d);
			while (driver_used(r, &id, &len))
				BUG_ON(id >= r->size);
			break;
		case FUZZ_CONFIG: {
			unsigned int size = 1U << fuzz_take(&in, 1) % 4;
			unsigned int off = (unsigned int)fuzz_take(&in, 1) & ~(size - 1);

			driver_write_n(d, VIRTIO_MMIO_CONFIG + off, size,
				       fuzz_take(&in, size));
			break;
		}
		case FUZZ_RESET:
			data = fuzz_bring_up(d, fuzz_take(&in, 8));
			break;
		case FUZZ_OPS:
			break;
		}
	}
	driver_write(d, VIRTIO_MMIO_STATUS, 0);
}

#endif

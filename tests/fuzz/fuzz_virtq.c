/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_virtq - a split virtqueue under a driver that is mostly honest and sometimes not.
 *
 * The input is a program of driver's and device's steps.  As long as the driver has told
 * no lie, nothing may be refused; whatever it does, what virtq_pop() gives out is memory
 * of the guest and within the bounds that virtq.h promises.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <linux/virtio_ring.h>

#include "tests/lib/driver.h"
#include "vmm/core/util.h"

#define RAM   0x30000ULL
#define RING  0x1000ULL
#define TABLE 0x10000ULL /* one of 16 entries for each head, so that none is rewritten */
#define DATA  0x20000ULL
#define STEPS 400

enum step {
	ADD,
	ADD_INDIRECT,
	PUBLISH,
	POP,
	POP_MORE,
	PUSH,
	SHOW,
	UNPOP,
	COLLECT,
	WANT,
	LIE_DESC,
	LIE_TABLE,
	LIE_SLOT,
	LIE_IDX,
	LIE_BYTE,
	REMAP,
	NSTEPS
};

static struct gmem mem;
static struct driver_ring r;
static struct virtq q;
static struct virtq_chain chain;
static uint16_t held[VQ_SIZE_MAX]; /* heads popped and not pushed */
static bool lied;
static bool tables; /* some were written */

static const uint64_t addrs[] = {0,
				 DATA,
				 TABLE,
				 RING,
				 RAM - 1,
				 RAM - 16,
				 RAM,
				 DRIVER_HIGH - 1,
				 DRIVER_HIGH,
				 DRIVER_HIGH + DRIVER_HIGH_LEN - 8,
				 UINT64_MAX - 15,
				 UINT64_MAX};
static const uint32_t lens[] = {0,  1,   8,       15,         16,         17,        32,
				64, 512, 0x10000, 16 * 65537, 0x7fffffff, 0xffffffff};

static void start(struct fuzz_in *in)
{
	uint16_t size = (uint16_t)(1 << fuzz_u8(in) % 9), at = fuzz_u16(in);
	uint64_t features = (uint64_t)(fuzz_u8(in) & 3) << VIRTIO_RING_F_INDIRECT_DESC;

	driver_ring_init(&r, &mem, RING, size,
			 features & (1ULL << VIRTIO_RING_F_EVENT_IDX));
	/* both sides may be anywhere on the way round */
	r.avail_idx = r.shown = r.used_idx = at;
	driver_avail_idx(&r, at);
	shared_store16(gmem_slice(&mem, r.used + 2, 2), at);
	virtq_init(&q, VQ_SIZE_MAX);
	driver_ring_attach(&r, &q);
	q.next_avail = q.next_used = q.used_shown = at;
	fuzz_check(virtq_map(&q, &mem, features) == 0);
	lied = false;
}

static void add(struct fuzz_in *in, bool indirect)
{
	struct driver_buf b[16];
	unsigned int n = fuzz_u8(in) % 16 + 1, readable = fuzz_u8(in) % 17;

	n = MIN(n, r.size);
	for (unsigned int i = 0; i < n; i++) {
		uint16_t x = fuzz_u16(in);

		b[i] = (struct driver_buf){DATA + (x & 0x7fff), (x >> 8) + 1U,
					   i >= readable};
	}
	if (!indirect) {
		driver_add(&r, b, n);
	} else if (q.indirect && r.nfree) {
		tables = true;
		driver_add_indirect(&r, TABLE + 256ULL * r.free[r.nfree - 1], b, n);
	}
}

/* All of @s: memory of the guest, in order, adding up */
static void check_span(const struct span *s)
{
	size_t len = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		const volatile uint8_t *p = s->v[i].iov_base;
		bool inside = false;

		for (unsigned int k = 0; k < mem.n; k++) {
			const struct gmem_region *g = &mem.region[k];

			inside |= p >= g->host && p < g->host + g->len &&
				  s->v[i].iov_len <= (size_t)(g->host + g->len - p);
		}
		fuzz_check(inside && s->v[i].iov_len);
		len += s->v[i].iov_len;
	}
	fuzz_check(len == s->len);
}

static void pop(void)
{
	uint16_t before = q.inflight;
	int rc = virtq_pop(&q, &chain);

	if (rc != 1) {
		fuzz_check(q.inflight == before);
		fuzz_check(rc == 0 || (rc == -EPROTO && lied && q.why));
		return;
	}
	fuzz_check(q.inflight == before + 1 && q.inflight <= q.size);
	fuzz_check(chain.head < q.size);
	fuzz_check(chain.from_driver.n + chain.to_driver.n >= 1);
	fuzz_check(chain.from_driver.n + chain.to_driver.n <= q.size);
	fuzz_check(chain.from_driver.len + chain.to_driver.len <= UINT32_MAX);
	check_span(&chain.from_driver);
	check_span(&chain.to_driver);
	held[before] = chain.head;
}

static void push(struct fuzz_in *in)
{
	unsigned int i;

	if (!q.inflight)
		return;
	i = (unsigned int)fuzz_u8(in) % q.inflight;
	virtq_push(&q, held[i], fuzz_u16(in));
	held[i] = held[q.inflight]; /* the last one takes its place */
}

static void show(void)
{
	bool news = q.next_used != q.used_shown;
	bool irq = virtq_publish(&q);

	fuzz_check(news || !irq);
	fuzz_check(lied || driver_used_idx(&r) == q.next_used);
}

static void collect(void)
{
	uint32_t id, len;

	while (driver_used_idx(&r) != r.used_idx) {
		if (lied) { /* its books are worth nothing then */
			r.used_idx = driver_used_idx(&r);
			return;
		}
		fuzz_check(driver_used(&r, &id, &len) && id < r.size);
	}
}

static void lie(struct fuzz_in *in, enum step s)
{
	uint16_t x = fuzz_u16(in), y = fuzz_u16(in);
	uint64_t addr = addrs[x % ARRAY_SIZE(addrs)] + (y & 7);
	uint32_t len = lens[y / 8 % ARRAY_SIZE(lens)];

	lied = true;
	tables |= s == LIE_TABLE;
	if (s == LIE_DESC)
		driver_desc(&r, x / 16U % r.size, addr, len, y >> 13, fuzz_u8(in));
	else if (s == LIE_TABLE)
		driver_desc_at(&mem, TABLE, x / 16 % 4096, addr, len, y >> 13,
			       fuzz_u8(in));
	else if (s == LIE_SLOT)
		driver_avail_slot(&r, x % r.size, y);
	else if (s == LIE_IDX)
		driver_avail_idx(&r, x & 1 ? y : (uint16_t)(r.avail_idx + (y & 3)));
	else
		*(uint8_t *)gmem_slice(&mem, RING + x % 0x2000, 1) = (uint8_t)y;
}

static void step(struct fuzz_in *in)
{
	enum step s = fuzz_u8(in) % NSTEPS;

	switch (s) {
	case ADD:
	case ADD_INDIRECT:
		add(in, s == ADD_INDIRECT);
		break;
	case PUBLISH:
		driver_publish(&r);
		break;
	case POP:
	case POP_MORE:
		pop();
		break;
	case PUSH:
		push(in);
		break;
	case SHOW:
		show();
		break;
	case UNPOP:
		if (q.inflight && held[q.inflight - 1] == chain.head) {
			virtq_unpop(&q, &chain);
			chain.head = UINT16_MAX; /* once */
		}
		break;
	case COLLECT:
		collect();
		break;
	case WANT:
		driver_want_irqs(&r, fuzz_u8(in) & 1);
		virtq_no_kicks(&q);
		break;
	case REMAP:
		virtq_unmap(&q);
		fuzz_check(virtq_pop(&q, &chain) == 0 && !virtq_pending(&q));
		start(in);
		break;
	case LIE_DESC:
	case LIE_TABLE:
	case LIE_SLOT:
	case LIE_IDX:
	case LIE_BYTE:
	case NSTEPS:
		lie(in, s);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_in in = {p, n};
	struct err e;

	if (!mem.n) {
		gmem_init(&mem, false);
		fuzz_check(gmem_add(&mem, 0, RAM, &e) == 0);
		fuzz_check(gmem_add(&mem, DRIVER_HIGH, DRIVER_HIGH_LEN, &e) == 0);
	}
	/* leave no trace of an earlier run; what is in DATA does not matter */
	memset(gmem_slice(&mem, RING, 0x2000), 0, 0x2000);
	if (tables)
		memset(gmem_slice(&mem, TABLE, DATA - TABLE), 0, DATA - TABLE);
	tables = false;
	chain.head = UINT16_MAX;
	start(&in);
	for (unsigned int i = 0; i < STEPS && in.n; i++)
		step(&in);
	virtq_unmap(&q);
	return 0;
}

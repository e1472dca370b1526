/* SPDX-License-Identifier: Apache-2.0 */
/* virtq_fixture - one queue in a small guest: what both virtqueue tests start from. */
#ifndef MICROVM_TESTS_VIRTQ_FIXTURE_H
#define MICROVM_TESTS_VIRTQ_FIXTURE_H

#include <check.h>
#include <linux/virtio_ring.h>

#include "tests/lib/driver.h"
#include "vmm/core/util.h"

#define RAM      MIB
#define RING     0x1000ULL
#define DATA     0x10000ULL
#define TABLE    0x20000ULL
#define SIZE     8
#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define ALL      (1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_RING_F_INDIRECT_DESC)

static struct gmem mem;
static struct driver_ring r;
static struct virtq q;
static struct virtq_chain c;

static void start(uint16_t size, uint64_t features)
{
	driver_ring_init(&r, &mem, RING, size,
			 features & (1ULL << VIRTIO_RING_F_EVENT_IDX));
	virtq_init(&q, VQ_SIZE_MAX);
	driver_ring_attach(&r, &q);
	ck_assert_int_eq(virtq_map(&q, &mem, features), 0);
}

static void setup(void)
{
	struct err e;

	gmem_init(&mem, false);
	ck_assert_int_eq(gmem_add(&mem, 0, RAM, &e), 0);
	ck_assert_int_eq(gmem_add(&mem, DRIVER_HIGH, DRIVER_HIGH_LEN, &e), 0);
	start(SIZE, ALL);
}

static void teardown(void)
{
	virtq_unmap(&q);
	gmem_fini(&mem);
}

/* Raw descriptors 0 .. n-1, each a byte at DATA, linked; the last one ends the chain */
static inline void link_up(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		driver_desc(&r, i, DATA, 1, i + 1 < n ? NEXT : 0, (uint16_t)(i + 1));
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* balloon_fixture - a guest with a balloon, and what of its memory the host holds. */
#ifndef MICROVM_TESTS_BALLOON_FIXTURE_H
#define MICROVM_TESTS_BALLOON_FIXTURE_H

#include <check.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "vmm/core/util.h"

#define RAM (16 * MIB)
/* queues */
#define INFLATE   0
#define DEFLATE   1
#define STATS     2
#define REPORTING 3
/* a part of RAM that the driver's rings are not in */
#define FREE     (4 * MIB)
#define FREE_LEN (8 * MIB)
#define PAGES(n) ((n)*4096U)

#define F(bit)        (1ULL << VIRTIO_BALLOON_F_##bit)
#define CONFIG(field) (VIRTIO_MMIO_CONFIG + offsetof(struct virtio_balloon_config, field))

static struct driver d;

static inline void balloon_plug(struct config_balloon c)
{
	c.on = true;
	d.cfg.balloon = c;
	driver_plug(&d, balloon_create(&d.env, 0, &d.err));
}

/* Small pages: where the host has huge ones, it may fill the gap that a single
 * page leaves (khugepaged), and then it cannot be counted.
 */
static inline void balloon_fill(void)
{
	(void)madvise(driver_ptr(&d, FREE, FREE_LEN), FREE_LEN, MADV_NOHUGEPAGE);
	memset(driver_ptr(&d, FREE, FREE_LEN), 0x5a, FREE_LEN);
}

/* How many pages of [@gpa, @gpa + @len) read as zeroes */
static inline size_t balloon_gone(gpa_t gpa, size_t len)
{
	static const uint8_t zero[4096];
	const uint8_t *p = driver_ptr(&d, gpa, len);
	size_t n = 0;

	for (size_t off = 0; off < len; off += sizeof(zero))
		n += memcmp(p + off, zero, sizeof(zero)) == 0;
	return n;
}

/* Send @n page numbers.  Return: did they come back? */
static inline bool balloon_list(unsigned int qi, const uint32_t *pfn, unsigned int n)
{
	uint32_t bytes = n * (uint32_t)sizeof(*pfn), id, len;
	gpa_t at = driver_alloc(&d, bytes, 4);

	memcpy(driver_ptr(&d, at, bytes), pfn, bytes);
	driver_send(&d, qi, &(struct driver_buf){at, bytes, false}, 1);
	return driver_wait(&d, qi, &id, &len) && len == 0;
}

static inline bool balloon_report(const struct driver_buf *b, unsigned int n)
{
	uint32_t id, len;

	driver_send(&d, REPORTING, b, n);
	return driver_wait(&d, REPORTING, &id, &len);
}

#endif

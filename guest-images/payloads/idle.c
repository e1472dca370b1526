/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle - every virtio device is brought to life, with all its queues and nothing in them; the
 * balloon gets a page, and each disk is read from for a while; then nothing more happens. With
 * typed=N, N times, whenever a byte is typed on COM1, all devices are reset and come to life again;
 * with late=1 the first time as well.
 */
#include <linux/serial_reg.h>

#include "guest-images/payloads/rt/blk.h"
#include "vmm/core/layout_x86.h"

#define QUEUES_MAX 64 /* of a device */
#define QUEUE_SIZE 16
#define READS      300

static void idle_live(unsigned int i)
{
	static struct vio v[32];
	static uint8_t page[4096] __attribute__((aligned(4096)));
	uint32_t pfn = (uint32_t)((uintptr_t)page >> 12);
	struct vbuf given = {&pfn, sizeof(pfn), false};
	struct vio *d = &v[i];
	struct vq first;

	d->base = vio_window(i);
	d->id = vio_read(d, VIRTIO_MMIO_DEVICE_ID);
	if (!vio_begin(d, UINT64_MAX)) {
		print("FAIL: device %u (id %u) refuses\n", i, d->id);
		guest_panic();
	}
	for (unsigned int qi = 0; qi < QUEUES_MAX; qi++) {
		struct vq q = {0};

		if (!vq_init(&q, d, qi, QUEUE_SIZE))
			break;
		if (qi == 0)
			first = q;
	}
	vio_driver_ok(d);
	if (d->id == VIRTIO_ID_BALLOON) {
		memset(page, 0x5a, sizeof(page));
		if (!vq_request(&first, &given, 1, NULL) || *(volatile uint8_t *)page)
			print("FAIL: a page is not taken\n");
		memset(page, 0x5a, sizeof(page));
	}
	print("device %u: id %u, status %x\n", i, d->id, vio_status(d));
}

static void idle_read(struct blk *b)
{
	static uint8_t buf[4096] __attribute__((aligned(4096)));

	for (unsigned int i = 0; i < READS; i++)
		if (blk_rw(b, VIRTIO_BLK_T_IN, 0, buf, sizeof(buf)) != VIRTIO_BLK_S_OK) {
			print("FAIL: a read\n");
			guest_panic();
		}
}

static void idle_all(void)
{
	static struct blk disk[16];
	unsigned int n = 0;

	for (unsigned int i = 0; vio_window(i); i++)
		if (read32(vio_window(i) + VIRTIO_MMIO_DEVICE_ID) != VIRTIO_ID_BLOCK)
			idle_live(i);
	for (; n < 16 && blk_open(&disk[n], n); n++)
		idle_read(&disk[n]);
	print("idle, %u disks\n", n);
}

static void idle_until_typed(void)
{
	while (!(inb(LAYOUT_COM1 + UART_LSR) & UART_LSR_DR))
		cpu_relax();
	(void)inb(LAYOUT_COM1 + UART_RX);
}

int main(void)
{
	if (cmdline_u64("late", 0)) {
		print("waiting\n");
		idle_until_typed();
	}
	idle_all();
	for (uint64_t n = cmdline_u64("typed", 0); n > 0; n--) {
		idle_until_typed();
		idle_all();
	}
	for (;;)
		cpu_relax();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idle - every virtio device is brought to life, with all its queues and nothing in them; each
 * disk is read from for a while; then nothing more happens.
 */
#include "guest-images/payloads/rt/blk.h"

#define QUEUES_MAX 64 /* of a device */
#define QUEUE_SIZE 16
#define READS      300

static void idle_live(unsigned int i)
{
	static struct vio v[32];
	struct vio *d = &v[i];

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
	}
	vio_driver_ok(d);
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

int main(void)
{
	static struct blk disk[16];
	unsigned int n = 0;

	for (unsigned int i = 0; vio_window(i); i++)
		if (read32(vio_window(i) + VIRTIO_MMIO_DEVICE_ID) != VIRTIO_ID_BLOCK)
			idle_live(i);
	for (; n < 16 && blk_open(&disk[n], n); n++)
		idle_read(&disk[n]);
	print("idle, %u disks\n", n);
	for (;;)
		cpu_relax();
}

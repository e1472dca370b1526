/* SPDX-License-Identifier: Apache-2.0 */
/* exits - the cost of each kind of exit from the guest: count= times each, timed. */
#include "guest-images/payloads/rt/virtio.h"
#include "vmm/core/layout_x86.h"

#define PORT_NOBODY 0x80

static struct vio rng;
static struct vq queue;

static void exits_port(void)
{
	outb(PORT_NOBODY, 0);
}
static void exits_port_device(void)
{
	(void)inb(LAYOUT_COM1 + 5);
}
static void exits_register_write(void)
{
	vio_write(&rng, VIRTIO_MMIO_QUEUE_SEL, 0);
}
static void exits_register_read(void)
{
	(void)vio_read(&rng, VIRTIO_MMIO_STATUS);
}
static void exits_kick(void)
{
	vio_write(&rng, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}
static void exits_cpuid(void)
{
	uint32_t r[4];

	cpuid(0, r);
}
static void exits_rdtsc(void)
{
	(void)rdtsc();
}

static void exits_time(const char *name, void (*fn)(void), uint64_t count)
{
	uint64_t t;

	fn();
	t = now_ns();
	for (uint64_t i = 0; i < count; i++)
		fn();
	t = now_ns() - t;
	print("exits: %s count=%lu ns_each=%lu\n", name, count, t / count);
}

int main(void)
{
	uint64_t count = cmdline_u64("count", 2000);

	if (!vio_find(&rng, VIRTIO_ID_RNG, 0) || !vio_begin(&rng, 0) ||
	    !vq_init(&queue, &rng, 0, 8)) {
		print("FAIL: no entropy device\n");
		return 1;
	}
	vio_driver_ok(&rng);
	exits_time("rdtsc", exits_rdtsc, count);
	exits_time("cpuid", exits_cpuid, count);
	exits_time("kick", exits_kick, count);
	exits_time("register-read", exits_register_read, count);
	exits_time("register-write", exits_register_write, count);
	exits_time("port-nobody", exits_port, count);
	exits_time("port-device", exits_port_device, count);
	print("PASS\n");
	return 0;
}

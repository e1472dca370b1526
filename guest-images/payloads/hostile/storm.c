/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm - the same thing over and over for seconds=, as fast as we can, by mode=: `reset` sets
 * every device up with a request under way and resets it; `kick` rings doorbells, with two
 * processors from both; `lie` breaks a device and revives it; `ioapic` reroutes interrupts;
 * `print` floods COM1. Then every device has to work. The test outside measures whether the VMM
 * grows.
 */
#include "guest-images/payloads/hostile/rig.h"
#include "vmm/core/layout_x86.h"

#define KICKS 64 /* in a round */
/* I/O APIC: entries with a destination that no local APIC has */
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
#define IOAPIC_NOBODY     (0x7eU << 24)
#define IOAPIC_MASKED     0x10000U

static struct rig rig;
static volatile bool stop, stopped;

static const struct target *storm_target(uint64_t n)
{
	return &rig_targets[n % rig_ntargets];
}

static bool storm_reset(uint64_t n)
{
	if (!rig_open(&rig, storm_target(n)))
		return true;
	if (!rig_begin(&rig))
		return false;
	vio_driver_ok(&rig.v);
	rig_lay(&rig);
	(void)rig_go(&rig, 0);
	return vio_reset(&rig.v);
}

static bool storm_lie(uint64_t n)
{
	if (!rig_open(&rig, storm_target(n)))
		return true;
	if (!rig_begin(&rig))
		return false;
	vio_driver_ok(&rig.v);
	rig_lay(&rig);
	rig.vq->desc[0].addr = UINT64_C(1) << 60;
	(void)rig_go(&rig, 1000000);
	return vio_reset(&rig.v);
}

static bool storm_kick(uint64_t n)
{
	if (n == 0 && (!rig_open(&rig, storm_target(0)) || !rig_works(&rig)))
		return false;
	for (unsigned int i = 0; i < KICKS; i++)
		vio_write(&rig.v, VIRTIO_MMIO_QUEUE_NOTIFY, rig.t->qi);
	return true;
}

/* The other processor */
static void storm_kick_too(void)
{
	while (!stop)
		vio_write(&rig.v, VIRTIO_MMIO_QUEUE_NOTIFY, rig.t->qi);
	stopped = true;
}

static void storm_ioapic_set(unsigned int reg, uint32_t val)
{
	write32(LAYOUT_IOAPIC, reg);
	write32(LAYOUT_IOAPIC + 0x10, val);
}

static bool storm_ioapic(uint64_t n)
{
	unsigned int pin = (unsigned int)(n % LAYOUT_IOAPIC_PINS);
	uint32_t vector = 0x30 + (uint32_t)(n / LAYOUT_IOAPIC_PINS) % 0xc0;

	storm_ioapic_set(IOAPIC_ENTRY(pin) + 1, IOAPIC_NOBODY);
	storm_ioapic_set(IOAPIC_ENTRY(pin), vector);
	storm_ioapic_set(IOAPIC_ENTRY(pin), vector | IOAPIC_MASKED);
	return true;
}

static bool storm_print(uint64_t n)
{
	print("%lu and some more words to make a line of it\n", n);
	return true;
}

static const struct {
	const char *mode;
	bool (*round)(uint64_t n);
} storms[] = {
	{"reset", storm_reset},   {"kick", storm_kick},   {"lie", storm_lie},
	{"ioapic", storm_ioapic}, {"print", storm_print},
};

static bool storm_devices_work(void)
{
	bool ok = true;

	for (unsigned int i = 0; i < rig_ntargets; i++) {
		if (!rig_open(&rig, &rig_targets[i]))
			continue;
		if (!rig_works(&rig)) {
			print("WEDGED %s\n", rig_targets[i].name);
			ok = false;
		}
	}
	return ok;
}

static bool storm_run(bool (*round)(uint64_t n), uint64_t seconds, uint64_t cpus)
{
	uint64_t end = now_ns() + seconds * UINT64_C(1000000000), n = 0;

	do {
		if (!round(n)) {
			print("WEDGED in round %lu\n", n);
			return false;
		}
		if (n++ == 0 && cpus > 1 && !rt_ap_start(1, storm_kick_too))
			return false;
	} while (now_ns() < end);
	stop = true;
	while (cpus > 1 && !stopped)
		cpu_relax();
	print("%lu rounds\n", n);
	return storm_devices_work();
}

int main(void)
{
	uint64_t seconds = cmdline_u64("seconds", 5), cpus = cmdline_u64("cpus", 1);

	for (unsigned int i = 0; i < sizeof(storms) / sizeof(storms[0]); i++) {
		if (!cmdline_is("mode", storms[i].mode))
			continue;
		print("storming\n");
		if (!storm_run(storms[i].round, seconds, cpus))
			break;
		print("PASS\n");
		return 0;
	}
	print("FAIL\n");
	return 1;
}

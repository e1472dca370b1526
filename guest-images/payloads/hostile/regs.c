/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regs - anything to any register: count= random accesses of every width to device
 * windows, the I/O APIC, holes and ports, from seed=; then every device has to come back
 * after a reset.  The same seed makes the same accesses.
 *
 * Spared are only the accesses that end a machine by design, and addresses of queues that
 * point at our own code: a device that does as it is told would destroy the test.
 */
#include "devices/legacy/legacy.h"
#include "guest-images/payloads/hostile/rig.h"
#include "vmm/core/layout_x86.h"

#define PLAYGROUND    0x100000 /* bytes, and its alignment: queues may be here */
#define WINDOW        0x1000
#define IOAPIC_LEN    0x20
#define IOAPIC_MASKED 0x10000

static struct prng rnd;
static uint64_t windows[32];
static unsigned int nwindow;
static uint64_t playground;

static uint64_t regs_value(void)
{
	switch (prng_below(&rnd, 4)) {
	case 0:
		return UINT64_C(1) << prng_below(&rnd, 64);
	case 1:
		return (UINT64_C(1) << prng_below(&rnd, 64)) - 1;
	case 2:
		return prng_below(&rnd, 16);
	default:
		return prng_next(&rnd);
	}
}

static void regs_mmio(uint64_t addr, unsigned int width, bool write, uint64_t v)
{
	switch (width) {
	case 0:
		write ? write8(addr, (uint8_t)v) : (void)read8(addr);
		break;
	case 1:
		write ? write16(addr, (uint16_t)v) : (void)read16(addr);
		break;
	case 2:
		write ? write32(addr, (uint32_t)v) : (void)read32(addr);
		break;
	default:
		write ? write64(addr, v) : (void)read64(addr);
	}
}

/* regs_queue_value() - a ring in the playground, or where no RAM can be */
static uint64_t regs_queue_value(unsigned int off)
{
	bool high = off & 4;

	if (high)
		return prng_below(&rnd, 4) ? 0 : 0x80000000 | regs_value();
	if (prng_below(&rnd, 8))
		return playground + (prng_below(&rnd, PLAYGROUND / 2) & ~UINT64_C(15));
	return LAYOUT_RAM_HOLE | regs_value() << 4;
}

static void regs_virtio(void)
{
	uint64_t base = windows[prng_below(&rnd, nwindow)], v = regs_value();
	unsigned int off = (unsigned int)prng_below(&rnd, 0x120) & ~3U, width = 2;
	bool write = prng_below(&rnd, 3);

	if (!prng_below(&rnd, 4)) {
		off = (unsigned int)prng_below(&rnd, WINDOW - 8);
		width = (unsigned int)prng_below(&rnd, 4);
	}
	/* whatever touches an address register keeps to whole ones, and to our values */
	if (off + 8 > VIRTIO_MMIO_QUEUE_DESC_LOW &&
	    off <= VIRTIO_MMIO_QUEUE_USED_HIGH + 3) {
		off &= ~3U;
		width = 2;
		v = regs_queue_value(off);
	}
	/* a device is set up more often than by chance */
	if (off == VIRTIO_MMIO_STATUS && prng_below(&rnd, 2))
		v = (UINT64_C(2) << prng_below(&rnd, 4)) - 1;
	regs_mmio(base + off, width, write, v);
}

/* regs_ends_machine() - reset and sleep, by any port that may reach them */
static bool regs_ends_machine(uint16_t port, unsigned int width)
{
	unsigned int last = port + (1U << width) - 1;
	static const struct {
		uint16_t from, to;
	} spared[] = {
		{0x60, 0x64},
		{0x92, 0x92},
		{LAYOUT_ACPI_PM, LAYOUT_ACPI_PM + ACPI_PM_LEN - 1},
		{0xcf9, 0xcf9},
	};

	for (unsigned int i = 0; i < sizeof(spared) / sizeof(spared[0]); i++)
		if (last >= spared[i].from && port <= spared[i].to)
			return true;
	return last > 0xffff;
}

static void regs_port(void)
{
	static const uint16_t known[] = {0x20,  0x21,  0x40,  0x43,  0x60,  0x61,  0x64,
					 0x70,  0x71,  0x80,  0x92,  0xa0,  0xa1,  0x3f8,
					 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff,
					 0x600, 0x601, 0x602, 0x603, 0xcf8, 0xcf9, 0xcfc};
	uint16_t port = known[prng_below(&rnd, sizeof(known) / sizeof(known[0]))];
	unsigned int width = (unsigned int)prng_below(&rnd, 3);
	uint32_t v = (uint32_t)regs_value();
	bool write = prng_below(&rnd, 2);

	if (prng_below(&rnd, 2))
		port = (uint16_t)prng_next(&rnd);
	if (write && regs_ends_machine(port, width))
		write = false;
	if (width == 0)
		write ? outb(port, (uint8_t)v) : (void)inb(port);
	else if (width == 1)
		write ? outw(port, (uint16_t)v) : (void)inw(port);
	else
		write ? outl(port, v) : (void)inl(port);
}

/* regs_ioapic() - entries stay masked: an INIT sent to ourselves would be obeyed */
static void regs_ioapic(void)
{
	unsigned int off = (unsigned int)prng_below(&rnd, IOAPIC_LEN);

	if (prng_below(&rnd, 2)) {
		write32(LAYOUT_IOAPIC, (uint32_t)regs_value());
		write32(LAYOUT_IOAPIC + 0x10, (uint32_t)regs_value() | IOAPIC_MASKED);
	} else {
		regs_mmio(LAYOUT_IOAPIC + off, (unsigned int)prng_below(&rnd, 4), false,
			  0);
	}
}

static void regs_hole(void)
{
	uint64_t addr =
		LAYOUT_RAM_HOLE + prng_below(&rnd, LAYOUT_IOAPIC - LAYOUT_RAM_HOLE);

	if (addr - LAYOUT_VIRTIO < sizeof(windows) / sizeof(windows[0]) * WINDOW + 8)
		return;
	regs_mmio(addr, (unsigned int)prng_below(&rnd, 4), prng_below(&rnd, 2),
		  regs_value());
}

/* regs_string() - rep movs and rep ins over the edges of windows and past them */
static void regs_string(void)
{
	static uint8_t buf[256];
	uint64_t base = windows[prng_below(&rnd, nwindow)];
	void *from = (void *)(base + WINDOW - prng_below(&rnd, 64)), *to = buf;
	uint64_t n = prng_below(&rnd, sizeof(buf));
	uint16_t port = LAYOUT_COM1;

	__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	to = buf;
	n = prng_below(&rnd, sizeof(buf));
	__asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"(port) : "memory");
}

/* regs_fill() - rings in the playground say things, mostly about the playground */
static void regs_fill(void)
{
	uint64_t v;

	for (uint64_t a = playground; a < playground + PLAYGROUND; a += 8) {
		v = prng_next(&rnd) | UINT64_C(1) << 63;
		if (!prng_below(&rnd, 2))
			v = playground + prng_below(&rnd, PLAYGROUND / 2);
		else if (!prng_below(&rnd, 2)) /* length, flags, next */
			v = prng_below(&rnd, 4096) | prng_below(&rnd, 8) << 32 |
			    prng_below(&rnd, 16) << 48;
		write64(a, v);
	}
}

/* regs_by_the_book() - part of the way to a running device, which chance seldom finds */
static void regs_by_the_book(void)
{
	static const uint8_t steps[] = {0, 1, 3, 0xb, 0xf};
	uint64_t base = windows[prng_below(&rnd, nwindow)];
	uint64_t n = 1 + prng_below(&rnd, sizeof(steps));

	for (uint64_t i = 0; i < n; i++) {
		if (steps[i] == 0xb) {
			write32(base + VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
			write32(base + VIRTIO_MMIO_DRIVER_FEATURES, 1);
		}
		write32(base + VIRTIO_MMIO_STATUS, steps[i]);
	}
	if (n == 4) /* FEATURES_OK: queues may be set up now */
		for (unsigned int i = 0; i < 16; i++)
			regs_virtio();
}

static void regs_access(uint64_t n)
{
	switch (prng_below(&rnd, 16)) {
	case 0 ... 7:
		regs_virtio();
		break;
	case 8:
		regs_by_the_book();
		break;
	case 9 ... 12:
		regs_port();
		break;
	case 13:
		regs_ioapic();
		break;
	case 14:
		regs_hole();
		break;
	default:
		if (n % 16 == 0)
			regs_string();
	}
}

/* regs_calm() - what we did to COM1 and the I/O APIC is undone: the rest is about virtio */
static void regs_calm(void)
{
	for (unsigned int i = 0; i < LAYOUT_IOAPIC_PINS; i++) {
		write32(LAYOUT_IOAPIC, 0x10 + 2 * i);
		write32(LAYOUT_IOAPIC + 0x10, IOAPIC_MASKED);
	}
	outb(LAYOUT_COM1 + 3, 0x03); /* no divisor latch: 8n1 */
	outb(LAYOUT_COM1 + 1, 0);
	outb(LAYOUT_COM1 + 4, 0x03); /* no loopback */
	outb(LAYOUT_COM1 + 2, 0x07);
}

static bool regs_devices_work(void)
{
	struct rig r;
	bool ok = true;

	for (unsigned int i = 0; i < nwindow; i++)
		write32(windows[i] + VIRTIO_MMIO_STATUS, 0);
	for (unsigned int i = 0; i < rig_ntargets; i++) {
		if (!rig_open(&r, &rig_targets[i]))
			continue;
		if (!rig_works(&r)) {
			print("WEDGED %s\n", rig_targets[i].name);
			ok = false;
		}
	}
	return ok;
}

int main(void)
{
	uint64_t count = cmdline_u64("count", 20000), seed = cmdline_u64("seed", 1), n;
	bool ok;

	while (nwindow < 32 && (windows[nwindow] = vio_window(nwindow)))
		nwindow++;
	if (!nwindow) {
		print("FAIL: no device\n");
		return 1;
	}
	playground = (uintptr_t)rt_alloc(PLAYGROUND, PLAYGROUND);
	prng_seed(&rnd, seed);
	regs_fill();
	for (n = 0; n < count || !rt_let_go(); n++)
		regs_access(n);
	regs_calm();
	ok = regs_devices_work();
	print("\n%s: %lu accesses from seed %lu over %u windows\n", ok ? "PASS" : "FAIL",
	      n, seed, nwindow);
	return !ok;
}

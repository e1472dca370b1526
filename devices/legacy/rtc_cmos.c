/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtc_cmos - an MC146818 clock in UTC and the 128 bytes of CMOS around it.
 *
 * The time is the host's plus an offset, computed at each read, so an idle clock costs nothing. A
 * guest that sets the clock changes the offset, not the host's clock.
 *
 * There is no interrupt: nothing wakes the VMM for a guest's alarm. The DSDT declares none, so
 * Linux's rtc-cmos knows that it has no alarms and works without. Register C tells whether a
 * second has begun since it was last read (UF); AF and PF never rise. The alarm bytes are
 * storage; the day of the week follows from the date and cannot be set.
 */
#include "devices/legacy/rtc_cmos_time.h"

#include <stdlib.h>
#include <string.h>

#include "devices/legacy/legacy.h"
#include "devices/legacy/pio_ports.h"
#include "vmm/core/util.h"

#define CMOS_BASE 0x70
#define CMOS_LEN  2 /* index, data */

#define CMOS_NS_UIP   2228000u   /* an update is announced by 244 us and takes 1984 */
#define CMOS_NS_START 500000000u /* the divider's first update after its reset */

static bool cmos_running(const struct cmos *c)
{
	return !(c->ram[CMOS_B] & CMOS_B_SET) &&
	       (c->ram[CMOS_A] & CMOS_A_STOPPED) != CMOS_A_STOPPED;
}

static bool cmos_is_time(unsigned int reg)
{
	switch (reg) {
	case CMOS_SEC:
	case CMOS_MIN:
	case CMOS_HOUR:
	case CMOS_WEEKDAY:
	case CMOS_DAY:
	case CMOS_MONTH:
	case CMOS_YEAR:
	case CMOS_CENTURY:
		return true;
	default:
		return false;
	}
}

/* Register A or B: may stop the clock, or start it from the time in the registers */
static void cmos_set_control(struct cmos *c, enum cmos_reg reg, uint8_t val)
{
	struct cmos_time now = cmos_now(c);
	bool was = cmos_running(c);

	c->ram[reg] = val;
	if (was && !cmos_running(c))
		cmos_latch(c, now.sec);
	else if (!was && cmos_running(c))
		cmos_start(c, reg == CMOS_A ? CMOS_NS_START : now.ns);
}

static uint8_t cmos_flags(struct cmos *c)
{
	uint64_t sec = cmos_now(c).sec;
	uint8_t flags = sec != c->told ? CMOS_C_UF : 0;

	c->told = sec;
	return flags && c->ram[CMOS_B] & CMOS_B_UIE ? flags | CMOS_C_IRQF : flags;
}

static uint8_t cmos_get_reg(struct cmos *c)
{
	struct cmos_time now;

	if (c->index == CMOS_C)
		return cmos_flags(c);
	if (c->index == CMOS_D)
		return CMOS_D_VALID;
	if (!cmos_running(c))
		return c->ram[c->index];
	now = cmos_now(c);
	if (c->index == CMOS_A && now.ns >= CMOS_NS_PER_SEC - CMOS_NS_UIP)
		return c->ram[CMOS_A] | CMOS_A_UIP;
	if (cmos_is_time(c->index))
		cmos_latch(c, now.sec);
	return c->ram[c->index];
}

static void cmos_set_reg(struct cmos *c, uint8_t val)
{
	struct cmos_time now;

	if (c->index == CMOS_A || c->index == CMOS_B) {
		cmos_set_control(c, c->index,
				 c->index == CMOS_A ? val & (uint8_t)~CMOS_A_UIP : val);
		return;
	}
	if (c->index == CMOS_C || c->index == CMOS_D || c->index == CMOS_WEEKDAY)
		return;
	if (!cmos_is_time(c->index) || !cmos_running(c)) {
		c->ram[c->index] = val;
		return;
	}
	now = cmos_now(c);
	cmos_latch(c, now.sec);
	c->ram[c->index] = val;
	cmos_start(c, now.ns);
}

/* The bus's side */

static uint8_t cmos_get(struct device *d, unsigned int port)
{
	struct cmos *c = container_of(d, struct cmos, dev);

	return port ? cmos_get_reg(c) : 0xff; /* the index is write-only */
}

static void cmos_set(struct device *d, unsigned int port, uint8_t val)
{
	struct cmos *c = container_of(d, struct cmos, dev);

	if (port)
		cmos_set_reg(c, val);
	else
		c->index = val &
			   (CMOS_SIZE - 1); /* bit 7 masks NMIs, of which we have none */
}

static uint64_t cmos_read(struct device *d, uint64_t off, unsigned int size)
{
	return ports_read(d, off, size, cmos_get);
}

static void cmos_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	ports_write(d, off, size, val, cmos_set);
}

/* The battery keeps time and memory */
static void cmos_reset(struct device *d)
{
	struct cmos *c = container_of(d, struct cmos, dev);

	c->index = 0;
	c->ram[CMOS_B] &= (uint8_t)~CMOS_B_IRQS;
}

static void cmos_state_fields(struct cmos *c, struct state *s)
{
	state_u8(s, &c->index);
	state_u64(s, &c->offset.sec);
	state_u32(s, &c->offset.ns);
	state_u64(s, &c->told);
	state_bytes(s, c->ram, sizeof(c->ram));
	if (c->index >= CMOS_SIZE || c->offset.sec >= CMOS_CYCLE ||
	    c->offset.ns >= CMOS_NS_PER_SEC || c->ram[CMOS_A] & CMOS_A_UIP)
		state_fail(s, "the clock cannot be set so");
}

/* Into a copy: a failed load must not spoil what a battery keeps */
static void cmos_state(struct device *d, struct state *s)
{
	struct cmos *c = container_of(d, struct cmos, dev), new = *c;

	state_begin(s, d->name, 1);
	cmos_state_fields(&new, s);
	state_end(s);
	if (state_refused(s)) {
		cmos_reset(d);
	} else if (state_loading(s)) {
		c->index = new.index;
		c->offset = new.offset;
		c->told = new.told;
		memcpy(c->ram, new.ram, sizeof(c->ram));
	}
}

static void cmos_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct cmos, dev));
}

static const struct device_ops cmos_ops = {
	.arm = device_nop_arm,
	.read = cmos_read,
	.write = cmos_write,
	.reset = cmos_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = cmos_state,
	.destroy = cmos_destroy,
};

static void cmos_fill(struct cmos *c, unsigned int reg, uint64_t v, unsigned int n)
{
	v = MIN(v, (UINT64_C(1) << (8 * n)) - 1);
	for (unsigned int i = 0; i < n; i++)
		c->ram[reg + i] = (uint8_t)(v >> (8 * i));
}

struct device *cmos_create(uint64_t ram_below_4g, uint64_t ram_above_4g)
{
	struct cmos *c = calloc(1, sizeof(*c));
	uint64_t ext = ram_below_4g > MIB ? ram_below_4g - MIB : 0;
	uint64_t above16 = ram_below_4g > 16 * MIB ? ram_below_4g - 16 * MIB : 0;

	if (!c)
		return NULL;
	device_init(&c->dev, &cmos_ops, DEVICE_RTC, "rtc", CMOS_BASE, CMOS_LEN);
	c->ram[CMOS_A] = CMOS_A_DEFAULT;
	c->ram[CMOS_B] = CMOS_B_24H;
	cmos_fill(c, CMOS_BASE_KIB, 640, 2);
	cmos_fill(c, CMOS_EXT_KIB, ext / KIB, 2);
	cmos_fill(c, CMOS_EXT_KIB_FOUND, ext / KIB, 2);
	cmos_fill(c, CMOS_ABOVE_16M, above16 / (64 * KIB), 2);
	cmos_fill(c, CMOS_ABOVE_4G, ram_above_4g / (64 * KIB), 3);
	return &c->dev;
}

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
#include "devices/legacy/legacy.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/legacy/pio_ports.h"
#include "vmm/core/util.h"

#define CMOS_BASE 0x70
#define CMOS_LEN  2 /* index, data */

enum cmos_reg {
	CMOS_SEC = 0x00,
	CMOS_MIN = 0x02,
	CMOS_HOUR = 0x04,
	CMOS_WEEKDAY = 0x06,
	CMOS_DAY = 0x07,
	CMOS_MONTH = 0x08,
	CMOS_YEAR = 0x09,
	CMOS_A = 0x0a,
	CMOS_B = 0x0b,
	CMOS_C = 0x0c,
	CMOS_D = 0x0d,
	CMOS_BASE_KIB = 0x15, /* 16 bits, as the next three; then 24 */
	CMOS_EXT_KIB = 0x17,
	CMOS_EXT_KIB_FOUND = 0x30,
	CMOS_CENTURY = 0x32, /* where the FADT says it is */
	CMOS_ABOVE_16M = 0x34,
	CMOS_ABOVE_4G = 0x5b,
	CMOS_SIZE = 128,
};

#define CMOS_A_UIP     0x80
#define CMOS_A_STOPPED 0x60 /* both bits: the divider is held in reset */
#define CMOS_A_DEFAULT 0x26 /* 32768 Hz, 1024 Hz */
#define CMOS_B_SET     0x80 /* the guest is setting the time */
#define CMOS_B_IRQS    0x70
#define CMOS_B_UIE     0x10
#define CMOS_B_BINARY  0x04
#define CMOS_B_24H     0x02
#define CMOS_C_IRQF    0x80
#define CMOS_C_UF      0x10
#define CMOS_D_VALID   0x80
#define CMOS_PM        0x80 /* of the hour, when it counts to 12 */

#define CMOS_NS_PER_SEC 1000000000u
#define CMOS_NS_UIP     2228000u   /* an update is announced by 244 us and takes 1984 */
#define CMOS_NS_START   500000000u /* the divider's first update after its reset */

/* Time is counted in seconds since the first day of year 0, modulo 10,000 years */
#define CMOS_DAY_SECS   UINT64_C(86400)
#define CMOS_EPOCH_DAYS 719528 /* 1970-01-01 */
#define CMOS_CYCLE_DAYS 3652425
#define CMOS_CYCLE      (CMOS_CYCLE_DAYS * CMOS_DAY_SECS)

struct cmos_time {
	uint64_t sec; /* below CMOS_CYCLE */
	uint32_t ns;
};

struct cmos {
	struct device dev;
	uint8_t index;
	struct cmos_time offset; /* guest's time - host's */
	uint64_t told;           /* the second of the last read of register C */
	uint8_t ram[CMOS_SIZE];  /* the time's bytes: while the clock stands still */
};

static struct cmos_time cmos_add(struct cmos_time a, struct cmos_time b)
{
	uint32_t ns = a.ns + b.ns;

	return (struct cmos_time){(a.sec + b.sec + ns / CMOS_NS_PER_SEC) % CMOS_CYCLE,
				  ns % CMOS_NS_PER_SEC};
}

static struct cmos_time cmos_negative(struct cmos_time t)
{
	struct cmos_time r = {CMOS_CYCLE - t.sec, 0};

	if (t.ns) {
		r.sec--;
		r.ns = CMOS_NS_PER_SEC - t.ns;
	}
	r.sec %= CMOS_CYCLE;
	return r;
}

static struct cmos_time cmos_host(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (struct cmos_time){
		((uint64_t)ts.tv_sec + CMOS_EPOCH_DAYS * CMOS_DAY_SECS) % CMOS_CYCLE,
		(uint32_t)ts.tv_nsec};
}

static struct cmos_time cmos_now(const struct cmos *c)
{
	return cmos_add(cmos_host(), c->offset);
}

static bool cmos_running(const struct cmos *c)
{
	return !(c->ram[CMOS_B] & CMOS_B_SET) &&
	       (c->ram[CMOS_A] & CMOS_A_STOPPED) != CMOS_A_STOPPED;
}

/* Calendar (proleptic Gregorian; year 0 is a leap year) */

static bool cmos_leap(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 0000-01-01 to @year-01-01 */
static unsigned int cmos_year_days(unsigned int year)
{
	unsigned int y = year + 399; /* so that no negative number is divided */

	return year * 365 + (y / 4 - y / 100 + y / 400) - (399 / 4 - 399 / 100);
}

static unsigned int cmos_month_len(unsigned int year, unsigned int month)
{
	static const uint8_t len[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return len[month - 1] + (month == 2 && cmos_leap(year) ? 1u : 0u);
}

/* Registers <-> numbers, in the format of register B */

static uint8_t cmos_encode(const struct cmos *c, unsigned int v)
{
	return (uint8_t)(c->ram[CMOS_B] & CMOS_B_BINARY ? v : v / 10 << 4 | v % 10);
}

/* Return: register @reg, clamped to [@min, @max] */
static unsigned int cmos_decode(const struct cmos *c, enum cmos_reg reg, unsigned int min,
				unsigned int max)
{
	unsigned int v = c->ram[reg];

	if (!(c->ram[CMOS_B] & CMOS_B_BINARY))
		v = (v >> 4) * 10 + (v & 0xf);
	return MAX(min, MIN(v, max));
}

static uint8_t cmos_encode_hour(const struct cmos *c, unsigned int hour)
{
	if (c->ram[CMOS_B] & CMOS_B_24H)
		return cmos_encode(c, hour);
	return cmos_encode(c, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? CMOS_PM : 0);
}

static unsigned int cmos_decode_hour(struct cmos *c)
{
	uint8_t raw = c->ram[CMOS_HOUR];
	unsigned int hour;

	if (c->ram[CMOS_B] & CMOS_B_24H)
		return cmos_decode(c, CMOS_HOUR, 0, 23);
	c->ram[CMOS_HOUR] = raw & (uint8_t)~CMOS_PM;
	hour = cmos_decode(c, CMOS_HOUR, 1, 12) % 12;
	c->ram[CMOS_HOUR] = raw;
	return raw & CMOS_PM ? hour + 12 : hour;
}

/* cmos_latch() - fill the time's registers */
static void cmos_latch(struct cmos *c, uint64_t sec)
{
	unsigned int days = (unsigned int)(sec / CMOS_DAY_SECS);
	unsigned int rest = (unsigned int)(sec % CMOS_DAY_SECS);
	unsigned int year = days / 366, month = 1, day;

	while (cmos_year_days(year + 1) <= days)
		year++;
	day = days - cmos_year_days(year);
	while (day >= cmos_month_len(year, month))
		day -= cmos_month_len(year, month++);
	c->ram[CMOS_SEC] = cmos_encode(c, rest % 60);
	c->ram[CMOS_MIN] = cmos_encode(c, rest / 60 % 60);
	c->ram[CMOS_HOUR] = cmos_encode_hour(c, rest / 3600);
	c->ram[CMOS_WEEKDAY] = (uint8_t)(days % 7 ? days % 7 : 7); /* Sunday is 1 */
	c->ram[CMOS_DAY] = cmos_encode(c, day + 1);
	c->ram[CMOS_MONTH] = cmos_encode(c, month);
	c->ram[CMOS_YEAR] = cmos_encode(c, year % 100);
	c->ram[CMOS_CENTURY] = cmos_encode(c, year / 100);
}

/* cmos_start() - the time in the registers, and @ns, is the time from now on */
static void cmos_start(struct cmos *c, uint32_t ns)
{
	unsigned int year = cmos_decode(c, CMOS_CENTURY, 0, 99) * 100 +
			    cmos_decode(c, CMOS_YEAR, 0, 99);
	unsigned int month = cmos_decode(c, CMOS_MONTH, 1, 12);
	unsigned int days = cmos_year_days(year) + cmos_decode(c, CMOS_DAY, 1, 31) - 1;
	struct cmos_time t = {.ns = ns};

	for (unsigned int i = 1; i < month; i++)
		days += cmos_month_len(year, i);
	t.sec = (days * CMOS_DAY_SECS + cmos_decode_hour(c) * 3600ull +
		 cmos_decode(c, CMOS_MIN, 0, 59) * 60ull +
		 cmos_decode(c, CMOS_SEC, 0, 59)) %
		CMOS_CYCLE;
	c->offset = cmos_add(t, cmos_negative(cmos_host()));
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

/* SPDX-License-Identifier: Apache-2.0 */
/* rtc_cmos_time - the clock's time: as a number, and in its registers. */
#include "devices/legacy/rtc_cmos_time.h"

#include <time.h>

#include "vmm/core/util.h"

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

struct cmos_time cmos_now(const struct cmos *c)
{
	return cmos_add(cmos_host(), c->offset);
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

void cmos_latch(struct cmos *c, uint64_t sec)
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

void cmos_start(struct cmos *c, uint32_t ns)
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

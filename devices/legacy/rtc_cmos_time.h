/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtc_cmos_time - the CMOS clock, and its time as a number and in its registers; for
 * devices/legacy/rtc_cmos.c only.
 */
#ifndef MICROVM_LEGACY_RTC_CMOS_TIME_H
#define MICROVM_LEGACY_RTC_CMOS_TIME_H

#include "vmm/core/device.h"

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

/* All with dev->lock held */

/* cmos_now() - the guest's time */
struct cmos_time cmos_now(const struct cmos *c);
/* cmos_latch() - fill the time's registers */
void cmos_latch(struct cmos *c, uint64_t sec);
/* cmos_start() - the time in the registers, each clamped to its range, and @ns is the time from
 * now on
 */
void cmos_start(struct cmos *c, uint32_t ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtc_pl031 - Arm's PL031 (DDI 0224), a 32-bit count of seconds with an alarm.
 *
 * The count is the host's time in UTC plus an offset, computed at each read, so an idle clock
 * costs nothing. A guest that sets it changes the offset, not the host's clock. A timer of the
 * host's clock waits for the alarm once a guest has set one.
 *
 * Registers are 32 bits wide: other accesses read as ones, or are dropped.
 */
#include "devices/legacy/legacy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/util.h"

enum pl031_reg {                     /* DDI 0224, 3.2 */
		 PL031_DR = 0x000,   /* the count */
		 PL031_MR = 0x004,   /* alarm: raised when the count comes to this */
		 PL031_LR = 0x008,   /* written: the count from now on */
		 PL031_CR = 0x00c,   /* 1: it runs, always */
		 PL031_IMSC = 0x010, /* 1: the alarm interrupts */
		 PL031_RIS = 0x014,  /* 1: it was raised */
		 PL031_MIS = 0x018,  /* both */
		 PL031_ICR = 0x01c,  /* written 1: it was not */
		 PL031_ID = 0xfe0,   /* eight bytes, one in each word, to the end */
		 PL031_LEN = 0x1000,
};

struct pl031 {
	struct device dev;
	struct loop *loop;
	struct loop_source timer; /* fd -1 until the first alarm is set */
	uint32_t offset;          /* count - host's seconds */
	uint32_t load, match;
	bool armed; /* a match was set and has not come yet */
	bool enabled, raised;
};

static uint32_t pl031_count(const struct pl031 *c)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint32_t)ts.tv_sec + c->offset;
}

static void pl031_raise(struct pl031 *c)
{
	c->armed = false;
	c->raised = true;
	if (c->enabled)
		irq_pulse(&c->dev.irq);
}

static int pl031_open(struct device *d, struct err *e)
{
	struct pl031 *c = container_of(d, struct pl031, dev);
	int rc;

	if (c->timer.fd >= 0)
		return 0;
	c->timer.fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	rc = c->timer.fd < 0 ? -errno : loop_add(c->loop, &c->timer);
	if (rc < 0 && c->timer.fd >= 0) {
		close(c->timer.fd);
		c->timer.fd = -1;
	}
	return rc < 0 ? err_set(e, -rc, "%s: no timer for an alarm: %s", d->name,
				strerror(-rc))
		      : 0;
}

/* Wait for a match that is @left seconds away. With TFD_TIMER_CANCEL_ON_SET the timer also
 * becomes readable if the host's clock is set meanwhile
 */
static void pl031_arm(struct pl031 *c, uint32_t left)
{
	struct timespec now;
	struct itimerspec it = {0};

	struct err e;

	c->armed = true;
	if (pl031_open(&c->dev, &e) < 0) {
		log_guest("%s", e.msg);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	it.it_value.tv_sec = now.tv_sec + (time_t)left;
	(void)timerfd_settime(c->timer.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			      &it, NULL);
}

/* The guest moved the match or the count; one that is now in the past comes in 136 years */
static void pl031_rematch(struct pl031 *c)
{
	uint32_t left = c->match - pl031_count(c);

	if (left)
		pl031_arm(c, left);
	else
		pl031_raise(c);
}

/* Loop thread, lock held. The host's clock reached the match, or it was set: past the match? */
static void pl031_on_timer(struct loop_source *s, uint32_t events)
{
	struct pl031 *c = container_of(s, struct pl031, timer);
	uint32_t left = c->match - pl031_count(c);
	uint64_t n;

	(void)events;
	if ((read(s->fd, &n, sizeof(n)) < 0 && errno == EAGAIN) || !c->armed)
		return;
	if (left == 0 || left > INT32_MAX)
		pl031_raise(c);
	else
		pl031_arm(c, left);
}

static uint32_t pl031_get(const struct pl031 *c, uint64_t off)
{
	/* PeriphID: part 0x031, designer 0x41, revision 0; PCellID */
	static const uint8_t id[] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	switch (off) {
	case PL031_DR:
		return pl031_count(c);
	case PL031_MR:
		return c->match;
	case PL031_LR:
		return c->load;
	case PL031_CR:
		return 1;
	case PL031_IMSC:
		return c->enabled;
	case PL031_RIS:
		return c->raised;
	case PL031_MIS:
		return c->raised && c->enabled;
	default:
		return off >= PL031_ID ? id[(off - PL031_ID) / 4] : 0;
	}
}

static void pl031_set(struct pl031 *c, uint64_t off, uint32_t val)
{
	bool pending = c->raised && c->enabled;

	switch (off) {
	case PL031_MR:
		c->match = val;
		pl031_rematch(c);
		break;
	case PL031_LR:
		c->load = val;
		c->offset += val - pl031_count(c);
		if (c->armed)
			pl031_rematch(c);
		break;
	case PL031_IMSC:
		c->enabled = val & 1;
		if (c->raised && c->enabled && !pending)
			irq_pulse(&c->dev.irq);
		break;
	case PL031_ICR:
		if (val & 1)
			c->raised = false;
		break;
	default:
		break; /* read-only, or CR, which cannot stop it */
	}
}

/* The bus's side */

static uint64_t pl031_read(struct device *d, uint64_t off, unsigned int size)
{
	if (size != sizeof(uint32_t) || off % sizeof(uint32_t))
		return ~UINT64_C(0);
	return pl031_get(container_of(d, struct pl031, dev), off);
}

static void pl031_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	if (size == sizeof(uint32_t) && off % sizeof(uint32_t) == 0)
		pl031_set(container_of(d, struct pl031, dev), off, (uint32_t)val);
}

/* What may set the timer */
static bool pl031_slow(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	(void)d;
	(void)size;
	(void)val;
	return off == PL031_MR || off == PL031_LR;
}

/* A battery keeps the time */
static void pl031_reset(struct device *d)
{
	struct pl031 *c = container_of(d, struct pl031, dev);

	c->load = c->match = 0;
	c->armed = c->enabled = c->raised = false;
}

static void pl031_state_fields(struct pl031 *c, struct state *s)
{
	state_u32(s, &c->offset);
	state_u32(s, &c->load);
	state_u32(s, &c->match);
	state_bool(s, &c->armed);
	state_bool(s, &c->enabled);
	state_bool(s, &c->raised);
}

static void pl031_state(struct device *d, struct state *s)
{
	struct pl031 *c = container_of(d, struct pl031, dev);
	uint32_t offset = c->offset, left;

	state_begin(s, d->name, 1);
	pl031_state_fields(c, s);
	state_end(s);
	if (!state_loading(s))
		return;
	if (state_refused(s)) {
		c->offset = offset; /* a battery keeps it over a reset */
		pl031_reset(d);
		return;
	}
	left = c->match - pl031_count(c);
	if (c->armed) /* an alarm while the guest was stored is late, not lost */
		pl031_arm(c, left <= INT32_MAX ? left : 0);
	if (c->raised && c->enabled) /* a pulse under way was not saved */
		irq_pulse(&c->dev.irq);
}

static void pl031_destroy(struct device *d)
{
	struct pl031 *c = container_of(d, struct pl031, dev);

	if (c->timer.fd >= 0) {
		loop_del(c->loop, &c->timer);
		close(c->timer.fd);
	}
	device_fini(d);
	free(c);
}

static const struct device_ops pl031_ops = {
	.arm = pl031_open,
	.read = pl031_read,
	.write = pl031_write,
	.reset = pl031_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = pl031_state,
	.destroy = pl031_destroy,
};

struct device *pl031_create(uint64_t base, unsigned int gsi, struct loop *loop)
{
	struct pl031 *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	device_init(&c->dev, &pl031_ops, DEVICE_RTC, "rtc", base, PL031_LEN);
	c->dev.slow = pl031_slow;
	c->loop = loop;
	c->timer = (struct loop_source){
		.fd = -1, .events = EPOLLIN, .dev = &c->dev, .fn = pl031_on_timer};
	if (irq_init(&c->dev.irq, gsi)) {
		pl031_destroy(&c->dev);
		return NULL;
	}
	return &c->dev;
}

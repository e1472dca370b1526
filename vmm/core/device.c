/* SPDX-License-Identifier: Apache-2.0 */
/* device - the part that all devices have. */
#include "vmm/core/device.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmm/core/util.h"

/* Locks are held for microseconds as a rule: tries before a nap, and between naps */
#define DEVICE_TRIES 16
#define DEVICE_NAPS  6 /* before the answer is no: 1.3 ms together */
#define DEVICE_NAP_NS \
	20000 /* the first; each is twice the one before, the seventh is not */

void device_init(struct device *d, const struct device_ops *ops, enum device_kind kind,
		 const char *name, uint64_t base, uint64_t len)
{
	memset(d, 0, sizeof(*d));
	d->ops = ops;
	d->kind = kind;
	(void)snprintf(d->name, sizeof(d->name), "%s", name);
	d->base = base;
	d->len = len;
	d->irq.fd = -1;
	pthread_mutex_init(&d->lock, NULL);
}

void device_fini(struct device *d)
{
	irq_fini(&d->irq);
	pthread_mutex_destroy(&d->lock);
}

/* The @n-th time in a row that the lock was not free. The wait is relative:
 * pthread_mutex_timedlock() waits until a time of the wall clock, and so for hours when that is
 * set back. (ThreadSanitizer of 2022 does not know pthread_mutex_clocklock().)
 */
static void device_lock_nap(unsigned int n)
{
	unsigned int naps = MIN(n / DEVICE_TRIES, DEVICE_NAPS - 1U);
	struct timespec nap = {.tv_nsec = DEVICE_NAP_NS << naps};

	if (n % DEVICE_TRIES != DEVICE_TRIES - 1)
		(void)sched_yield();
	else
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
}

/* @waiting is read again before each try, because the lock holder may set it late. The first no
 * takes a while: a caller that comes back for the same reason should not spin.
 */
bool device_lock_soon(struct device *d)
{
	for (unsigned int n = 0; pthread_mutex_trylock(&d->lock) != 0; n++) {
		if (d->waiting && n >= DEVICE_NAPS * DEVICE_TRIES)
			return false;
		device_lock_nap(n);
	}
	return true;
}

int device_nop_arm(struct device *d, struct err *e)
{
	(void)d;
	(void)e;
	return 0;
}

bool device_nop_rest(struct device *d)
{
	(void)d;
	return true;
}

void device_nop_wake(struct device *d)
{
	(void)d;
}

uint64_t device_nop_read(struct device *d, uint64_t off, unsigned int size)
{
	(void)d;
	(void)off;
	(void)size;
	return ~UINT64_C(0);
}

void device_nop_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	(void)d;
	(void)off;
	(void)size;
	(void)val;
}

void device_nop_reset(struct device *d)
{
	(void)d;
}

void device_nop_state(struct device *d, struct state *s)
{
	(void)d;
	(void)s;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* device - the part that all devices have. */
#include "vmm/core/device.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEVICE_SOON_NS 1000000

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

/* It is asked for again and again, because who has it may begin to wait only then.  Never no
 * at once: who comes back for the same reason should not turn for nothing.
 */
bool device_lock_soon(struct device *d)
{
	int rc = pthread_mutex_trylock(&d->lock);

	do {
		struct timespec t;

		if (rc == 0)
			return true;
		(void)clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += DEVICE_SOON_NS;
		if (t.tv_nsec >= 1000000000) {
			t.tv_nsec -= 1000000000;
			t.tv_sec++;
		}
		rc = pthread_mutex_timedlock(&d->lock, &t);
	} while (rc == 0 || !d->waiting);
	return false;
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

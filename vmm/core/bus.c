/* SPDX-License-Identifier: Apache-2.0 */
/* bus - find the device that a guest access belongs to, and call it under its lock. */
#include "vmm/core/bus.h"

#include <errno.h>
#include <string.h>

int bus_add(struct bus *b, struct device *d, struct err *e)
{
	unsigned int i;

	if (d->len == 0 || d->base + d->len < d->base)
		return err_set(e, EINVAL,
			       "%s: its window on the %s bus is empty or wraps", d->name,
			       b->name);
	if (b->n == BUS_DEVICES_MAX)
		return err_set(e, ENOSPC,
			       "%s: the %s bus has no room for more than %d devices",
			       d->name, b->name, BUS_DEVICES_MAX);
	for (i = 0; i < b->n; i++) {
		struct device *o = b->dev[i];

		if (d->base < o->base + o->len && o->base < d->base + d->len)
			return err_set(e, EINVAL,
				       "%s: its window on the %s bus overlaps %s",
				       d->name, b->name, o->name);
	}
	for (i = b->n; i > 0 && b->dev[i - 1]->base > d->base; i--)
		b->dev[i] = b->dev[i - 1];
	b->dev[i] = d;
	b->n++;
	return 0;
}

/* The window that holds all of [@addr, @addr + @size), or NULL */
static struct device *bus_find(const struct bus *b, uint64_t addr, unsigned int size)
{
	unsigned int lo = 0, hi = b->n;

	while (lo < hi) { /* the last window that starts at or below addr */
		unsigned int mid = (lo + hi) / 2;

		if (b->dev[mid]->base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;

	struct device *d = b->dev[lo - 1];
	uint64_t off = addr - d->base;

	return off < d->len && size <= d->len - off ? d : NULL;
}

static uint64_t bus_mask(unsigned int size)
{
	return size >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << (size * 8)) - 1;
}

uint64_t bus_read(struct bus *b, uint64_t addr, unsigned int size)
{
	struct device *d = bus_find(b, addr, size);
	uint64_t val;

	if (!d)
		return bus_mask(size);
	pthread_mutex_lock(&d->lock);
	val = d->ops->read(d, addr - d->base, size);
	pthread_mutex_unlock(&d->lock);
	return val & bus_mask(size);
}

static bool bus_do_write(struct bus *b, uint64_t addr, unsigned int size, uint64_t val,
			 bool if_quick)
{
	struct device *d = bus_find(b, addr, size);
	bool slow;

	if (!d)
		return true;
	val &= bus_mask(size);
	pthread_mutex_lock(&d->lock);
	slow = if_quick && d->slow && d->slow(d, addr - d->base, size, val);
	if (!slow)
		d->ops->write(d, addr - d->base, size, val);
	pthread_mutex_unlock(&d->lock);
	return !slow;
}

void bus_write(struct bus *b, uint64_t addr, unsigned int size, uint64_t val)
{
	(void)bus_do_write(b, addr, size, val, false);
}

bool bus_write_quick(struct bus *b, uint64_t addr, unsigned int size, uint64_t val)
{
	return bus_do_write(b, addr, size, val, true);
}

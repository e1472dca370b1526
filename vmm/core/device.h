/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device - one register window, one interrupt line, one lock.
 *
 * Every op runs with dev->lock held, taken by the caller (the bus for a guest access, the loop
 * for an fd, the worker pool for finished work, a snapshot for state), so that devices never
 * lock. No op blocks: slow work goes through work.h. No op is NULL: a device with nothing to do
 * names device_nop_*(). Lock order: dev->lock, then the one inside work.c; nothing else nests.
 */
#ifndef MICROVM_CORE_DEVICE_H
#define MICROVM_CORE_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/core/irq.h"
#include "vmm/core/state.h"

struct device;

struct device_ops {
	/* Open all that a live device ever needs: afterwards it opens no path, makes no socket
	 * and starts no thread. The machine calls it before the guest runs if the operator asks
	 * for that (cfg->early); otherwise the device calls it when its driver activates it. Any
	 * number of times, on one thread at a time. Return: 0, or -errno in @e
	 */
	int (*arm)(struct device *d, struct err *e);
	/* @off is within the window, @size is 1, 2, 4 or 8, and the access ends within it */
	uint64_t (*read)(struct device *d, uint64_t off, unsigned int size);
	void (*write)(struct device *d, uint64_t off, unsigned int size, uint64_t val);
	void (*reset)(struct device *d);
	/* Come to rest, or continue coming to rest: take nothing new from the guest or the host.
	 * Loop thread, while no vCPU runs; work under way ends through the loop as usual. Return:
	 * at rest: the device holds no chain, and the host holds nothing of the guest's. If
	 * false, it is called again
	 */
	bool (*rest)(struct device *d);
	/* Go on after rest(), whether that was complete or not. Loop thread */
	void (*wake)(struct device *d);
	/* At rest: saves or loads one section of the device's name. A load that fails
	 * (state_refused()) leaves the device as reset() does
	 */
	void (*state)(struct device *d, struct state *s);
	void (*destroy)(struct device *d); /* all threads gone; frees @d; lock not held */
};

/* What the machine is told about a device so that boot/ can describe it to the guest */
enum device_kind {
	DEVICE_VIRTIO_MMIO,
	DEVICE_SERIAL,
	DEVICE_RTC,
	DEVICE_I8042,
	DEVICE_ACPI_PM,
	DEVICE_IOAPIC,
	DEVICE_PCI_ADDRESS,
	DEVICE_PVPANIC,
	DEVICE_EXIT_PORT,
	DEVICE_GENID,
};

struct io_counters {
	uint64_t read_bytes, written_bytes; /* from the guest's point of view */
	uint64_t requests;
};

struct device {
	const struct device_ops *ops;
	/* Would write() of @val make system calls that a vCPU's thread does not have
	 * (thread_is_vcpu())? Lock held; NULL: never. It is asked where devices are armed early
	 */
	bool (*slow)(struct device *d, uint64_t off, unsigned int size, uint64_t val);
	char name[16]; /* "blk0": logs, snapshot section, API */
	enum device_kind kind;
	uint64_t base, len;  /* window on its bus */
	struct irq_line irq; /* fd -1 when it has none */
	pthread_mutex_t lock;
	atomic_bool waiting;   /* the lock holder may wait for the host without limit */
	struct io_counters io; /* under lock */
	const char *engine;    /* likewise: the constant name of its engine, or NULL */
};

/* device_init() - fill the common part; irq not connected.  device_fini() undoes it,
 * closing the irq line
 */
void device_init(struct device *d, const struct device_ops *ops, enum device_kind kind,
		 const char *name, uint64_t base, uint64_t len);
void device_fini(struct device *d);
/* device_lock_soon() - take the lock, unless its holder is ->waiting: for the loop, which serves
 * all devices. Return: taken?
 */
bool device_lock_soon(struct device *d);

int device_nop_arm(struct device *d, struct err *e);
bool device_nop_rest(struct device *d);
void device_nop_wake(struct device *d);
uint64_t device_nop_read(struct device *d, uint64_t off, unsigned int size); /* ones */
void device_nop_write(struct device *d, uint64_t off, unsigned int size, uint64_t val);
void device_nop_reset(struct device *d);
void device_nop_state(struct device *d, struct state *s);

#endif

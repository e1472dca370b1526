/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmem - a file as a piece of the guest's physical address space (virtio 1.2, 5.19).
 *
 * The device only maps the file and answers flushes; its creator puts the mapping into the guest.
 * It is no part of the guest's RAM (struct gmem): no device reads or writes there, so a file that
 * is cut short is a fault of the guest's own accesses only, never of ours.
 */
#ifndef MICROVM_VIRTIO_PMEM_H
#define MICROVM_VIRTIO_PMEM_H

#include "devices/virtio/virtio.h"

/* Linux adds memory in pieces of this: start and size are multiples of it */
#define PMEM_ALIGN (UINT64_C(2) << 20)

struct disk;

struct pmem_range {
	gpa_t gpa;
	uint64_t len;
	void *host; /* the device's, for as long as it lives */
	bool readonly;
};

/* pmem_create() - cfg->pmem[@i], mapped: "pmem@i" at guest address @gpa, a multiple of
 * PMEM_ALIGN. A read-only file may end in the middle of a piece: zeroes follow.
 * Return: NULL with @e set
 */
struct virtio_dev *pmem_create(const struct virtio_env *env, unsigned int i, gpa_t gpa,
			       struct err *e);
/* of a pmem_create()d device: its range, and the file that is mapped there */
struct pmem_range pmem_range(const struct virtio_dev *v);
struct disk *pmem_disk(const struct virtio_dev *v);

#endif

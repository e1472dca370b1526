/* SPDX-License-Identifier: Apache-2.0 */
/* machine_files - the files that a machine's disks and memory images stand on. */
#ifndef MICROVM_MACHINE_FILES_H
#define MICROVM_MACHINE_FILES_H

#include "devices/backend/disk.h"
#include "vmm/machine/machine.h"

#define MACHINE_FILES_MAX (DISK_FILES_MAX * CONFIG_DISKS_MAX + CONFIG_PMEMS_MAX)

struct machine_file {
	struct virtio_dev *of;
	const char *id;   /* its name */
	const char *path; /* for sentences */
	int fd;
	uint64_t size;
	bool readonly; /* the machine does not write it */
	bool device;   /* a block device */
	bool mapped; /* written by the guest itself, so its time of change tells nothing */
	bool overlay; /* it holds what differs from the file before it, of the same device */
	bool empty; /* and holds nothing */
};

/* machine_files() - into @f, in an order that depends on the settings alone. What another process serves is
 * not among them. Loop thread, or before it is one. Return: how many
 */
unsigned int machine_files(const struct machine *m,
			   struct machine_file f[MACHINE_FILES_MAX]);
/* machine_file_failed() - a flush of @f failed, of which the kernel tells only once: the guest's next one fails
 * as well. Loop thread; takes dev->lock
 */
void machine_file_failed(const struct machine_file *f);

#endif

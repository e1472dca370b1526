/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_files - are the disks of a machine that is restored as they were when it was saved? */
#ifndef MICROVM_SNAPSHOT_FILES_H
#define MICROVM_SNAPSHOT_FILES_H

#include "vmm/core/state.h"
#include "vmm/machine/machine_files.h"

/* snapshot_files_sync() - what the machine wrote to @n files at @f gets to stable storage. Any thread; waits.
 * Return: 0; -errno, and @which failed
 */
int snapshot_files_sync(const struct machine_file *f, unsigned int n,
			unsigned int *which);
/* snapshot_files_state() - section "files", both ways: loading fails if one is not as it was. Any thread; waits */
void snapshot_files_state(struct state *s, const struct machine_file *f, unsigned int n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* fdt_arm64 - the device tree that describes the machine to an arm64 guest. */
#ifndef MICROVM_BOOT_FDT_ARM64_H
#define MICROVM_BOOT_FDT_ARM64_H

#include "boot/dtree.h"
#include "boot/initrd.h"
#include "boot/platform.h"

struct fdt_arm64 {
	const struct platform *platform; /* with the version of its GIC */
	const struct gmem *mem;
	const struct initrd *initrd;
	const char *cmdline;
	bool serial_console; /* early output goes to the first serial port */
};

/* fdt_arm64_build() - the whole tree of @in, closed, in @t.  The seeds of the guest's random
 * numbers are new in each tree.
 * Return: 0, or -errno with a sentence in @e; dtree_free() in either case
 */
int fdt_arm64_build(struct dtree *t, const struct fdt_arm64 *in, struct err *e);

/* fdt_arm64_mpidr() - affinities of vCPU @id as KVM gives them out (its reset_mpidr()):
 * MPIDR_EL1 without its flags
 */
uint32_t fdt_arm64_mpidr(unsigned int id);

#endif

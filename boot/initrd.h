/* SPDX-License-Identifier: Apache-2.0 */
/* initrd - one or several initramfs archives, put one after the other into guest RAM. */
#ifndef MICROVM_BOOT_INITRD_H
#define MICROVM_BOOT_INITRD_H

#include "boot/kernel.h"

struct initrd {
	gpa_t start;
	uint64_t len; /* 0: there is none */
};

/* initrd_load() - load @n files as high in RAM as @k allows, each from a page of its own
 * (so that it is mapped, not copied) with zeroes between: Linux skips those. If @n is 0, the one
 * @inside the kernel's file, if its size is not 0.
 * Return: 0, or -errno with a sentence in @e
 */
int initrd_load(char *const path[], unsigned int n, const struct boot_file *inside,
		struct gmem *m, const struct kernel *k, struct initrd *r, struct err *e);

#endif

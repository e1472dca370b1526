/* SPDX-License-Identifier: Apache-2.0 */
/* arch_arm64 - this architecture's name. */
#include "vmm/core/arch.h"

#include <elf.h>
#include <linux/audit.h>
#include <stddef.h>

const char arch_name[] = "arm64";
const char arch_images[] = "arm64";
const char arch_job_words[] = "quiet";
const char *const arch_kernel_files[] = {"arch/arm64/boot/Image",
					 "arch/arm64/boot/Image.gz",
					 "arch/arm64/boot/vmlinuz.efi",
					 "vmlinuz",
					 "kernel",
					 NULL};
/* The latter for processors whose branch history has to be cleared: one for each way to do that */
const struct arch_entry arch_kernel_entry[] = {
	{"vectors", 0, 1}, {"__bp_harden_el1_vectors", 0x800, 4}, {NULL, 0, 0}};
const uint64_t arch_kernel_align = 2 << 20;
/* Pointer authentication, of addresses of 48 bits: all above them but bit 55, which says that it is the kernel's */
const uint64_t arch_kernel_signs = 0xff7f000000000000;
const uint32_t arch_audit = AUDIT_ARCH_AARCH64;
const uint16_t arch_elf = EM_AARCH64;

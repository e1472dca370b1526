/* SPDX-License-Identifier: Apache-2.0 */
/* arch_x86 - this architecture's name. */
#include "vmm/core/arch.h"

#include <elf.h>
#include <linux/audit.h>
#include <stddef.h>

const char arch_name[] = "x86-64";
const char arch_images[] = "amd64";
/* To patch locked instructions of a guest with one CPU, and to have CPUs' variables in a huge page */
const char arch_job_words[] = "quiet noreplace-smp percpu_alloc=page";
const char *const arch_kernel_files[] = {"arch/x86/boot/bzImage", "vmlinuz", "kernel",
					 NULL};
const struct arch_entry arch_kernel_entry[] = {{"entry_SYSCALL_64", 0, 1}, {NULL, 0, 0}};
const uint64_t arch_kernel_align = 2 << 20;
const uint64_t arch_kernel_signs = 0;
const uint32_t arch_audit = AUDIT_ARCH_X86_64;
const uint16_t arch_elf = EM_X86_64;

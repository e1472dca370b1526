/* SPDX-License-Identifier: Apache-2.0 */
/* start_x86 - the descriptor and page tables that vCPU 0 starts on. */
#ifndef MICROVM_BOOT_START_X86_H
#define MICROVM_BOOT_START_X86_H

#include "boot/boot.h"
#include "vmm/core/gmem.h"

/* start_write_gdt() - four flat descriptors at LAYOUT_GDT, for @mode as in boot.h */
void start_write_gdt(struct gmem *m, enum boot_mode mode);

/* start_write_reset() - the code for a guest that resets by the BIOS, and the value of
 * LAYOUT_REBOOT_FLAG before it chose a way to reset
 */
void start_write_reset(struct gmem *m);

/* start_write_page_tables() - map RAM below the hole and the fourth GiB, where device
 * windows and APICs are, 1:1 by 2 MiB pages.  Return: CR3
 */
gpa_t start_write_page_tables(struct gmem *m);

#endif

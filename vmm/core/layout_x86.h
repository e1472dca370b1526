/* SPDX-License-Identifier: Apache-2.0 */
/* layout_x86 - every guest address, port and GSI that we choose on x86-64, in one place. */
#ifndef MICROVM_LAYOUT_H
#define MICROVM_LAYOUT_H

/* RAM is [0, RAM_HOLE) and, past that, from 4 GiB upwards */
#define LAYOUT_RAM_HOLE  0xc0000000ULL
#define LAYOUT_RAM_HIGH  0x100000000ULL
#define LAYOUT_PMEM_END  (1ULL << 46)  /* mapped files lie between RAM and here */
#define LAYOUT_GENID     0xcfff0000ULL /* 64 KiB */
#define LAYOUT_VIRTIO    0xd0000000ULL /* windows of VIRTIO_MMIO_WINDOW, ascending */
#define LAYOUT_IOAPIC    0xfec00000ULL
#define LAYOUT_LAPIC     0xfee00000ULL
#define LAYOUT_KVM_IDMAP 0xfffbc000ULL /* KVM_SET_IDENTITY_MAP_ADDR: one page */
#define LAYOUT_KVM_TSS   0xfffbd000ULL /* KVM_SET_TSS_ADDR: three pages */

/* Below 1 MiB, as a PC has it.  boot/ writes these once, before the guest runs. */
#define LAYOUT_GDT         0x500ULL
#define LAYOUT_SETUP_DATA  0x600ULL /* a random seed for Linux */
#define LAYOUT_PVH_INFO    0x6000ULL
#define LAYOUT_ZERO_PAGE   0x7000ULL
#define LAYOUT_STACK       0x8ff0ULL
#define LAYOUT_PAGE_TABLES 0x9000ULL /* PML4, PDPT, PDs: up to LAYOUT_CMDLINE */
#define LAYOUT_CMDLINE     0x20000ULL
#define LAYOUT_CMDLINE_MAX 0x10000ULL /* 64 KiB, NUL included */
#define LAYOUT_EBDA        0x9fc00ULL /* end of low RAM in the e820 map */
#define LAYOUT_ACPI        0xe0000ULL /* RSDP first: old kernels scan for it */
#define LAYOUT_ACPI_END    0xff000ULL
#define LAYOUT_RESET       0xffff0ULL /* where a guest that resets by "BIOS" jumps to */
#define LAYOUT_KERNEL      0x100000ULL

/* Linux leaves its reboot mode here before any reset: 0x1234 for warm, else 0. What boot/ puts
 * there distinguishes a reset by triple fault from an unintended one.
 */
#define LAYOUT_REBOOT_FLAG   0x472ULL
#define LAYOUT_REBOOT_UNUSED 0x4d56u
#define LAYOUT_REBOOT_WARM   0x1234u

/* Ports */
#define LAYOUT_COM1    0x3f8
#define LAYOUT_PVPANIC 0x505 /* QEMU's port, for drivers that know no other */
#define LAYOUT_ACPI_PM 0x600

/* GSIs. The IOAPIC is ours (split irqchip), with a pin for each line in use, at most
 * LAYOUT_IOAPIC_PINS. Without ACPI the guest knows only the 8259 pair: virtio gets the GSIs below
 * 16 that a PC leaves free.
 */
#define LAYOUT_GSI_COM1    4
#define LAYOUT_GSI_RTC     8
#define LAYOUT_GSI_BUTTON  9 /* a PC's GSI of the ACPI interrupt */
#define LAYOUT_GSI_GENID   10
#define LAYOUT_GSI_VIRTIO  16
#define LAYOUT_IOAPIC_PINS 64
#define LAYOUT_PIC_GSIS                           \
	{                                         \
		5, 7, 9, 10, 11, 12, 14, 15, 6, 3 \
	}

#endif

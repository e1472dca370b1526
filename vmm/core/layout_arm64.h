/* SPDX-License-Identifier: Apache-2.0 */
/* layout_arm64 - every guest address and GSI that we choose on arm64, in one place. */
#ifndef MICROVM_LAYOUT_H
#define MICROVM_LAYOUT_H

/* Devices and the interrupt controller lie below RAM, which is one piece */
#define LAYOUT_GICD       0x08000000ULL /* distributor, 64 KiB */
#define LAYOUT_GICD_LEN   0x10000ULL
#define LAYOUT_GICC       0x08010000ULL /* GICv2: the CPU interface */
#define LAYOUT_GICC_LEN   0x10000ULL
#define LAYOUT_COM1       0x09000000ULL
#define LAYOUT_RTC        0x09010000ULL
#define LAYOUT_PVPANIC    0x09020000ULL
#define LAYOUT_GENID      0x09030000ULL /* 64 KiB */
#define LAYOUT_VIRTIO     0x0a000000ULL /* windows of VIRTIO_MMIO_WINDOW, ascending */
#define LAYOUT_GICR       0x10000000ULL /* GICv3: a redistributor for each vCPU */
#define LAYOUT_GICR_LEN   0x20000ULL /* of one: its registers, then those of its SGIs */
#define LAYOUT_GICR_LIMIT 0x20000000ULL
#define LAYOUT_RAM        0x40000000ULL
#define LAYOUT_BITS       40 /* of a guest address: RAM may end at 1 TiB */

/* GSIs: the n-th is the GIC's shared peripheral interrupt n, INTID 32 + n */
#define LAYOUT_GSI_COM1   1
#define LAYOUT_GSI_RTC    2
#define LAYOUT_GSI_GENID  3
#define LAYOUT_GSI_VIRTIO 16
#define LAYOUT_GSIS       64 /* lines that the GIC has for devices */

/* Private peripheral interrupts, by their number after the 16 SGIs (INTID 16 + n), as
 * Arm's Base System Architecture gives them out; the timers' are KVM's own choice
 */
#define LAYOUT_PPI_PMU           7
#define LAYOUT_PPI_TIMER_HYP     10
#define LAYOUT_PPI_TIMER_VIRTUAL 11
#define LAYOUT_PPI_TIMER_SECURE  13
#define LAYOUT_PPI_TIMER         14

#endif

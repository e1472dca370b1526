/* SPDX-License-Identifier: Apache-2.0 */
/* trip_x86 - where trip_guest_x86.S and trip_x86.c find each other's data: guest addresses. */
#ifndef MICROVM_TESTS_TRIP_X86_H
#define MICROVM_TESTS_TRIP_X86_H

#define T_PML4     0x1000
#define T_PDPT     0x2000
#define T_PD_LOW   0x3000 /* the first GiB */
#define T_PD_HIGH  0x4000 /* the fourth, with the I/O APIC */
#define T_GDT      0x5000
#define T_IDT      0x6000
#define T_IDTR     0x7000
#define T_DELTA    0x7010 /* TSC ticks until the deadline */
#define T_BEFORE   0x7018 /* the TSC before the trip, */
#define T_AFTER    0x7020 /* and after it */
#define T_DEADLINE 0x7028
#define T_TIMERS   0x7030 /* interrupts: of the timer, */
#define T_IPIS     0x7038 /* of its own, */
#define T_LINES    0x7040 /* of the I/O APIC's line */
#define T_FIRED    0x7048 /* the TSC at the timer's */
#define T_FAULT    0x7050 /* where an exception came */
#define T_HALTS    0x7060 /* not 0: it halts instead of looking */
#define T_GPR      0x7100 /* sixteen, as they are before the trip */
#define T_GPR_SEEN 0x7180 /* and after it */
#define T_XMM      0x7200 /* sixteen, likewise */
#define T_XMM_SEEN 0x7300
#define T_SYS      0x7400 /* FS, GS, kernel GS base, CR2, DR0 to DR3, DR7 */
#define T_SYS_SEEN 0x7480
#define T_SYSTEM   9
#define T_STACK    0x9000
#define T_CODE     0x10000

#define T_PORT   0xe0
#define T_READY  1 /* what the guest writes there: save me, */
#define T_DONE   2 /* I have seen all, */
#define T_LOST   3 /* an exception has come */
#define T_GSI    5
#define V_TIMER  0x40
#define V_IPI    0x41
#define V_LINE   0x42
#define T_IOAPIC 0xfec00000

#endif

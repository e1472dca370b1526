/* SPDX-License-Identifier: Apache-2.0 */
/* trip_arm64 - where trip_guest_arm64.S and trip_arm64.c find each other's data: guest
 * addresses, all from the beginning of RAM
 */
#ifndef MICROVM_TESTS_TRIP_ARM64_H
#define MICROVM_TESTS_TRIP_ARM64_H

#define T_RAM      0x40000000
#define T_DATA     0x40001000 /* X28 of the guest; offsets from it: */
#define D_DELTA    0x000      /* ticks of the counter until the timer's */
#define D_BEFORE   0x008      /* the counter before the trip, */
#define D_AFTER    0x010      /* and after it */
#define D_DEADLINE 0x018
#define D_TIMERS   0x020 /* interrupts: of the timer, */
#define D_SGIS     0x028 /* of its own, */
#define D_SPIS     0x030 /* of the line */
#define D_FIRED    0x038 /* the counter at the timer's */
#define D_FAULT    0x040 /* ESR and ELR of an exception */
#define D_GPR      0x100 /* X0 to X30, SP, as they are before the trip */
#define D_GPR_SEEN 0x200 /* and after it */
#define D_VEC      0x400 /* thirty-two of 128 bits, likewise */
#define D_VEC_SEEN 0x600
#define D_SYS \
	0x800 /* TPIDR_EL0, TPIDR_EL1, SP_EL0, FAR, DBGBVR0, DBGWVR0, FPCR, CONTEXTIDR */
#define D_SYS_SEEN 0x880
#define T_SYSTEM   8
#define T_STACK    0x40004000
#define T_CODE     0x40010000 /* 2 KiB aligned: its vectors come first */

#define T_PORT  0x09030000
#define T_READY 1 /* what the guest writes there: save me, */
#define T_DONE  2 /* I have seen all, */
#define T_LOST  3 /* an exception has come */
#define T_GSI   5
#define I_SGI   1  /* INTIDs */
#define I_TIMER 27 /* the virtual timer's, as KVM has it */
#define I_SPI   (32 + T_GSI)
#define T_GICD  0x08000000
#define T_GICR  0x10000000

#endif

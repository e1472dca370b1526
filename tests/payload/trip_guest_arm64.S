/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trip_guest - a guest that goes from one machine to another between two of its instructions:
 * it fills its processor, arms a timer, has an interrupt wait, writes T_READY, and looks what
 * is left of it all.  EL1, MMU off, at T_CODE, with a GICv3.
 */
#include "tests/payload/trip_arm64.h"

	.arch	armv8-a
	.section .note.GNU-stack,"",%progbits
	.section .rodata.trip, "a"
	.balign	2048
	.globl	trip_guest, trip_guest_start, trip_guest_end

	.macro	fault
	.balign	128
	b	lost
	.endm

	/* The vectors (Arm ARM, D1.10.2): interrupts of EL1 with its own stack are the sixth */
trip_guest:
	.rept	5
	fault
	.endr
	.balign	128
	b	interrupt
	.rept	10
	fault
	.endr
	.balign	128

	/* put REGISTER, VALUE - a word to the address in x1 + offset */
	.macro	put32 offset, value
	ldr	w2, =\value
	mov	x3, #\offset
	str	w2, [x1, x3]
	.endm

trip_guest_start:
	ldr	x28, =T_DATA
	ldr	x0, =T_CODE
	msr	vbar_el1, x0
	mov	x0, #(3 << 20)
	msr	cpacr_el1, x0
	isb
	/* the interrupt controller: all in group 1, three of them enabled */
	mov	x0, #1
	msr	s3_0_c12_c12_5, x0	/* ICC_SRE_EL1 */
	isb
	ldr	x1, =T_GICD
	put32	0x0000, 0x12		/* ARE, group 1 */
	put32	0x0084, 0xffffffff	/* IGROUPR1 */
	put32	0x0c08, (2 << (2 * (I_SPI - 32)))	/* ICFGR2: an edge */
	put32	0x0104, (1 << (I_SPI - 32))	/* ISENABLER1 */
	ldr	x1, =(T_GICR + 0x10000)
	put32	0x0080, 0xffffffff	/* IGROUPR0 */
	put32	0x0100, (1 << I_SGI | 1 << I_TIMER)
	mov	x0, #0xf0
	msr	s3_0_c4_c6_0, x0	/* ICC_PMR_EL1 */
	mov	x0, #1
	msr	s3_0_c12_c12_7, x0	/* ICC_IGRPEN1_EL1 */
	isb
	/* the timer, and one interrupt that waits */
	mrs	x0, cntvct_el0
	str	x0, [x28, #D_BEFORE]
	ldr	x1, [x28, #D_DELTA]
	add	x0, x0, x1
	str	x0, [x28, #D_DEADLINE]
	msr	cntv_cval_el0, x0
	mov	x0, #1
	msr	cntv_ctl_el0, x0
	ldr	x0, =(I_SGI << 24 | 1)
	msr	s3_0_c12_c11_5, x0	/* ICC_SGI1R_EL1: to itself */
	isb
	/* system registers */
	ldr	x0, [x28, #D_SYS + 0]
	msr	tpidr_el0, x0
	ldr	x0, [x28, #D_SYS + 8]
	msr	tpidr_el1, x0
	ldr	x0, [x28, #D_SYS + 16]
	msr	sp_el0, x0
	ldr	x0, [x28, #D_SYS + 24]
	msr	far_el1, x0
	ldr	x0, [x28, #D_SYS + 32]
	msr	dbgbvr0_el1, x0
	ldr	x0, [x28, #D_SYS + 40]
	msr	dbgwvr0_el1, x0
	ldr	x0, [x28, #D_SYS + 48]
	msr	fpcr, x0
	ldr	x0, [x28, #D_SYS + 56]
	msr	contextidr_el1, x0
	/* vectors, and general registers: X28 and X29 lead to the data and the port */
	add	x0, x28, #D_VEC
	.irp	n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
	ldr	q\n, [x0, #16 * \n]
	.endr
	.irp	n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
	ldr	q\n, [x0, #16 * \n]
	.endr
	ldr	x0, [x28, #D_GPR + 8 * 31]
	mov	sp, x0
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30
	ldr	x\n, [x28, #D_GPR + 8 * \n]
	.endr
	str	w0, [x29]

	/* in the other machine */
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	str	x\n, [x28, #D_GPR_SEEN + 8 * \n]
	.endr
	mov	x0, sp
	str	x0, [x28, #D_GPR_SEEN + 8 * 31]
	add	x0, x28, #D_VEC_SEEN
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	str	q\n, [x0, #16 * \n]
	.endr
	mrs	x0, cntvct_el0
	str	x0, [x28, #D_AFTER]
	mrs	x0, tpidr_el0
	str	x0, [x28, #D_SYS_SEEN + 0]
	mrs	x0, tpidr_el1
	str	x0, [x28, #D_SYS_SEEN + 8]
	mrs	x0, sp_el0
	str	x0, [x28, #D_SYS_SEEN + 16]
	mrs	x0, far_el1
	str	x0, [x28, #D_SYS_SEEN + 24]
	mrs	x0, dbgbvr0_el1
	str	x0, [x28, #D_SYS_SEEN + 32]
	mrs	x0, dbgwvr0_el1
	str	x0, [x28, #D_SYS_SEEN + 40]
	mrs	x0, fpcr
	str	x0, [x28, #D_SYS_SEEN + 48]
	mrs	x0, contextidr_el1
	str	x0, [x28, #D_SYS_SEEN + 56]
	msr	daifclr, #2
1:	ldr	x0, [x28, #D_TIMERS]
	cbz	x0, 1b
	ldr	x0, [x28, #D_SGIS]
	cbz	x0, 1b
	ldr	x0, [x28, #D_SPIS]
	cbz	x0, 1b
	msr	daifset, #2
	mov	w0, #T_DONE
	str	w0, [x29]
2:	b	2b

interrupt:
	stp	x0, x1, [sp, #-32]!
	str	x2, [sp, #16]
	mrs	x0, s3_0_c12_c12_0	/* ICC_IAR1_EL1 */
	add	x1, x28, #D_SGIS
	cmp	x0, #I_SGI
	b.eq	3f
	add	x1, x28, #D_SPIS
	cmp	x0, #I_SPI
	b.eq	3f
	add	x1, x28, #D_TIMERS
	cmp	x0, #I_TIMER
	b.ne	lost
	mrs	x2, cntvct_el0
	str	x2, [x28, #D_FIRED]
	msr	cntv_ctl_el0, xzr
	isb
3:	ldr	x2, [x1]
	add	x2, x2, #1
	str	x2, [x1]
	msr	s3_0_c12_c12_1, x0	/* ICC_EOIR1_EL1 */
	ldr	x2, [sp, #16]
	ldp	x0, x1, [sp], #32
	eret

lost:
	ldr	x28, =T_DATA
	mrs	x0, esr_el1
	str	x0, [x28, #D_FAULT]
	mrs	x0, elr_el1
	str	x0, [x28, #D_FAULT + 8]
	ldr	x1, =T_PORT
	mov	w0, #T_LOST
	str	w0, [x1]
4:	b	4b
	.ltorg
trip_guest_end:

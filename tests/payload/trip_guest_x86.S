/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trip_guest - a guest that goes from one machine to another between two of its instructions:
 * it fills its processor, arms a timer, has an interrupt wait, writes T_READY, and looks what
 * is left of it all.  Supervisor mode, 1:1 pages, at T_CODE.  Plain instructions only, which
 * every KVM's interpreter knows.
 */
#include "tests/payload/trip_x86.h"

#define MSR_APIC_BASE   0x1b
#define MSR_DEADLINE    0x6e0
#define X2APIC_SVR      0x80f
#define X2APIC_LVT_TIMER 0x832
#define X2APIC_SELF_IPI 0x83f
#define X2APIC_EOI      0x80b

	.section .note.GNU-stack,"",@progbits
	.section .rodata.trip, "a"
	.code64
	.globl trip_guest, trip_guest_end, trip_on_timer, trip_on_ipi, trip_on_line, trip_on_fault

	/* msr_write NUMBER LOW */
	.macro msr_write number, low
	mov	$\number, %ecx
	mov	$\low, %eax
	xor	%edx, %edx
	wrmsr
	.endm

	/* base_write NUMBER ADDRESS - the 64 bits at ADDRESS */
	.macro base_write number, address
	mov	$\number, %ecx
	mov	\address, %eax
	mov	\address + 4, %edx
	wrmsr
	.endm

	.macro base_read number, address
	mov	$\number, %ecx
	rdmsr
	mov	%eax, \address
	mov	%edx, \address + 4
	.endm

	.macro time address
	rdtsc
	mov	%eax, \address
	mov	%edx, \address + 4
	.endm

	/* count ADDRESS - an interrupt's handler */
	.macro count address
	push	%rax
	push	%rcx
	push	%rdx
	incq	\address
	msr_write X2APIC_EOI, 0
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq
	.endm

trip_guest:
	lidt	T_IDTR
	mov	%cr4, %rax
	or	$0x200, %rax		/* OSFXSR */
	mov	%rax, %cr4
	mov	$MSR_APIC_BASE, %ecx
	rdmsr
	or	$0xc00, %eax		/* enabled, x2APIC */
	wrmsr
	msr_write X2APIC_SVR, 0x1ff
	msr_write X2APIC_LVT_TIMER, (2 << 17 | V_TIMER)	/* by TSC deadline */
	msr_write X2APIC_SELF_IPI, V_IPI
	time	T_BEFORE
	mov	T_BEFORE, %rax
	add	T_DELTA, %rax
	mov	%rax, T_DEADLINE
	base_write MSR_DEADLINE, T_DEADLINE
	base_write 0xc0000100, T_SYS
	base_write 0xc0000101, T_SYS + 8
	base_write 0xc0000102, T_SYS + 16
	mov	T_SYS + 24, %rax
	mov	%rax, %cr2
	mov	T_SYS + 32, %rax
	mov	%rax, %dr0
	mov	T_SYS + 40, %rax
	mov	%rax, %dr1
	mov	T_SYS + 48, %rax
	mov	%rax, %dr2
	mov	T_SYS + 56, %rax
	mov	%rax, %dr3
	mov	T_SYS + 64, %rax
	mov	%rax, %dr7
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	T_XMM + 16 * \n, %xmm\n
	.endr
	cmpl	$0, T_HALTS
	jne	halts
	mov	T_GPR + 8 * 0, %rax
	mov	T_GPR + 8 * 1, %rcx
	mov	T_GPR + 8 * 2, %rdx
	mov	T_GPR + 8 * 3, %rbx
	mov	T_GPR + 8 * 4, %rsp
	mov	T_GPR + 8 * 5, %rbp
	mov	T_GPR + 8 * 6, %rsi
	mov	T_GPR + 8 * 7, %rdi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	T_GPR + 8 * \n, %r\n
	.endr
	out	%eax, $T_PORT

	/* in the other machine */
	mov	%rax, T_GPR_SEEN + 8 * 0
	mov	%rcx, T_GPR_SEEN + 8 * 1
	mov	%rdx, T_GPR_SEEN + 8 * 2
	mov	%rbx, T_GPR_SEEN + 8 * 3
	mov	%rsp, T_GPR_SEEN + 8 * 4
	mov	%rbp, T_GPR_SEEN + 8 * 5
	mov	%rsi, T_GPR_SEEN + 8 * 6
	mov	%rdi, T_GPR_SEEN + 8 * 7
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	%r\n, T_GPR_SEEN + 8 * \n
	.endr
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqu	%xmm\n, T_XMM_SEEN + 16 * \n
	.endr
	time	T_AFTER
	base_read 0xc0000100, T_SYS_SEEN
	base_read 0xc0000101, T_SYS_SEEN + 8
	base_read 0xc0000102, T_SYS_SEEN + 16
	mov	%cr2, %rax
	mov	%rax, T_SYS_SEEN + 24
	mov	%dr0, %rax
	mov	%rax, T_SYS_SEEN + 32
	mov	%dr1, %rax
	mov	%rax, T_SYS_SEEN + 40
	mov	%dr2, %rax
	mov	%rax, T_SYS_SEEN + 48
	mov	%dr3, %rax
	mov	%rax, T_SYS_SEEN + 56
	mov	%dr7, %rax
	mov	%rax, T_SYS_SEEN + 64
	/* the line's pin, which was masked when its edge came */
	mov	$T_IOAPIC, %rbx
	movl	$(0x10 + 2 * T_GSI), (%rbx)
	movl	$V_LINE, 0x10(%rbx)
	sti
1:	pause
	cmpl	$0, T_TIMERS
	je	1b
	cmpl	$0, T_IPIS
	je	1b
	cmpl	$0, T_LINES
	je	1b
	cli
	mov	$T_DONE, %eax
	out	%eax, $T_PORT
2:	pause
	jmp	2b

halts:
	mov	$T_READY, %eax
	out	%eax, $T_PORT
	sti
4:	hlt
	cmpl	$0, T_TIMERS
	je	4b
	cli
	mov	$T_DONE, %eax
	out	%eax, $T_PORT
	jmp	2b

trip_on_timer:
	push	%rax
	push	%rdx
	time	T_FIRED
	pop	%rdx
	pop	%rax
	count	T_TIMERS
trip_on_ipi:
	count	T_IPIS
trip_on_line:
	count	T_LINES
trip_on_fault:
	mov	(%rsp), %rax
	mov	%rax, T_FAULT
	mov	8(%rsp), %rax
	mov	%rax, T_FAULT + 8
	mov	$T_LOST, %eax
	out	%eax, $T_PORT
3:	pause
	jmp	3b
trip_guest_end:

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * start_x86 - from the VMM's entry to C in ring 3, in a dozen or two instructions.
 *
 * A host may interpret ring 0 at a microsecond an instruction: so every table is static data, no
 * register is saved without a reader, and the iret frames lie ready. All of memory below 4 GiB is
 * mapped 1:1 for ring 3, devices too, and all ports are open: C reaches every device without ever
 * coming back here.
 */
#define SEL_CODE32 0x08
#define SEL_CODE64 0x10
#define SEL_DATA   0x18
#define SEL_UDATA  0x23
#define SEL_UCODE  0x2b
#define SEL_TSS    0x30

#define RFLAGS_IOPL3 0x3002
#define CR0_PE_ET    0x11
#define CR0_PG_ET_PE 0x80000011
#define CR4_PAE      0x20
#define MSR_EFER     0xc0000080
#define EFER_LME     0x100

#define VECTORS     0x100000 /* where payload.lds puts .vectors */
#define VECTOR_SIZE 16

	.globl	start32, start64, vectors
	.globl	rt_pdpt, rt_gdt_tss, rt_ap_frame, rt_ap_trampoline, rt_ap_trampoline_end

/* Exceptions: none is expected, any is reported from ring 3 by rt_exception() */
	.section .vectors, "ax"
	.code64
vectors:
	.set	n, 0
	.rept	32
	.balign	VECTOR_SIZE
	/* 8, 10-14, 17, 21, 29 and 30 come with an error code */
	.if	!((0x60227d00 >> n) & 1)
	push	$0
	.endif
	push	$n
	jmp	vector_common
	.set	n, n + 1
	.endr

	.balign	16
vector_common:
	pop	%rdi
	pop	%rsi
	mov	(%rsp), %rdx
	mov	%cr2, %rcx
	mov	24(%rsp), %r8
	movq	$rt_exception, (%rsp)
	movq	$SEL_UCODE, 8(%rsp)
	movq	$RFLAGS_IOPL3, 16(%rsp)
	movq	$exception_stack_top - 8, 24(%rsp)
	movq	$SEL_UDATA, 32(%rsp)
	iretq

	.section .start, "ax"
/* Linux's 64-bit protocol: rsi is the zero page */
	.code64
start64:
	xor	%edi, %edi
	lgdt	gdtr
	mov	$pml4, %eax
	mov	%rax, %cr3
	mov	$boot_frame, %ebp
	jmp	in_long_mode

/* PVH: flat 32-bit protected mode, ebx is the start_info */
	.code32
start32:
	mov	%ebx, %edi
	xor	%esi, %esi
	mov	$boot_frame, %ebp
	lgdt	gdtr
to_long_mode:
	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$MSR_EFER, %ecx
	mov	$EFER_LME, %eax
	xor	%edx, %edx
	wrmsr
	mov	$CR0_PG_ET_PE, %eax
	mov	%eax, %cr0
	ljmp	$SEL_CODE64, $in_long_mode

	.code64
in_long_mode:
	lidt	idtr
	mov	$SEL_TSS, %eax
	ltr	%ax
	mov	%ebp, %esp
	iretq

	.code32
ap32:
	mov	$rt_ap_frame, %ebp
	jmp	to_long_mode

/* Copied below 1 MiB by rt_ap_start(); a SIPI enters it in real mode, ip 0 */
	.section .rodata.ap, "a"
	.code16
rt_ap_trampoline:
	lgdtl	%cs:ap_gdtr - rt_ap_trampoline
	mov	$CR0_PE_ET, %eax
	mov	%eax, %cr0
	ljmpl	$SEL_CODE32, $ap32
	.balign	4
ap_gdtr:
	.word	gdt_end - gdt - 1
	.long	gdt
rt_ap_trampoline_end:

	.data
	.balign	16
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff /* SEL_CODE32 */
	.quad	0x00af9b000000ffff /* SEL_CODE64 */
	.quad	0x00cf93000000ffff /* SEL_DATA */
	.quad	0x00cff3000000ffff /* SEL_UDATA */
	.quad	0x00affb000000ffff /* SEL_UCODE */
rt_gdt_tss:
	.quad	tss_desc, 0
gdt_end:
gdtr:
	.word	gdt_end - gdt - 1
	.quad	gdt
idtr:
	.word	32 * 16 - 1
	.quad	idt

	.balign	16
idt:
	.set	n, 0
	.rept	32
	.word	(VECTORS + n * VECTOR_SIZE) & 0xffff
	.word	SEL_CODE64
	.word	0x8e00 /* present, 64-bit interrupt gate */
	.word	(VECTORS + n * VECTOR_SIZE) >> 16
	.quad	0
	.set	n, n + 1
	.endr


/* What iretq takes: rip, cs, rflags, rsp, ss.  The stacks are as after a call. */
	.balign	8
boot_frame:
	.quad	rt_main, SEL_UCODE, RFLAGS_IOPL3, boot_stack_top - 8, SEL_UDATA
rt_ap_frame:
	.quad	rt_ap_main, SEL_UCODE, RFLAGS_IOPL3, 0, SEL_UDATA

/* Accessed and dirty are set already, so that no processor has to write them later */
	.section .ptables, "aw"
	.balign	4096
pml4:
	.quad	rt_pdpt + 0x27
	.fill	511, 8, 0
rt_pdpt:
	.quad	pd + 0x27, pd + 0x1027, pd + 0x2027, pd + 0x3027
	.fill	508, 8, 0
pd:
	.set	n, 0
	.rept	4 * 512
	.quad	(n << 21) + 0xe7
	.set	n, n + 1
	.endr

/* Every port is open twice: by IOPL, and by the map below, because kvm_pvm's iretq does
 * not load IOPL.  payload.lds computes where the map begins as seen from the TSS.
 */
	.section .tss, "aw"
	.long	0
	.quad	ring0_stack_top
	.fill	90, 1, 0
	.word	tss_iomap

	.section .iomap, "aw", @nobits
	.skip	8193

	.bss
	.balign	16
	.skip	512
ring0_stack_top:
	.skip	4096
exception_stack_top:
	.skip	16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits

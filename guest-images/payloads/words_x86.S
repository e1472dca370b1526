/* SPDX-License-Identifier: Apache-2.0 */
/* words - prints a kernel's last words, and goes round and round in ring 0. All of it is the same in both modes. */
	.section .start, "ax"
	.globl	start32, start64
start32:
start64:
	mov	$.Lwords, %ebx
	mov	$0x3f8, %edx		/* COM1 */
1:	mov	(%rbx), %al
	test	%al, %al
	jz	2f
	out	%al, %dx
	add	$1, %ebx
	jmp	1b
2:	pause
	jmp	2b
.Lwords:
	.asciz	"---[ end Kernel panic - not syncing: words ]---\n"

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: Apache-2.0 */
/* still - stands where no interrupt reaches it, without a word; its stack says that calls() was there before.
 * All of it is the same in both modes.
 */
	.section .start, "ax"
	.globl	start32, start64
start32:
start64:
	mov	$0x80000, %esp		/* RAM in which nothing lies */
	push	$0			/* of 4 bytes, the upper half of the address */
	push	$.Lreturns
still:
	cli
	hlt
	jmp	still

	.type	calls, @function
calls:
	jmp	still			/* in place of a call: of 8 bytes, in one mode alone */
.Lreturns:
	jmp	calls
	.size	calls, . - calls

	.section .note.GNU-stack, "", @progbits

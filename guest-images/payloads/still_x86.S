/* SPDX-License-Identifier: Apache-2.0 */
/* still - stands where no interrupt reaches it, without a word. */
	.section .start, "ax"
	.globl	start32, start64
start32:
start64:
	cli
	hlt
	jmp	start32

	.section .note.GNU-stack, "", @progbits

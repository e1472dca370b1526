/* SPDX-License-Identifier: Apache-2.0 */
/* fault - a triple fault: an exception, and no vector table to deliver it by. */
	.section .start, "ax"
	.globl	start32, start64
start32:
start64:
	.byte	0x0f, 0x01, 0x1c, 0x25 /* lidt no_vectors: this form is the same in both modes */
	.long	no_vectors
	ud2

	.balign	8
no_vectors:
	.fill	10, 1, 0

	.section .note.GNU-stack, "", @progbits

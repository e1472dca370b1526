/* SPDX-License-Identifier: Apache-2.0 */
/* minimal - the shortest life of a guest: one OUT that powers off, in ring 0, no runtime.
 * The same bytes serve the 32-bit and the 64-bit entry.
 */
#include "vmm/core/layout_x86.h"

	.section .start, "ax"
	.globl	start32, start64
start32:
start64:
	mov	$LAYOUT_ACPI_PM + 1, %edx /* sleep control */
	mov	$0x34, %al		  /* S5, enable */
	out	%al, %dx
1:	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: Apache-2.0 */
/* gap - a guest that waits until it was stored: its time-stamp counter then jumps, by more than 2^32, and it
 * powers off. No runtime; the same bytes serve the 32-bit and the 64-bit entry.
 */
#include "vmm/core/layout_x86.h"

	.section .start, "ax"
	.globl	start32, start64
start32:
start64:
	rdtsc
1:	mov	%eax, %edi
	mov	%edx, %esi
	pause
	rdtsc
	mov	%eax, %ecx
	mov	%edx, %ebx
	sub	%edi, %ecx
	sbb	%esi, %ebx
	jz	1b
	mov	$LAYOUT_ACPI_PM + 1, %edx /* sleep control */
	mov	$0x34, %al		  /* S5, enable */
	out	%al, %dx
2:	hlt
	jmp	2b

	.section .note.GNU-stack, "", @progbits

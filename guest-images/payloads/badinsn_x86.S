/* SPDX-License-Identifier: Apache-2.0 */
/* badinsn - what KVM's emulator lacks, where even hardware needs the emulator: cmpxchg16b
 * on a device register, in ring 0.  KVM gives up and the VMM has to say so.
 */
#include "vmm/core/layout_x86.h"

	.section .start, "ax"
	.globl	start64
start64:
	mov	$LAYOUT_LAPIC, %edi
	cmpxchg16b (%rdi)
	ud2

	.section .note.GNU-stack, "", @progbits

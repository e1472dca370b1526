/* SPDX-License-Identifier: Apache-2.0 */
/* pvh_note - says that the image has a 32-bit PVH entry (XEN_ELFNOTE_PHYS32_ENTRY).  A
 * payload linked without it is entered in 64-bit mode at its ELF entry.
 */
	.section .note.pvh, "a", @note
	.balign	4
	.long	4		/* name length */
	.long	8		/* description length */
	.long	18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	start32

	.section .note.GNU-stack, "", @progbits

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uki - a unified kernel image: a program for EFI with a kernel in its section .linux (UAPI Group,
 * UAPI.5, 1.0; Microsoft's "PE Format").
 *
 * Of its other sections .initrd and .cmdline are used, each as the chosen profile has it, else as
 * the part before the first .profile has it. The program itself is not run, so nothing measures or
 * verifies what is in it: a signature is neither needed nor checked.
 */
#ifndef MICROVM_BOOT_UKI_H
#define MICROVM_BOOT_UKI_H

#include "boot/kernel.h"

#define UKI_WORDS_MAX 4096 /* characters of .cmdline; Linux takes 2047 */

/* uki_is() - is @f, opened and not unwrapped, such an image?  It reads the file only if that begins
 * like a program for EFI and like no kernel. A jailed loop may call it
 */
bool uki_is(const struct kernel_file *f);

/* uki_enter() - make @f, for which uki_is() was true, the kernel in it, and find its initrd and its
 * command line; likewise.  Return: 0, or -errno with a sentence in @e
 */
int uki_enter(struct kernel_file *f, unsigned int profile, struct err *e);

/* uki_read_words() - @f->words from @f->cmdline, each character that is none as a space.
 * Return: 0, or -errno with a sentence in @e
 */
int uki_read_words(struct kernel_file *f, struct err *e);

/* uki_profile() - the profile that the operator's words choose by "@N" as their first, as EFI's
 * stub takes it, and in *@rest, unless it is NULL, the words after it; else 0 and all of them.
 * @words may be NULL
 */
unsigned int uki_profile(const char *words, const char **rest);

#endif

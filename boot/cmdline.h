/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline - the kernel's command line: ours, extended or replaced by the operator. */
#ifndef MICROVM_BOOT_CMDLINE_H
#define MICROVM_BOOT_CMDLINE_H

#include "boot/kernel.h"

/* cmdline_build() - the command line for @cfg and the unwrapped kernel @f on a machine described
 * by @p, with memory @m.
 * Return: it, to be freed by the caller; NULL: out of memory
 */
char *cmdline_build(const struct config *cfg, const struct platform *p,
		    const struct kernel_file *f, const struct gmem *m);

/* cmdline_panic_is_warm() - does a Linux that gets @text reset warmly after a panic, and at no
 * other time?
 */
bool cmdline_panic_is_warm(const char *text);

/* cmdline_check() - has @text at most @max characters?  Return: 0, or -E2BIG with a sentence in
 * @e
 */
int cmdline_check(const char *text, size_t max, struct err *e);

/* cmdline_write() - x86: put @text to LAYOUT_CMDLINE.  Return: 0, or -E2BIG with a sentence in @e
 * if it is longer than @k or the room there allows
 */
int cmdline_write(struct gmem *m, const char *text, const struct kernel *k,
		  struct err *e);

#endif

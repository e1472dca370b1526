/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline_arch - a command line in the making, and what an architecture adds to it. */
#ifndef MICROVM_BOOT_CMDLINE_ARCH_H
#define MICROVM_BOOT_CMDLINE_ARCH_H

#include "boot/cmdline.h"

struct cmdline {
	char *text;
	size_t len, cap;
};

/* cmdline_add() - one or more words, after a space unless they are the first */
void cmdline_add(struct cmdline *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* cmdline_arch_add() - how to reset so that a panic differs from a reboot, and which absent
 * hardware this architecture's kernels need not search for (cmdline_<arch>.c)
 */
void cmdline_arch_add(struct cmdline *c, const struct platform *p);

#endif

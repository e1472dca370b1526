/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness - what a guest's kernel said of its end: to its panic device, and on its console.
 *
 * No word of its command line disables either. The console's words are those that Linux prints at
 * its most urgent level, so `quiet` does not hide them: kernel/panic.c has "Kernel panic - not
 * syncing" and, if it stops for ever, "---[ end Kernel panic"; kernel/reboot.c has "reboot:
 * Restarting system" and "reboot: System halted".
 */
#ifndef MICROVM_WITNESS_H
#define MICROVM_WITNESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WITNESS_LINE_MAX 256 /* of a longer line only the end is examined */

/* The newest of its words on the console */
enum witness_said {
	SAID_NOTHING,
	SAID_RESTARTING,
	SAID_PANIC,
	SAID_PANIC_OVER, /* the kernel that panicked has stopped */
	SAID_HALTED,
};

struct witness {
	_Atomic bool panicked; /* by its device.  Any thread */
	_Atomic bool crashed;  /* likewise: a crash kernel goes on */
	_Atomic int said;      /* enum witness_said */
	_Atomic bool rootless; /* it panicked for want of a root, by its words */
	size_t n;              /* the rest belongs to the console's thread */
	char line[WITNESS_LINE_MAX];
};

/* witness_output() - the guest printed the @n bytes at @p.  Calls of one witness come one after
 * another. Return: did it say that it has stopped for good (@said has how)?
 */
bool witness_output(struct witness *w, const uint8_t *p, size_t n);

/* witness_panicked() - by all that is known, did its kernel panic before this reset?  A clean
 * restart after a panic is another kernel's: a crash kernel's, or one that printed an old log.
 * witness_knows(): or did it say that it restarts? Any thread
 */
bool witness_panicked(const struct witness *w);
bool witness_knows(const struct witness *w);

#endif

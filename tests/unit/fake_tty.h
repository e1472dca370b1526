/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_tty - the client side of devices/backend/tty.h, over memory: a test decides how much
 * it takes, and sees what a console device asks of it.  For one .c file a program.
 */
#ifndef MICROVM_TESTS_FAKE_TTY_H
#define MICROVM_TESTS_FAKE_TTY_H

#include <string.h>

#include "devices/backend/tty.h"
#include "vmm/core/util.h"

struct tty {
	size_t room;        /* bytes it still takes */
	uint8_t out[65536]; /* what it took, up to the end of this */
	size_t nout;
	bool took_less;      /* it owes its client an output_room() */
	unsigned int wanted; /* calls of tty_input_wanted() */
	bool resting;        /* between tty_rest() and tty_wake() */
};

size_t tty_write(struct tty *t, const uint8_t *p, size_t n)
{
	size_t take = MIN(n, t->room), keep = MIN(take, sizeof(t->out) - t->nout);

	memcpy(t->out + t->nout, p, keep);
	t->nout += keep;
	t->room -= take;
	t->took_less = take < n;
	return take;
}

size_t tty_write_room(struct tty *t)
{
	return t->room;
}

void tty_input_wanted(struct tty *t)
{
	t->wanted++;
}

void tty_rest(struct tty *t)
{
	if (t)
		t->resting = true;
}

void tty_wake(struct tty *t)
{
	if (t)
		t->resting = false;
}

void tty_winsize(struct tty *t, uint16_t *cols, uint16_t *rows)
{
	(void)t;
	*cols = *rows = 0;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tty_impl - what tty.c, tty_in.c and tty_out.c share: one console's state. */
#ifndef MICROVM_BACKEND_TTY_IMPL_H
#define MICROVM_BACKEND_TTY_IMPL_H

#include "devices/backend/tty.h"
#include "devices/backend/tty_fd.h"

#define TTY_HELD_MAX 4096 /* bytes typed and not taken */

struct tty {
	struct loop *loop;
	struct tty_client *client;
	void (*quit)(void *ctx);
	void *ctx;
	int term; /* the operator's fd when stdin is a terminal, else -1 */
	int size; /* a terminal to ask for its size, else -1 */

	struct tty_fd in;
	struct loop_source in_source; /* @in is readable */
	struct loop_source
		turn_source; /* an eventfd, always writable: the loop's next turn */
	struct loop_source again_source; /* a timer: look at the terminal again */
	struct loop_source wake_source;  /* eventfd from signal handlers */
	bool pollable, eof, escaped, dropping;
	size_t nheld;
	uint8_t held[TTY_HELD_MAX];

	struct tty_fd out;
	struct loop_source out_source;  /* @out is writable */
	struct loop_source hold_source; /* a timer: write what is held */
	bool armed, blocked, refused;   /* refused: the client waits for output_room() */
	size_t burst;                   /* written since the loop had a turn */
	size_t head, n;
	uint8_t ring[TTY_OUT_MAX];
};

void tty_timer_set(const struct loop_source *s, long ns); /* once, @ns from now */

/* tty_in.c.  tty_in_start(): the sources know their device, the terminal its client */
void tty_in_start(struct tty *t);
void tty_on_in(struct loop_source *s, uint32_t events);
void tty_on_turn(struct loop_source *s, uint32_t events);
void tty_on_again(struct loop_source *s, uint32_t events);

/* tty_out.c */
void tty_on_out(struct loop_source *s, uint32_t events);
void tty_on_hold(struct loop_source *s, uint32_t events);
/* write out what is held, waiting at most @ms for a reader */
void tty_out_drain(struct tty *t, int ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty - the operator's side of a guest console: our stdin and stdout.
 *
 * On a terminal: raw mode, always restored; Ctrl-A x leaves, Ctrl-A h helps, Ctrl-A
 * Ctrl-A sends one; the window size is told to the client.  On pipes and files: bytes as
 * they are.  One client at a time (serial or virtio console).  Both directions are
 * bounded: a stuck reader of our stdout holds the guest's console back, nothing else.
 */
#ifndef MICROVM_BACKEND_TTY_H
#define MICROVM_BACKEND_TTY_H

#include <stdint.h>

#include "vmm/core/device.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"

#define TTY_OUT_MAX 65536 /* bytes held for a slow stdout */

struct tty;

/* A console device.  All are called on the loop thread with client->dev's lock held. */
struct tty_client {
	struct device *dev;
	/* how many bytes input() would take now; 0: stdin is left alone until the client
	 * calls tty_input_wanted()
	 */
	size_t (*input_room)(struct tty_client *c);
	void (*input)(struct tty_client *c, const uint8_t *p, size_t n);
	void (*output_room)(struct tty_client *c); /* after tty_write() took less */
	void (*resized)(struct tty_client *c, uint16_t cols, uint16_t rows);
};

/* tty_create() - over @in and @out (not owned, except for their modes).  @quit is called
 * on the loop thread when the operator types Ctrl-A x.  Does not touch the terminal yet.
 */
struct tty *tty_create(struct loop *l, int in, int out, void (*quit)(void *ctx),
		       void *ctx, struct err *e);
/* tty_start() - attach the client and put the terminal in raw mode.  @c NULL: no guest
 * console; only Ctrl-A works
 */
void tty_start(struct tty *t, struct tty_client *c);
/* tty_destroy() - write out what is held (giving up on a stdout that takes nothing for
 * two seconds), restore the terminal
 */
void tty_destroy(struct tty *t);

/* tty_restore_now() - restore the terminal from any thread or signal handler; idempotent */
void tty_restore_now(void);

/* Client side, client->dev's lock held, any thread */
size_t tty_write(struct tty *t, const uint8_t *p, size_t n); /* Return: bytes taken */
size_t tty_write_room(struct tty *t); /* bytes tty_write() would take now */
void tty_input_wanted(struct tty *t); /* input_room() is no longer 0 */
void tty_winsize(struct tty *t, uint16_t *cols, uint16_t *rows); /* 0, 0: no terminal */

#endif

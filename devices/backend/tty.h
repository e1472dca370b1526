/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty - the operator's side of a guest console or port: bytes out, bytes in, bounded.
 *
 * Its end on the host is chosen when it is made:
 *   stdio  our stdin and stdout.  A terminal becomes raw, and is always restored; Ctrl-A x
 *          leaves, Ctrl-A h helps, Ctrl-A Ctrl-A sends one; the window size is told
 *   pty    a pseudo terminal that we make
 *   unix   a socket that we listen on, one peer at a time
 *   file   output only, appended
 *   fd     a stream socket, a pipe or a terminal that we inherited
 * A stuck reader holds its guest's console back, nothing else, and never stops the loop. Without
 * a reader the guest is not held: without a peer (unix), or when a full pty has not moved for
 * half a second, the newest TTY_OUT_MAX bytes are kept for the next reader.
 */
#ifndef MICROVM_BACKEND_TTY_H
#define MICROVM_BACKEND_TTY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"

#define TTY_OUT_MAX 65536 /* bytes held for a slow stdout */

struct tty;

/* A console device. The loop thread calls all of these with client->dev's lock held. */
struct tty_client {
	struct device *dev;
	bool whole; /* it writes what belongs together at once: none of that is held for more */
	/* the number of bytes input() would take now; 0: stdin stays unread until the client
	 * calls tty_input_wanted()
	 */
	size_t (*input_room)(struct tty_client *c);
	void (*input)(struct tty_client *c, const uint8_t *p, size_t n);
	void (*output_room)(struct tty_client *c); /* after tty_write() took less */
	void (*resized)(struct tty_client *c, uint16_t cols, uint16_t rows);
	void (*connected)(struct tty_client *c,
			  bool yes); /* a peer came or went: sockets */
};

/* All constructors: NULL with a sentence in @e. @label is their name in sentences: "--console",
 * "--port agent".
 *
 * tty_create() - over @in and @out (not owned, except for their modes).  @quit is called on the
 * loop thread when the operator types Ctrl-A x. Does not touch the terminal yet.
 */
struct tty *tty_create(struct loop *l, int in, int out, void (*quit)(void *ctx),
		       void *ctx, struct err *e);
/* tty_create_pty() - a pseudo terminal in raw mode; tty_path() is its name */
struct tty *tty_create_pty(struct loop *l, const char *label, struct err *e);
/* tty_create_unix() - listen at @path, for users who may write that file by our umask.  A socket
 * there that no process listens on is replaced; ours is removed in the end
 */
struct tty *tty_create_unix(struct loop *l, const char *label, const char *path,
			    struct err *e);
/* tty_create_file() - append to @path, which is made if it does not exist.  When it takes no more
 * (no space left), that is logged once, and the guest goes on
 */
struct tty *tty_create_file(struct loop *l, const char *label, const char *path,
			    struct err *e);
/* tty_create_inherited() - on descriptor @fd, which the process that started us left open: a
 * connected stream socket, one end of a pipe, or a terminal, which keeps its mode. The tty takes
 * it over and closes it; a refused one stays the caller's
 */
struct tty *tty_create_inherited(struct loop *l, const char *label, int fd,
				 struct err *e);
/* tty_file_limit() - after tty_create_file() with the same @path, before tty_start(): at @max
 * bytes the file is renamed to @path.1 (an older one is lost), and @path begins anew. A device or
 * a pipe has no limit. Return: 0 or -errno with a sentence in @e
 */
int tty_file_limit(struct tty *t, const char *path, uint64_t max, struct err *e);
/* tty_path() - path of the pseudo terminal; NULL: it is none */
const char *tty_path(const struct tty *t);

/* tty_set_watcher() - @fn gets all bytes that the client writes and the tty takes, in order, on
 * the thread and with the lock of tty_write(). Before tty_start()
 */
void tty_set_watcher(struct tty *t, void (*fn)(void *ctx, const uint8_t *p, size_t n),
		     void *ctx);

/* tty_start() - attach the client and put the terminal in raw mode.  @c NULL: no guest
 * console; only Ctrl-A works.  Return: 0 or -errno with a sentence in @e
 */
int tty_start(struct tty *t, struct tty_client *c, struct err *e);
/* tty_destroy() - write out the held bytes (giving up on a reader that takes nothing for two
 * seconds), restore the terminal, remove the socket. NULL: nothing to do
 */
void tty_destroy(struct tty *t);

/* tty_restore_now() - restore the terminal from any thread or signal handler; idempotent */
void tty_restore_now(void);
/* tty_stop_process() - restore the terminal and stop the process; after SIGCONT it is raw again,
 * and the call returns. Any thread
 */
void tty_stop_process(void);

/* tty_rest() - give the client nothing and take nothing from the host, until tty_wake(): the
 * client's output is written as far as the host takes it now, and the rest kept. Our own keys
 * still work (Ctrl-A x), and other typed bytes are kept for the guest, TTY_HELD_MAX of them. Loop
 * thread, client->dev's lock held; any number of times. NULL is allowed for both
 */
void tty_rest(struct tty *t);
void tty_wake(struct tty *t);

/* Client side, client->dev's lock held, any thread */
size_t tty_write(struct tty *t, const uint8_t *p, size_t n); /* Return: bytes taken */
size_t tty_write_room(struct tty *t); /* bytes tty_write() would take now */
void tty_input_wanted(struct tty *t); /* input_room() is no longer 0 */
bool tty_connected(
	const struct tty *t); /* is there a peer?  false: a socket without one */
void tty_winsize(struct tty *t, uint16_t *cols, uint16_t *rows); /* 0, 0: no terminal */

#endif

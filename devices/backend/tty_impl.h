/* SPDX-License-Identifier: Apache-2.0 */
/* tty_impl - the state of one console, for the files of the tty. */
#ifndef MICROVM_BACKEND_TTY_IMPL_H
#define MICROVM_BACKEND_TTY_IMPL_H

#include "devices/backend/tty.h"
#include "devices/backend/tty_fd.h"
#include "devices/backend/unix_listen.h"

#define TTY_HELD_MAX  4096 /* bytes typed and not yet taken */
#define TTY_LABEL_MAX 80
#define TTY_SOURCES   7

enum tty_end { TTY_STDIO, TTY_FILE, TTY_PTY, TTY_UNIX, TTY_INHERITED };

/* A socket that we listen on (tty_unix.c), or, with @source.fd and @at.fd -1, whose one peer we
 * inherited (tty_inherited.c)
 */
struct tty_listener {
	struct loop_source source; /* awake while we would accept a peer */
	struct unix_listener at;
	char *path;
	bool peer; /* there is one */
	bool half; /* it sends no more, and may still read */
	bool gone; /* it left, and its last bytes are not read yet */
};

struct tty {
	enum tty_end end;
	char label[TTY_LABEL_MAX];
	struct tty_listener listener;
	int made; /* a file that we created: its slot (vmm/core/outside.h); -1: none */
	struct {
		int slot;     /* of its path (vmm/core/outside.h); -1: none */
		uint64_t max; /* bytes; 0: no limit */
		uint64_t len; /* as we counted: another process may truncate it */
		bool anew;    /* its descriptor has no number that a vCPU may write to */
	} file;
	bool started;                /* it has, or had, a guest */
	bool resting;                /* between tty_rest() and tty_wake() */
	uint32_t later[TTY_SOURCES]; /* at rest: what each source will wait for */
	int slave;                   /* of a pty: keeps it from hanging up; else -1 */
	char pty_path[32];           /* of @slave */

	struct loop *loop;
	struct tty_client *client;
	void (*quit)(void *ctx);
	void *ctx;
	void (*watch)(void *ctx, const uint8_t *p, size_t n); /* or NULL */
	void *watch_ctx;
	int term; /* the operator's fd when stdin is a terminal, else -1 */
	int size; /* a terminal whose size is read, else -1 */

	struct tty_fd in;
	struct loop_source in_source; /* @in is readable */
	struct loop_source
		turn_source; /* an eventfd, always writable: the loop's next turn */
	struct loop_source
		again_source; /* a timer: check the terminal, the listener again */
	struct loop_source wake_source; /* eventfd from signal handlers */
	bool pollable, eof, escaped, dropping;
	size_t nheld;
	uint8_t held[TTY_HELD_MAX];

	struct tty_fd out;
	struct loop_source out_source;  /* @out is writable */
	struct loop_source hold_source; /* a timer: write the held bytes */
	bool armed, blocked, refused;   /* refused: the client waits for output_room() */
	struct loop_task hold; /* a vCPU's thread leaves to the loop: set @hold_source */
	struct loop_task
		left;     /* what a vCPU's thread leaves to the loop: tty_on_left() */
	uint64_t left_ns; /* of it: set @hold_source to this, 0: do not */
	bool left_input;  /* of it: tty_input_wanted() */
	bool moved;       /* a blocked pty took something since @hold_source was set */
	bool nobody;      /* no reader: the oldest bytes are dropped when full */
	bool told;        /* the operator was told that the file is full */
	size_t burst;     /* written since the loop had a turn */
	size_t head, n;
	uint8_t ring[TTY_OUT_MAX];
};

/* tty_rest.c. tty_want() - loop_want(); at rest it takes effect afterwards, except for sources
 * that stay awake at rest. tty_sources(): all of @t's
 */
void tty_want(struct tty *t, struct loop_source *s, uint32_t events);
void tty_sources(struct tty *t, struct loop_source *all[TTY_SOURCES]);
/* tty.c. tty_alloc(): all fields but @in and @out; NULL with @e set */
struct tty *tty_alloc(struct loop *l, enum tty_end end, const char *label, struct err *e);

/* tty_in.c. tty_in_start(): give the sources their device, the terminal its client */
int tty_in_start(struct tty *t);
void tty_on_in(struct loop_source *s, uint32_t events);
void tty_on_turn(struct loop_source *s, uint32_t events);
void tty_on_again(struct loop_source *s, uint32_t events);

/* tty_unix.c.  tty_unix_start(): 0 or -errno.  tty_unix_rest(): @in_source, with no room for
 * input, waits for the peer's end alone.  tty_unix_hung(): @events say that the peer left
 * or sends no more, and nothing is to be read now.  tty_unix_eof(): all was read
 */
int tty_unix_start(struct tty *t);
void tty_unix_rest(struct tty *t);
void tty_unix_hung(struct tty *t, uint32_t events);
void tty_unix_eof(struct tty *t);
void tty_unix_again(struct tty *t); /* @again_source: accept peers again */
void tty_unix_destroy(struct tty *t);

/* tty_file.c. A file that we made and no guest used is removed */
void tty_file_destroy(struct tty *t);

/* tty_rotate.c. tty_file_room(): how many of @n bytes @out takes within its limit, after a new
 * file was begun if necessary; 0: none, which has been logged
 */
size_t tty_file_room(struct tty *t, size_t n);

/* tty_out.c. tty_out_open(): @out is a new one, and writable; held bytes go there.
 * tty_out_forget(): there is none now, and held bytes are dropped
 */
void tty_out_open(struct tty *t);
void tty_out_forget(struct tty *t);
void tty_on_out(struct loop_source *s, uint32_t events);
void tty_on_hold(struct loop_source *s, uint32_t events);
/* tty_do_left() - what a vCPU's thread left to do.  Loop thread */
void tty_do_left(struct tty *t);
void tty_on_left(struct loop_task *task);
void tty_hold_soon(struct loop_task *task);
/* tty_out_push() - write out held bytes, as far as possible without waiting */
void tty_out_push(struct tty *t);
/* write out the held bytes, waiting at most @ms for a reader */
void tty_out_drain(struct tty *t, int ms);

#endif

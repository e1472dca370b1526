/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proto - what microvm and the agent in a guest say to each other (docs/agent.md).
 *
 * The two ends of a byte stream exchange frames: eight bytes of head, then a payload.  Numbers are
 * little-endian.  Both ends share this file.  It allocates nothing, calls nothing of the system, and
 * holds no state but in the structs of its caller.
 */
#ifndef MICROVM_AGENT_PROTO_H
#define MICROVM_AGENT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_PORT    "microvm.agent" /* the name of the guest's virtio port */
#define AGENT_VERSION 1

#define AGENT_HEAD    8
#define AGENT_PAYLOAD 65536   /* bytes of a frame, at most, without its head */
#define AGENT_WINDOW  262144U /* 256 KiB: bytes of one stream that may be under way */
#define AGENT_TEXT \
	2097152U          /* 2 MiB: bytes of all MACHINE, or of a session's JOB, frames */
#define AGENT_SESSIONS 16 /* that may be open at a time */
#define AGENT_SENTENCE 400 /* bytes of a sentence, at most, without a NUL */
#define AGENT_ENTROPY  32

/* From whom a frame is */
enum agent_side { AGENT_HOST, AGENT_GUEST };

enum agent_type {
	AGENT_HELLO = 1, /* both: the first frame of each; the guest speaks first */
	/* from the host */
	AGENT_MACHINE = 2, /* session 0: text, see agent_text_next() */
	AGENT_JOB = 3,     /* text of a session, which the first one opens */
	AGENT_START = 4,   /* its text is whole: begin */
	AGENT_SIGNAL = 5,  /* u8: a signal for the job */
	AGENT_WINSIZE = 6, /* u16 rows, u16 columns */
	AGENT_MADE = 7,    /* session 0: the text of MACHINE is whole */
	/* both */
	AGENT_DATA = 8,    /* bytes of a stream, at least one */
	AGENT_EOF = 9,     /* the stream has ended */
	AGENT_CREDIT = 10, /* u32: so many bytes of the stream more may come */
	/* from the guest */
	AGENT_READY = 16,   /* session 0: the root is mounted */
	AGENT_STARTED = 17, /* u32: the process in the guest */
	AGENT_EXIT = 18,    /* the session is over; see struct agent_exit */
	AGENT_FAIL = 19,    /* session 0: a sentence; this machine serves no job */
};

/* A session's streams: the job's descriptors, and an archive of what is copied out (tree.h).  0 is from
 * the host, the others are from the guest.  The credit for a stream comes from its reader.  A terminal
 * has no 2. */
enum { AGENT_STDIN, AGENT_STDOUT, AGENT_STDERR, AGENT_FILES, AGENT_STREAMS };

/* How a job ended */
enum agent_how {
	AGENT_EXITED,    /* @status is what it gave to exit() */
	AGENT_SIGNALLED, /* @status is the signal */
	AGENT_OOM,       /* its memory was full; @status is the signal */
	AGENT_CANNOT, /* it was never begun; @status is 125, 126 or 127, @sentence says why */
	AGENT_HOWS
};

/* A frame; @payload points into the reader and is valid until the next call with it */
struct agent_frame {
	enum agent_type type;
	uint8_t stream;
	uint16_t session;
	const uint8_t *payload;
	uint32_t len;
};

struct agent_exit {
	enum agent_how how;
	uint8_t status;
	char sentence[AGENT_SENTENCE + 1]; /* may be empty */
};

struct agent_hello {
	uint32_t version;
	uint64_t wall_ns; /* since 1970; the host's alone, as is @entropy */
	uint8_t entropy[AGENT_ENTROPY];
};

/* The receiving end of a stream.  Zero it before use. */
struct agent_reader {
	enum agent_side from;
	size_t begin, end; /* of what @buf holds */
	uint8_t buf[2 * (AGENT_HEAD + AGENT_PAYLOAD)];
};

/*
 * The sending end: frames that have not gone yet.  Zero it before use.  It has room for a full
 * window's frame beside AGENT_RESERVE, which is kept for what must be said about sessions.
 */
#define AGENT_RESERVE (AGENT_SESSIONS * (AGENT_SENTENCE + 128))
struct agent_writer {
	size_t begin, end;
	uint8_t buf[2 * (AGENT_HEAD + AGENT_PAYLOAD) + AGENT_RESERVE];
};

/* Where the next bytes of the stream go.  Return: how many fit in at *@p, never 0 when agent_next()
 * has returned 0 since the last agent_got() */
size_t agent_room(struct agent_reader *r, uint8_t **p);

/* @n bytes were put there */
void agent_got(struct agent_reader *r, size_t n);

/*
 * The next frame that has come whole.
 * Return: 1; 0, more bytes are needed; -1, @r->from has sent what it may not: a type that is none or
 * that the other end alone sends, a length that the type does not have, a stream or a session that
 * cannot be.  The stream is of no use from then on.
 */
int agent_next(struct agent_reader *r, struct agent_frame *f);

/* Room for payload in @w beside AGENT_RESERVE: how many bytes agent_put() takes for sure, at most
 * AGENT_PAYLOAD; 0 if there is none */
size_t agent_space(struct agent_writer *w);

/* Put a frame behind what is in @w.  Return: was there room?  It may use the reserve. */
bool agent_put(struct agent_writer *w, enum agent_type type, unsigned int session,
	       unsigned int stream, const void *payload, size_t len);

/* DATA without a copy: *@p is where up to agent_space() bytes of payload go; agent_data_done() makes
 * them a frame, and nothing may be put in between.  @n 0 is no frame. */
void agent_data(struct agent_writer *w, uint8_t **p);
void agent_data_done(struct agent_writer *w, unsigned int session, unsigned int stream,
		     size_t n);

/* What is to be written: *@n bytes at the returned place; agent_wrote() @n of them went */
const uint8_t *agent_unsent(const struct agent_writer *w, size_t *n);
void agent_wrote(struct agent_writer *w, size_t n);

/* Frames with numbers in them; each returns as agent_put() does */
bool agent_put_u32(struct agent_writer *w, enum agent_type type, unsigned int session,
		   unsigned int stream, uint32_t v);
bool agent_put_hello(struct agent_writer *w, enum agent_side from,
		     const struct agent_hello *hello);
bool agent_put_winsize(struct agent_writer *w, unsigned int session, uint16_t rows,
		       uint16_t cols);
/* The sentence is cut at AGENT_SENTENCE */
bool agent_put_exit(struct agent_writer *w, unsigned int session,
		    const struct agent_exit *e);
bool agent_put_fail(struct agent_writer *w, const char *sentence);

/* What agent_next() gave, of the type in the name.  Lengths have been checked.  Sentences come with
 * every byte outside of printable ASCII as '?', so that they may be printed. */
uint32_t agent_u32(const struct agent_frame *f); /* CREDIT, STARTED */
void agent_hello(const struct agent_frame *f, struct agent_hello *hello);
void agent_winsize(const struct agent_frame *f, uint16_t *rows, uint16_t *cols);
void agent_exit(const struct agent_frame *f, struct agent_exit *e);
void agent_fail(const struct agent_frame *f, char sentence[AGENT_SENTENCE + 1]);

/* The exit status by which microvm says how the job ended: 0 to 255 */
int agent_status(const struct agent_exit *e);

/*
 * Text, of MACHINE and of JOB: strings that end with NUL, the payloads of all frames of the type one
 * behind another, AGENT_TEXT bytes at most.  A string is NAME=VALUE; docs/agent.md has the names.
 *
 * Step to the next string of @text, which is @len bytes; *@at begins at 0.
 * Return: 1, with *@name (ended in place: @text is written to) and *@value; 0, that was all; -1, a
 * string has no NUL or no '='.
 */
int agent_text_next(char *text, size_t len, size_t *at, const char **name,
		    const char **value);

#endif

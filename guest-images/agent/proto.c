/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/proto.h"

#include <string.h>

/* What a frame of each type may be */
struct rule {
	bool host, guest;     /* the sides that may send it */
	bool machine;         /* session 0, and only that */
	uint8_t streams;      /* bit n: stream n may be named; 0: none */
	uint32_t least, most; /* bytes of payload; HELLO's differ by side */
};

#define IN  (1U << AGENT_STDIN)
#define OUT (1U << AGENT_STDOUT | 1U << AGENT_STDERR | 1U << AGENT_FILES)

#define HELLO_GUEST 4
#define HELLO_HOST  (4 + 8 + AGENT_ENTROPY)

static const struct rule rules[] = {
	[AGENT_HELLO] = {true, true, true, 0, HELLO_GUEST, HELLO_HOST},
	[AGENT_MACHINE] = {true, false, true, 0, 1, AGENT_PAYLOAD},
	[AGENT_JOB] = {true, false, false, 0, 1, AGENT_PAYLOAD},
	[AGENT_START] = {true, false, false, 0, 0, 0},
	[AGENT_SIGNAL] = {true, false, false, 0, 1, 1},
	[AGENT_WINSIZE] = {true, false, false, 0, 4, 4},
	[AGENT_MADE] = {true, false, true, 0, 0, 0},
	[AGENT_DATA] = {true, true, false, IN | OUT, 1, AGENT_PAYLOAD},
	[AGENT_EOF] = {true, true, false, IN | OUT, 0, 0},
	[AGENT_CREDIT] = {true, true, false, IN | OUT, 4, 4},
	[AGENT_READY] = {false, true, true, 0, 0, 0},
	[AGENT_STARTED] = {false, true, false, 0, 4, 4},
	[AGENT_EXIT] = {false, true, false, 0, 2, 2 + AGENT_SENTENCE},
	[AGENT_FAIL] = {false, true, true, 0, 0, AGENT_SENTENCE},
};

static uint32_t get16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | get16(p + 2) << 16;
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

/* May @from send a frame about @stream?  Who writes a stream sends its bytes, the other its credit */
static bool stream_may(enum agent_side from, enum agent_type type, uint8_t streams,
		       uint8_t stream)
{
	bool own = (stream == AGENT_STDIN) == (from == AGENT_HOST);

	if (!streams)
		return stream == 0;
	return stream < AGENT_STREAMS && own == (type != AGENT_CREDIT);
}

static bool head_may(enum agent_side from, const struct agent_frame *f)
{
	const struct rule *rule = &rules[f->type];

	if (!(from == AGENT_HOST ? rule->host : rule->guest))
		return false;
	if (rule->machine != (f->session == 0) ||
	    !stream_may(from, f->type, rule->streams, f->stream))
		return false;
	if (f->type == AGENT_HELLO)
		return f->len == (from == AGENT_HOST ? HELLO_HOST : HELLO_GUEST);
	return f->len >= rule->least && f->len <= rule->most;
}

size_t agent_room(struct agent_reader *r, uint8_t **p)
{
	/* a frame that has come in part needs room behind it */
	if (r->begin && r->end > sizeof(r->buf) - (AGENT_HEAD + AGENT_PAYLOAD)) {
		memmove(r->buf, r->buf + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
	}
	*p = r->buf + r->end;
	return sizeof(r->buf) - r->end;
}

void agent_got(struct agent_reader *r, size_t n)
{
	r->end += n;
}

int agent_next(struct agent_reader *r, struct agent_frame *f)
{
	const uint8_t *p = r->buf + r->begin;

	if (r->end - r->begin < AGENT_HEAD)
		return 0;
	if (!p[4] || p[4] >= sizeof(rules) / sizeof(rules[0]))
		return -1;
	*f = (struct agent_frame){.type = (enum agent_type)p[4],
				  .stream = p[5],
				  .session = (uint16_t)get16(p + 6),
				  .payload = p + AGENT_HEAD,
				  .len = get32(p)};
	if (!head_may(r->from, f) ||
	    (f->type == AGENT_EXIT && f->len && r->end - r->begin > AGENT_HEAD &&
	     p[AGENT_HEAD] >= AGENT_HOWS))
		return -1;
	if (r->end - r->begin < AGENT_HEAD + (size_t)f->len)
		return 0;
	r->begin += AGENT_HEAD + (size_t)f->len;
	if (r->begin == r->end)
		r->begin = r->end = 0;
	return 1;
}

/* Bytes behind @w->end, after what has gone has made room */
static size_t space(struct agent_writer *w)
{
	if (w->begin == w->end) {
		w->begin = w->end = 0;
	} else if (w->begin >= sizeof(w->buf) / 2) {
		memmove(w->buf, w->buf + w->begin, w->end - w->begin);
		w->end -= w->begin;
		w->begin = 0;
	}
	return sizeof(w->buf) - w->end;
}

size_t agent_space(struct agent_writer *w)
{
	size_t n = space(w);

	if (n <= AGENT_RESERVE + AGENT_HEAD)
		return 0;
	n -= AGENT_RESERVE + AGENT_HEAD;
	return n < AGENT_PAYLOAD ? n : AGENT_PAYLOAD;
}

static void head(struct agent_writer *w, enum agent_type type, unsigned int session,
		 unsigned int stream, size_t len)
{
	uint8_t *p = w->buf + w->end;

	put32(p, (uint32_t)len);
	p[4] = (uint8_t)type;
	p[5] = (uint8_t)stream;
	put16(p + 6, session);
	w->end += AGENT_HEAD + len;
}

bool agent_put(struct agent_writer *w, enum agent_type type, unsigned int session,
	       unsigned int stream, const void *payload, size_t len)
{
	if (len > AGENT_PAYLOAD || space(w) < AGENT_HEAD + len)
		return false;
	if (len)
		memcpy(w->buf + w->end + AGENT_HEAD, payload, len);
	head(w, type, session, stream, len);
	return true;
}

void agent_data(struct agent_writer *w, uint8_t **p)
{
	*p = w->buf + w->end + AGENT_HEAD;
}

void agent_data_done(struct agent_writer *w, unsigned int session, unsigned int stream,
		     size_t n)
{
	if (n)
		head(w, AGENT_DATA, session, stream, n);
}

const uint8_t *agent_unsent(const struct agent_writer *w, size_t *n)
{
	*n = w->end - w->begin;
	return w->buf + w->begin;
}

void agent_wrote(struct agent_writer *w, size_t n)
{
	w->begin += n;
}

bool agent_put_u32(struct agent_writer *w, enum agent_type type, unsigned int session,
		   unsigned int stream, uint32_t v)
{
	uint8_t p[4];

	put32(p, v);
	return agent_put(w, type, session, stream, p, sizeof(p));
}

bool agent_put_hello(struct agent_writer *w, enum agent_side from,
		     const struct agent_hello *hello)
{
	uint8_t p[HELLO_HOST];

	put32(p, hello->version);
	put32(p + 4, (uint32_t)hello->wall_ns);
	put32(p + 8, (uint32_t)(hello->wall_ns >> 32));
	memcpy(p + 12, hello->entropy, AGENT_ENTROPY);
	return agent_put(w, AGENT_HELLO, 0, 0, p,
			 from == AGENT_HOST ? HELLO_HOST : HELLO_GUEST);
}

bool agent_put_winsize(struct agent_writer *w, unsigned int session, uint16_t rows,
		       uint16_t cols)
{
	uint8_t p[4];

	put16(p, rows);
	put16(p + 2, cols);
	return agent_put(w, AGENT_WINSIZE, session, 0, p, sizeof(p));
}

bool agent_put_exit(struct agent_writer *w, unsigned int session,
		    const struct agent_exit *e)
{
	uint8_t p[2 + AGENT_SENTENCE];
	size_t len = strnlen(e->sentence, AGENT_SENTENCE);

	p[0] = (uint8_t)e->how;
	p[1] = e->status;
	memcpy(p + 2, e->sentence, len);
	return agent_put(w, AGENT_EXIT, session, 0, p, 2 + len);
}

bool agent_put_fail(struct agent_writer *w, const char *sentence)
{
	return agent_put(w, AGENT_FAIL, 0, 0, sentence,
			 strnlen(sentence, AGENT_SENTENCE));
}

uint32_t agent_u32(const struct agent_frame *f)
{
	return get32(f->payload);
}

void agent_hello(const struct agent_frame *f, struct agent_hello *hello)
{
	memset(hello, 0, sizeof(*hello));
	hello->version = get32(f->payload);
	if (f->len != HELLO_HOST)
		return;
	hello->wall_ns = get32(f->payload + 4) | (uint64_t)get32(f->payload + 8) << 32;
	memcpy(hello->entropy, f->payload + 12, AGENT_ENTROPY);
}

void agent_winsize(const struct agent_frame *f, uint16_t *rows, uint16_t *cols)
{
	*rows = (uint16_t)get16(f->payload);
	*cols = (uint16_t)get16(f->payload + 2);
}

static void sentence(char dst[AGENT_SENTENCE + 1], const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		dst[i] = p[i] >= ' ' && p[i] < 0x7f ? (char)p[i] : '?';
	dst[len] = '\0';
}

void agent_exit(const struct agent_frame *f, struct agent_exit *e)
{
	e->how = (enum agent_how)f->payload[0];
	e->status = f->payload[1];
	sentence(e->sentence, f->payload + 2, f->len - 2);
}

void agent_fail(const struct agent_frame *f, char dst[AGENT_SENTENCE + 1])
{
	sentence(dst, f->payload, f->len);
}

int agent_status(const struct agent_exit *e)
{
	switch (e->how) {
	case AGENT_OOM:
		return 137;
	case AGENT_SIGNALLED:
		return (128 + e->status) & 0xff;
	case AGENT_EXITED:
	case AGENT_CANNOT:
	case AGENT_HOWS:
		break;
	}
	return e->status;
}

int agent_text_next(char *text, size_t len, size_t *at, const char **name,
		    const char **value)
{
	char *p = text + *at, *end, *eq;

	if (*at >= len)
		return 0;
	end = memchr(p, '\0', len - *at);
	if (!end)
		return -1;
	eq = memchr(p, '=', (size_t)(end - p));
	if (!eq)
		return -1;
	*eq = '\0';
	*name = p;
	*value = eq + 1;
	*at += (size_t)(end - p) + 1;
	return 1;
}

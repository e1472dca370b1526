/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - one function that both saves and loads a device.
 *
 * A section is its name (STATE_NAME_SIZE bytes, zeroes after it), its version (32 bits), the
 * length of its fields (64 bits) and its fields.
 */
#include "vmm/core/state.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define STATE_FIRST_CAP 4096 /* of a collector */
#define STATE_SHOWN     24   /* bytes of an identity that a sentence shows */

void state_saver(struct state *s, void *buf, size_t cap)
{
	*s = (struct state){.loading = false, .buf = buf, .cap = cap};
}

void state_loader(struct state *s, const void *buf, size_t len)
{
	/* A loader never writes through buf; saving and loading share the cursor. */
	*s = (struct state){
		.loading = true, .buf = (uint8_t *)(uintptr_t)buf, .cap = len};
}

void state_collector(struct state *s)
{
	*s = (struct state){.loading = false, .grows = true};
}

void state_free(struct state *s)
{
	if (s->grows)
		free(s->buf);
	s->buf = NULL;
	s->cap = s->pos = 0;
}

/* Errors */

void state_failf(struct state *s, const char *fmt, ...)
{
	size_t n = 0;
	va_list ap;

	if (s->why)
		return;
	for (unsigned int i = 0; i < s->depth; i++)
		n += (size_t)snprintf(s->said + n, sizeof(s->said) - n,
				      "%s: ", s->section[i].name);
	va_start(ap, fmt);
	(void)vsnprintf(s->said + n, sizeof(s->said) - n, fmt, ap);
	va_end(ap);
	s->why = s->said;
}

void state_fail(struct state *s, const char *why)
{
	state_failf(s, "%s", why);
}

/* Bytes */

static size_t state_limit(const struct state *s)
{
	return s->loading && s->depth ? s->section[s->depth - 1].end : s->cap;
}

static void state_grow(struct state *s, size_t len)
{
	size_t cap = MAX(s->cap, (size_t)STATE_FIRST_CAP);
	uint8_t *buf;

	while (cap - s->pos < len && cap <= SIZE_MAX / 2)
		cap *= 2;
	buf = cap - s->pos < len ? NULL : realloc(s->buf, cap);
	if (!buf) {
		state_fail(s, "no memory for the state");
		return;
	}
	s->buf = buf;
	s->cap = cap;
}

/* Return: are there @len bytes to read, or is there room for them? */
static bool state_room(struct state *s, size_t len)
{
	if (!s->why && s->grows && len > s->cap - s->pos)
		state_grow(s, len);
	if (!s->why && len > state_limit(s) - s->pos)
		state_fail(s,
			   s->loading ? "state ends too early" : "state buffer is full");
	return !s->why;
}

void state_bytes(struct state *s, void *p, size_t len)
{
	if (!state_room(s, len) || len == 0)
		return;
	if (s->loading)
		memcpy(p, s->buf + s->pos, len);
	else
		memcpy(s->buf + s->pos, p, len);
	s->pos += len;
}

void state_u8(struct state *s, uint8_t *v)
{
	state_bytes(s, v, 1);
}

void state_u16(struct state *s, uint16_t *v)
{
	uint16_t le = htole16(*v);

	state_bytes(s, &le, sizeof(le));
	*v = le16toh(le);
}

void state_u32(struct state *s, uint32_t *v)
{
	uint32_t le = htole32(*v);

	state_bytes(s, &le, sizeof(le));
	*v = le32toh(le);
}

void state_u64(struct state *s, uint64_t *v)
{
	uint64_t le = htole64(*v);

	state_bytes(s, &le, sizeof(le));
	*v = le64toh(le);
}

void state_bool(struct state *s, bool *v)
{
	uint8_t b = *v;

	state_u8(s, &b);
	if (b > 1)
		state_fail(s, "a yes-or-no field is neither");
	else
		*v = b;
}

/* Sections */

/* Loading. Return: the section's version; 0 if it cannot be used */
static uint32_t state_check_header(struct state *s, char *name, uint32_t has,
				   uint32_t version, uint64_t len)
{
	struct state_section *sec = &s->section[s->depth - 1];

	name[STATE_NAME_SIZE - 1] = '\0';
	if (s->why)
		return 0;
	if (strcmp(name, sec->name) != 0) {
		text_printable(name, strlen(name));
		state_failf(s,
			    "the state has '%s' in its place; load it into a machine "
			    "with the devices of the one that was saved",
			    name);
	} else if (has == 0 || has > version) {
		state_failf(s,
			    "the state is of version %" PRIu32 ", and this microvm reads "
			    "1 to %" PRIu32 "; load it with the microvm that saved it",
			    has, version);
	} else if (len > sec->end - s->pos) {
		state_fail(s, "the state is cut short");
	}
	return s->why ? 0 : has;
}

uint32_t state_begin(struct state *s, const char *name, uint32_t version)
{
	struct state_section *sec = &s->section[s->depth];
	char saved[STATE_NAME_SIZE] = {0};
	uint32_t has = version;
	uint64_t len = 0; /* state_end() fills it in */
	size_t end;

	BUG_ON(s->depth == STATE_DEPTH || strlen(name) >= STATE_NAME_SIZE || !version);
	end = state_limit(s);
	*sec = (struct state_section){.end = end};
	memcpy(sec->name, name, strlen(name));
	memcpy(saved, sec->name, sizeof(saved));
	s->depth++;
	state_bytes(s, saved, sizeof(saved));
	state_u32(s, &has);
	state_u64(s, &len);
	sec->start = s->pos;
	if (!s->loading)
		return version;
	has = state_check_header(s, saved, has, version, len);
	if (!has)
		return version;
	sec->end = s->pos + (size_t)len;
	return has;
}

static void state_set_length(struct state *s, size_t start)
{
	uint64_t len = htole64((uint64_t)(s->pos - start));

	memcpy(s->buf + start - sizeof(len), &len, sizeof(len));
}

bool state_loaded(struct state *s)
{
	const struct state_section *sec;

	BUG_ON(s->depth == 0);
	sec = &s->section[s->depth - 1];
	if (!s->why && s->loading && s->pos < sec->end)
		state_failf(s, "%zu bytes of the state are left over", sec->end - s->pos);
	return s->loading && !s->why;
}

void state_end(struct state *s)
{
	BUG_ON(s->depth == 0);
	if (!state_loaded(s) && !s->why)
		state_set_length(s, s->section[s->depth - 1].start);
	s->depth--;
}

/* Identity */

void state_same_u64(struct state *s, uint64_t v, const char *what)
{
	uint64_t has = v;

	state_u64(s, &has);
	if (has != v)
		state_failf(s, "the state has %" PRIu64 " %s, this machine has %" PRIu64,
			    has, what, v);
}

void state_same_u32(struct state *s, uint32_t v, const char *what)
{
	uint32_t has = v;

	state_u32(s, &has);
	if (has != v)
		state_failf(s, "the state has %" PRIu32 " %s, this machine has %" PRIu32,
			    has, what, v);
}

/* At most STATE_SHOWN bytes of @p, as text where it is some */
static void state_show(char *text, size_t size, const uint8_t *p, size_t len)
{
	size_t shown = MIN(len, (size_t)STATE_SHOWN), n = 0;
	const char *more = len > shown ? "..." : "";
	bool printable = true;

	for (size_t i = 0; i < shown; i++)
		printable = printable && p[i] >= ' ' && p[i] <= '~';
	if (printable) {
		(void)snprintf(text, size, "'%.*s%s'", (int)shown, (const char *)p, more);
		return;
	}
	for (size_t i = 0; i < shown; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%02x", i ? ":" : "", p[i]);
	(void)snprintf(text + n, size - n, "%s", more);
}

void state_same_bytes(struct state *s, const void *p, uint32_t len, const char *what)
{
	char theirs[STATE_SHOWN * 3 + 8], ours[sizeof(theirs)];
	const uint8_t *has;
	uint32_t n = len;

	state_u32(s, &n);
	if (!state_room(s, n))
		return;
	has = s->buf + s->pos;
	if (!s->loading && len)
		memcpy(s->buf + s->pos, p, len);
	s->pos += n;
	if (n == len && (len == 0 || memcmp(has, p, len) == 0))
		return;
	state_show(theirs, sizeof(theirs), has, n);
	state_show(ours, sizeof(ours), p, len);
	state_failf(s, "the state has the %s %s, this machine has %s", what, theirs,
		    ours);
}

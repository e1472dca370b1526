/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - the fields of a device, saved or loaded by one function that does both ways, so that
 * the two cannot drift apart. The first error sticks and the rest do nothing. Little-endian, in
 * the order of the calls.
 *
 * Each device is a section (state_begin(), state_end()): its name, its version, its length. A
 * loader takes any bytes: what it cannot use is an error, a sentence that begins with the names
 * of the open sections ("blk0: the state has 4 queues, this machine has 2"). Code that loads
 * checks state_ok() before it uses what it loaded.
 *
 * A state belongs to one thread at a time and is not copied: @why may point into it.
 */
#ifndef MICROVM_CORE_STATE_H
#define MICROVM_CORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_NAME_SIZE 16 /* with the NUL; as a device's */
#define STATE_DEPTH     4  /* sections within sections */

struct state_section {
	char name[STATE_NAME_SIZE];
	size_t start, end; /* of its fields in the buffer; @end: loading only */
};

struct state {
	bool loading;
	bool grows;   /* saving: the buffer is ours */
	uint8_t *buf; /* saving: capacity @cap, filled to @pos; loading: read from @pos */
	size_t cap, pos;
	const char *why; /* NULL, or the first error */
	unsigned int depth;
	struct state_section section[STATE_DEPTH];
	char said[384]; /* for @why */
};

/* state_saver(), state_loader() - over a caller's buffer. If it is too small or too short, that
 * is an error that sticks
 */
void state_saver(struct state *s, void *buf, size_t cap);
void state_loader(struct state *s, const void *buf, size_t len);
/* state_collector() - a saver whose buffer grows as it has to; state_free() frees it.  Then
 * @pos bytes from @buf are the state
 */
void state_collector(struct state *s);
void state_free(struct state *s);

static inline bool state_loading(const struct state *s)
{
	return s->loading;
}
/* state_ok() - has everything succeeded so far? */
static inline bool state_ok(const struct state *s)
{
	return !s->why;
}
/* state_refused() - was something invalid loaded?  Then a device goes back to where its reset
 * leaves it: nothing is half-loaded. (When saving fails, the device just goes on.)
 */
static inline bool state_refused(const struct state *s)
{
	return s->loading && s->why;
}

/* state_begin() - a section begins: @name (shorter than STATE_NAME_SIZE) and @version, which
 * is 1 or more and grows when its fields change.  Loading fails if another section is next, if
 * it is of a newer version, or if it is cut short.  Return: the version of the fields that
 * follow, at most @version.  state_end() in either case
 */
uint32_t state_begin(struct state *s, const char *name, uint32_t version);
/* state_end() - the section of the last state_begin() ends.  Loading fails if some of its bytes
 * were not read
 */
void state_end(struct state *s);
/* state_loaded() - the caller has read all fields of the open section; bytes that are left over
 * fail the load. Return: is it a load, and has it succeeded?
 */
bool state_loaded(struct state *s);

void state_u8(struct state *s, uint8_t *v);
void state_u16(struct state *s, uint16_t *v);
void state_u32(struct state *s, uint32_t *v);
void state_u64(struct state *s, uint64_t *v);
void state_bool(struct state *s, bool *v); /* loading anything but 0 and 1 fails */
void state_bytes(struct state *s, void *p, size_t len);

/* state_same_*() - values that the loading machine must have as well (identity). Saving writes
 * the value, loading compares and fails with both: @what is a plural noun like "queues", or, of
 * bytes, a singular like "MAC address"; text is shown as text, other bytes in hexadecimal
 */
void state_same_u32(struct state *s, uint32_t v, const char *what);
void state_same_u64(struct state *s, uint64_t v, const char *what);
void state_same_bytes(struct state *s, const void *p, uint32_t len, const char *what);

/* state_fail() - a value is impossible, or cannot be saved.  @why is a string constant without
 * the device's name, which the open section adds. state_failf(): with values in the sentence
 */
void state_fail(struct state *s, const char *why);
void state_failf(struct state *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state - the fields of a device, saved or loaded by one function that does both ways,
 * so that the two cannot drift apart.  The first error sticks and the rest do nothing.
 * Little-endian, in the order of the calls.
 */
#ifndef MICROVM_CORE_STATE_H
#define MICROVM_CORE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state {
	bool loading;
	uint8_t *buf; /* saving: capacity @cap, filled to @pos; loading: read from @pos */
	size_t cap, pos;
	const char *why; /* NULL, or the first error */
};

/* state_saver(), state_loader() - over a caller's buffer.  Too small or too short is an
 * error that sticks
 */
void state_saver(struct state *s, void *buf, size_t cap);
void state_loader(struct state *s, const void *buf, size_t len);

static inline bool state_loading(const struct state *s)
{
	return s->loading;
}
void state_u8(struct state *s, uint8_t *v);
void state_u16(struct state *s, uint16_t *v);
void state_u32(struct state *s, uint32_t *v);
void state_u64(struct state *s, uint64_t *v);
void state_bool(struct state *s, bool *v); /* loading anything but 0 and 1 fails */
void state_bytes(struct state *s, void *p, size_t len);
/* state_fail() - a loaded value is impossible.  @why is a string constant */
void state_fail(struct state *s, const char *why);

#endif

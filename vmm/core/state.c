/* SPDX-License-Identifier: Apache-2.0 */
/* state - one function that both saves and loads a device. */
#include "vmm/core/state.h"

#include <endian.h>
#include <string.h>

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

void state_fail(struct state *s, const char *why)
{
	if (!s->why)
		s->why = why;
}

void state_bytes(struct state *s, void *p, size_t len)
{
	if (!s->why && len > s->cap - s->pos)
		state_fail(s,
			   s->loading ? "state ends too early" : "state buffer is full");
	if (s->why)
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

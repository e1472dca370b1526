/* SPDX-License-Identifier: Apache-2.0 */
/* span - a cursor over a chain's bytes, so that no other code indexes an iovec. */
#include "devices/virtio/virtq.h"

#include "vmm/core/util.h"

/* Move the cursor past the first @n bytes of its first iovec */
static void span_eat(struct span *s, size_t n)
{
	s->len -= n;
	if (n == s->v->iov_len) {
		s->v++;
		s->n--;
		return;
	}
	s->v->iov_base = (uint8_t *)s->v->iov_base + n;
	s->v->iov_len -= n;
}

bool span_get(struct span *s, void *dst, size_t len)
{
	uint8_t *p = dst;

	if (len > s->len)
		return false;
	while (len) {
		size_t n = MIN(len, s->v->iov_len);

		shared_copy(p, s->v->iov_base, n);
		span_eat(s, n);
		p += n;
		len -= n;
	}
	return true;
}

bool span_put(struct span *s, const void *src, size_t len)
{
	const uint8_t *p = src;

	if (len > s->len)
		return false;
	while (len) {
		size_t n = MIN(len, s->v->iov_len);

		memcpy(s->v->iov_base, p, n);
		span_eat(s, n);
		p += n;
		len -= n;
	}
	return true;
}

bool span_skip(struct span *s, size_t len)
{
	if (len > s->len)
		return false;
	while (len) {
		size_t n = MIN(len, s->v->iov_len);

		span_eat(s, n);
		len -= n;
	}
	return true;
}

uint8_t *span_split_tail(struct span *s, size_t len)
{
	struct iovec *last;

	if (!len || !s->n)
		return NULL;
	last = &s->v[s->n - 1];
	if (len > last->iov_len)
		return NULL;
	last->iov_len -= len;
	s->len -= len;
	if (!last->iov_len)
		s->n--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

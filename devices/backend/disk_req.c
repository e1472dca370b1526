/* SPDX-License-Identifier: Apache-2.0 */
/* disk_req - a request's buffers, as the engines take them apart. */
#include "devices/backend/disk_engine.h"

#include <string.h>

#include "vmm/core/util.h"

/* @n bytes, and no more than it has, of the first buffer. An empty one, as disk_req_paste() and a
 * driver may leave it, is skipped with 0.
 */
static void req_eat_first(struct disk_req *r, size_t n)
{
	r->iov->iov_base = (uint8_t *)r->iov->iov_base + n;
	r->iov->iov_len -= n;
	if (!r->iov->iov_len) {
		r->iov++;
		r->niov--;
	}
}

static void req_eat_buffers(struct disk_req *r, size_t n)
{
	while (n) {
		size_t k = MIN(n, r->iov->iov_len);

		req_eat_first(r, k);
		n -= k;
	}
}

void disk_req_eat(struct disk_req *r, size_t n)
{
	r->off += n;
	r->len -= n;
	req_eat_buffers(r, n);
}

void disk_req_copy(struct disk_req *r, uint8_t *buf, size_t n)
{
	while (n) {
		size_t k = MIN(n, r->iov->iov_len);

		if (r->op == DISK_READ)
			memcpy(r->iov->iov_base, buf, k);
		else
			memcpy(buf, r->iov->iov_base, k);
		buf += k;
		n -= k;
		req_eat_first(r, k);
	}
}

void disk_req_cut(struct disk_req *r, uint64_t len, struct disk_req *io,
		  struct disk_cut *cut)
{
	unsigned int i = 0;

	while (len > r->iov[i].iov_len)
		len -= r->iov[i++].iov_len;
	cut->at = i;
	cut->rest = (struct iovec){(uint8_t *)r->iov[i].iov_base + len,
				   r->iov[i].iov_len - len};
	r->iov[i].iov_len = len;
	io->iov = r->iov;
	io->niov = i + 1;
}

void disk_req_paste(struct disk_req *r, const struct disk_cut *cut)
{
	r->iov += cut->at;
	r->niov -= cut->at;
	*r->iov = cut->rest;
}

bool disk_req_aligned(const struct disk *d, const struct disk_req *r)
{
	for (unsigned int i = 0; i < r->niov; i++) {
		if ((uintptr_t)r->iov[i].iov_base % d->dio_mem ||
		    r->iov[i].iov_len % d->block)
			return false;
	}
	return true;
}

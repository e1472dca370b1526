/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_saved - memory of a machine that was saved, from a sparse file.
 *
 * Only what the file holds is mapped from it. The rest stays what every guest has: pages that take no room,
 * come in huge ones, and go back to the host by a balloon.
 */
#include "vmm/core/gmem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/gmem_guard.h"
#include "vmm/core/util.h"

/* Shorter holes are mapped as well, and shorter pieces read: a mapping costs as much as so many bytes */
#define SAVED_GAP    (64 * KIB)
#define SAVED_PIECES 1024

/* In [@at, @end) of the file, the next bytes that it holds. Return: 1; 0: none; -errno */
static int saved_next(int fd, uint64_t at, uint64_t end, uint64_t *from, uint64_t *to)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0 && errno != EINVAL)
		return -errno;
	if (data >= (off_t)end)
		return 0;
	hole = data < 0 ? (off_t)end : lseek(fd, data, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	*from = data < 0 ? at : (uint64_t)data;
	*to = MIN((uint64_t)hole, end);
	return 1;
}

/* The same with what follows it closely. With no room for another piece all the rest is one */
static int saved_run(int fd, uint64_t at, uint64_t end, bool last, uint64_t *from,
		     uint64_t *to)
{
	int rc = saved_next(fd, at, end, from, to);

	if (rc > 0 && last)
		*to = end;
	while (rc > 0 && *to < end) {
		uint64_t more = end, till = end;

		rc = saved_next(fd, *to, end, &more, &till);
		if (rc > 0 && more - *to >= SAVED_GAP)
			return 1;
		if (rc > 0)
			*to = till;
		else if (rc == 0)
			return 1;
	}
	return rc;
}

static int saved_read(uint8_t *p, int fd, uint64_t at, uint64_t len)
{
	long n = pread_full(fd, p, len, at);

	if (n < 0)
		return (int)n;
	return (uint64_t)n == len ? 0 : -EIO;
}

static int saved_map(struct gmem *m, uint8_t *p, int fd, uint64_t at, uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (m->hugepages || m->shared || len < SAVED_GAP || at % page || len % page ||
	    mmap(p, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
		 fd, (off_t)at) == MAP_FAILED)
		return saved_read(p, fd, at, len);
	m->saved[m->nsaved++] = (struct gmem_piece){p, p + len};
	return madvise(p, len, MADV_DONTDUMP) < 0 ? -errno : 0;
}

static int saved_order(const void *a, const void *b)
{
	const struct gmem_piece *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int gmem_map_saved(struct gmem *m, unsigned int i, int fd, uint64_t off)
{
	const struct gmem_region *r = &m->region[i];
	uint64_t at = off, end = off + r->len, from = off, to = off;
	int rc = 0;

	if (lseek(fd, 0, SEEK_END) < (off_t)end)
		return -EIO;
	if (!m->saved)
		m->saved = calloc(SAVED_PIECES, sizeof(*m->saved));
	if (!m->saved)
		return -ENOMEM;
	for (; at < end; at = to) {
		bool last = m->nsaved + GMEM_REGIONS_MAX >= SAVED_PIECES;

		rc = saved_run(fd, at, end, last, &from, &to);
		if (rc > 0)
			rc = saved_map(m, r->host + (from - off), fd, from, to - from);
		else if (rc == 0)
			break;
		if (rc < 0)
			return rc;
	}
	qsort(m->saved, m->nsaved, sizeof(*m->saved), saved_order);
	gmem_guard(r->host, r->len, GMEM_SAVED);
	return 0;
}

bool gmem_file_piece(const struct gmem *m, const uint8_t *p, struct gmem_piece *piece)
{
	unsigned int lo = 0, hi = m->nsaved;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (m->saved[mid].end > p)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (lo < m->nsaved)
		*piece = m->saved[lo];
	else if (!m->nsaved && m->file.end && m->file.end > p)
		*piece = m->file;
	else
		return false;
	piece->start = MAX(piece->start, (uint8_t *)(uintptr_t)p);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_release - memory that the guest does without goes back to the host.
 *
 * The mapping stays. A guest that lied about the pages, or a device with a request under way, can
 * still use them: it finds zeroes, or writes bytes that are never read.
 */
#include "vmm/core/gmem.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define RELEASE_MAPPINGS 16384

static const struct gmem_region *release_region(const struct gmem *m, const uint8_t *p)
{
	for (unsigned int i = 0; i < m->n; i++)
		if ((uintptr_t)p - (uintptr_t)m->region[i].host < m->region[i].len)
			return &m->region[i];
	return NULL;
}

/* [@off, @end) of @r, which holds no mapped file */
static uint64_t release_range(const struct gmem *m, const struct gmem_region *r,
			      uint64_t off, uint64_t end)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int rc;

	/* Giving back a page of the pool would also give back its reservation: the next machine
	 * takes it, and this guest's next use of it is a SIGBUS. (Since Linux 6.9 the kernel
	 * keeps the reservation, of anonymous memory; then no other machine gains the page.)
	 */
	if (m->hugepages)
		return 0;

	off = ALIGN_UP(off, page);
	end = ALIGN_DOWN(end, page);
	if (off >= end)
		return 0;
	/* A memory file keeps its pages, in all processes that map it, until they are a hole. */
	if (r->fd >= 0)
		rc = fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)off, (off_t)(end - off));
	else
		rc = madvise(r->host + off, end - off, MADV_DONTNEED);
	return rc < 0 ? 0 : end - off;
}

/* Pages of a saved machine's file become pages of none. Each piece is a mapping more, of which a process has
 * 65,530 (vm.max_map_count); so many that they are missed elsewhere are not made.
 */
static uint64_t release_saved(const struct gmem *m, const struct gmem_region *r,
			      uint64_t off, uint64_t end)
{
	static _Atomic unsigned int made;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	off = ALIGN_UP(off, page);
	end = ALIGN_DOWN(end, page);
	if (m->hugepages || off >= end || made >= RELEASE_MAPPINGS)
		return 0;
	made++;
	if (mmap(r->host + off, end - off, PROT_READ | PROT_WRITE,
		 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0) == MAP_FAILED)
		return 0;
	return end - off;
}

/* A page that is mapped from a file would come back with the file's bytes in it, not with zeroes. A kernel's
 * is the host's page cache anyway, except what the guest wrote.
 */
uint64_t gmem_release(const struct gmem *m, void *p, size_t len)
{
	const struct gmem_region *r = release_region(m, p);
	uint64_t off, end, sum = 0;

	BUG_ON(!r);
	off = (uint64_t)((uint8_t *)p - r->host);
	BUG_ON(len > r->len - off);
	end = off + len;
	while (off < end) {
		uint64_t start = end, next = end;
		struct gmem_piece file;

		if (gmem_file_piece(m, r->host + off, &file) &&
		    file.start < r->host + end) {
			start = (uint64_t)(file.start - r->host);
			next = MIN((uint64_t)(file.end - r->host), end);
		}
		sum += release_range(m, r, off, start);
		if (m->nsaved)
			sum += release_saved(m, r, start, next);
		off = next;
	}
	return sum;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem - guest RAM, and the only place where a guest address becomes a pointer.
 *
 * Regions are added before the first vCPU runs and never change, so look-ups take no
 * lock.  The guest may rewrite any byte at any instant: copy first, then check.
 */
#ifndef MICROVM_CORE_GMEM_H
#define MICROVM_CORE_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "vmm/core/err.h"

typedef uint64_t gpa_t; /* names a guest byte; only gmem.c casts it to a pointer */

#define GMEM_REGIONS_MAX 4
/* A guest with less RAM than this is to be small, a larger one fast: huge pages hold more than it
 * touches, and a copy of a file is its own where a mapping is shared, but costs a fault a page
 */
#define GMEM_SMALL_GUEST (128ULL << 20)

struct gmem_region {
	gpa_t gpa;
	uint64_t len;
	uint8_t *host; /* @len bytes, then an inaccessible guard */
	int fd;        /* shared: the file that holds it, from offset 0; else -1 */
};

/* Bytes [@start, @end) of the process that are mapped from a file */
struct gmem_piece {
	uint8_t *start, *end;
};

struct gmem {
	unsigned int n;
	struct gmem_region region[GMEM_REGIONS_MAX]; /* ascending, disjoint */
	bool hugepages, shared;
	struct gmem_piece
		file; /* gmem_map_file()'s mappings lie in it; its @end NULL: none */
	struct gmem_piece *saved; /* gmem_map_saved()'s, ascending, @nsaved of them */
	unsigned int nsaved;
};

/* gmem_init() - an empty guest.  @hugepages: RAM comes from the host's huge-page pool */
void gmem_init(struct gmem *m, bool hugepages);
/* gmem_share() - before any gmem_add(): each region becomes a memory file of its own (region.fd),
 * which another process can map. No process can change its length.
 */
void gmem_share(struct gmem *m);
/* gmem_add() - @len zeroed bytes at @gpa, page-aligned, above all earlier regions; kept
 * out of core dumps and followed by a guard.  Return: 0, or -errno in @e
 */
int gmem_add(struct gmem *m, gpa_t gpa, uint64_t len, struct err *e);
void gmem_fini(struct gmem *m);

/* gmem_slice() - check that [@gpa, @gpa + @len) is RAM in one piece.
 * Return: its host address; NULL if any byte is not RAM.  @len 0 is NULL.
 */
void *gmem_slice(const struct gmem *m, gpa_t gpa, size_t len);
/* Copy whole objects.  Return: 0, or -EFAULT with nothing copied */
int gmem_read(const struct gmem *m, gpa_t gpa, void *dst, size_t len);
int gmem_write(const struct gmem *m, gpa_t gpa, const void *src, size_t len);

/* gmem_load_file() - copy bytes [@off, @off + @len) of @fd to @gpa: for data that the guest soon
 * overwrites or gives up. Before the first vCPU runs.
 * Return: 0; -EFAULT if it is not all RAM; -EIO if the file is shorter; -errno
 */
int gmem_load_file(struct gmem *m, gpa_t gpa, int fd, uint64_t off, uint64_t len);
/* gmem_map_file() - the same by mapping the file copy-on-write where page alignment allows: for
 * data that stays as it is, so that guests share it. Into shared memory it copies: a process that
 * maps our memory files would not see a mapping on top of them
 */
int gmem_map_file(struct gmem *m, gpa_t gpa, int fd, uint64_t off, uint64_t len);

/* gmem_map_saved() - region @i, which nobody has used yet, becomes bytes [@off, @off + its length) of @fd, a
 * sparse file: what it holds is mapped copy-on-write, small pieces are read, holes stay zeroes. Before any
 * thread starts. Return: 0; -EIO if the file is shorter; -errno
 */
int gmem_map_saved(struct gmem *m, unsigned int i, int fd, uint64_t off);
/* gmem_file_piece() - the first bytes at or after @p that are mapped from a file.  Return: false: none */
bool gmem_file_piece(const struct gmem *m, const uint8_t *p, struct gmem_piece *piece);

/* gmem_release() - give the host back the whole pages in [@p, @p + @len), a slice; they read as
 * zeroes afterwards, here, in the guest and in every process that maps them. What is mapped from
 * a kernel's file, a part of a page, and huge pages of the host's pool stay as they are. Any thread.
 * Return: how many bytes the host got back
 */
uint64_t gmem_release(const struct gmem *m, void *p, size_t len);

/* gmem_size() - bytes of RAM in all; gmem_end() - first address above the last region */
uint64_t gmem_size(const struct gmem *m);
gpa_t gmem_end(const struct gmem *m);

/* One access each, little-endian: the compiler may neither repeat nor split them.
 * @p is aligned to its size.
 */
static inline uint16_t shared_load16(const void *p) /* acquire */
{
	return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE);
}
static inline void shared_store16(void *p, uint16_t v) /* release */
{
	__atomic_store_n((uint16_t *)p, v, __ATOMIC_RELEASE);
}
static inline uint32_t shared_load32(const void *p) /* acquire */
{
	return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}
static inline void shared_store32(void *p, uint32_t v) /* release */
{
	__atomic_store_n((uint32_t *)p, v, __ATOMIC_RELEASE);
}
/* shared_copy() - guest bytes into our memory, any alignment: later code sees the copy in @dst
 * only; the compiler may not read @src again for it
 */
static inline void shared_copy(void *dst, const void *src, size_t len)
{
	memcpy(dst, src, len);
	__asm__ volatile("" : : "r"(dst) : "memory");
}

#endif

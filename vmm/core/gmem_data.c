/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem_data - asks the host's kernel about our pages (Documentation/admin-guide/mm/ pagemap.rst),
 * or about the file that other processes map as well.
 */
#include "vmm/core/gmem_data.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define PAGEMAP         "/proc/self/pagemap"
#define PAGEMAP_BATCH   512 /* entries that are read at a time */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

void gmem_walk_init(struct gmem_walk *w, const struct gmem *m)
{
	*w = (struct gmem_walk){.m = m, .pagemap = open(PAGEMAP, O_RDONLY | O_CLOEXEC)};
}

void gmem_walk_fini(struct gmem_walk *w)
{
	cleanup_close_fd(&w->pagemap);
}

static bool walk_is_data(uint64_t entry)
{
	return entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED);
}

/* From our own page tables. Return: where, at or after @off of @r, the first page with that @data
 * begins; @end if there is none before it
 */
static uint64_t walk_pages(const struct gmem_walk *w, const struct gmem_region *r,
			   uint64_t off, uint64_t end, bool data)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), entry[PAGEMAP_BATCH];

	while (off < end) {
		uint64_t first = ((uintptr_t)r->host + off) / page;
		size_t n = (size_t)MIN((end - off) / page, (uint64_t)PAGEMAP_BATCH);
		long got = pread_full(w->pagemap, entry, n * sizeof(entry[0]),
				      first * sizeof(entry[0]));

		if (got != (long)(n * sizeof(entry[0])))
			return data ? off : end; /* unknown: data */
		for (size_t i = 0; i < n; i++, off += page)
			if (walk_is_data(entry[i]) == data)
				return off;
	}
	return end;
}

/* The same from a file, whose pages may be in other processes only */
static uint64_t walk_file(const struct gmem_region *r, uint64_t off, uint64_t end,
			  bool data)
{
	off_t at = lseek(r->fd, (off_t)off, data ? SEEK_DATA : SEEK_HOLE);

	if (at < 0)
		return data && errno != ENXIO ? off : end;
	return MIN((uint64_t)at, end);
}

/* A page that is mapped from a file has its bytes even before its first access */
static uint64_t walk_find(const struct gmem_walk *w, const struct gmem_region *r,
			  uint64_t off, bool data)
{
	struct gmem_piece file;

	if (r->fd >= 0)
		return walk_file(r, off, r->len, data);
	while (off < r->len) {
		uint64_t start = r->len, end = r->len, at;

		if (gmem_file_piece(w->m, r->host + off, &file) &&
		    file.start < r->host + r->len) {
			start = (uint64_t)(file.start - r->host);
			end = MIN((uint64_t)(file.end - r->host), r->len);
		}
		at = walk_pages(w, r, off, start, data);
		if (at < start || (data && at < r->len))
			return at;
		off = end;
	}
	return r->len;
}

bool gmem_walk_next(struct gmem_walk *w, struct gmem_run *run)
{
	for (; w->region < w->m->n; w->region++, w->off = 0) {
		const struct gmem_region *r = &w->m->region[w->region];
		uint64_t start = walk_find(w, r, w->off, true);

		if (start >= r->len)
			continue;
		w->off = walk_find(w, r, start, false);
		*run = (struct gmem_run){.gpa = r->gpa + start,
					 .len = w->off - start,
					 .host = r->host + start};
		return true;
	}
	return false;
}

/* The state's runs: address, length, bytes; a length of 0 ends them */

static void gmem_save_runs(const struct gmem *m, struct state *s)
{
	struct gmem_walk w;
	struct gmem_run run;
	uint64_t none = 0;

	gmem_walk_init(&w, m);
	while (state_ok(s) && gmem_walk_next(&w, &run)) {
		state_u64(s, &run.gpa);
		state_u64(s, &run.len);
		state_bytes(s, run.host, run.len);
	}
	gmem_walk_fini(&w);
	state_u64(s, &none);
	state_u64(s, &none);
}

/* Holes of the state become holes here: give back what can be, overwrite the rest */
static void gmem_clear(const struct gmem *m)
{
	struct gmem_walk w;
	struct gmem_run run;

	for (unsigned int i = 0; i < m->n; i++)
		(void)gmem_release(m, m->region[i].host, m->region[i].len);
	gmem_walk_init(&w, m);
	while (gmem_walk_next(&w, &run))
		memset(run.host, 0, run.len);
	gmem_walk_fini(&w);
}

static void gmem_load_runs(const struct gmem *m, struct state *s)
{
	uint64_t gpa = 0, len = 0;
	void *p;

	gmem_clear(m);
	for (;;) {
		state_u64(s, &gpa);
		state_u64(s, &len);
		if (!state_ok(s) || len == 0)
			return;
		p = gmem_slice(m, gpa, len);
		if (!p) {
			state_failf(s,
				    "0x%" PRIx64 " bytes at 0x%" PRIx64 " are no memory",
				    len, gpa);
			return;
		}
		state_bytes(s, p, len);
	}
}

void gmem_state(struct gmem *m, struct state *s)
{
	state_begin(s, "memory", 1);
	state_same_u32(s, m->n, "regions of memory");
	for (unsigned int i = 0; i < m->n; i++) {
		state_same_u64(s, m->region[i].gpa / KIB,
			       "KiB of address before a region of memory");
		state_same_u64(s, m->region[i].len / KIB, "KiB of memory");
	}
	if (!state_loading(s))
		gmem_save_runs(m, s);
	else if (state_ok(s))
		gmem_load_runs(m, s);
	state_end(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* overlay_map - which clusters the top has, and which pages of that bitmap the file lacks. */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/core/util.h"

#define BITS            UINT64_C(64)
#define CLUSTERS_A_PAGE (OVERLAY_PAGE * 8)
#define WORDS_A_PAGE    (OVERLAY_PAGE / sizeof(uint64_t))

static bool map_bit(const uint64_t *w, uint64_t i)
{
	return w[i / BITS] >> (i % BITS) & 1;
}

static void map_put(uint64_t *w, uint64_t i, bool on)
{
	uint64_t bit = UINT64_C(1) << (i % BITS);

	w[i / BITS] = on ? w[i / BITS] | bit : w[i / BITS] & ~bit;
}

/* Whole pages, zeroed, as direct access needs them; a large map uses memory only where bits are
 * set.
 */
static uint64_t *map_alloc(uint64_t pages)
{
	void *p = mmap(NULL, pages * OVERLAY_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void map_free(uint64_t *p, uint64_t pages)
{
	if (p)
		(void)munmap(p, pages * OVERLAY_PAGE);
}

int overlay_map_init(struct overlay_map *m, uint64_t size)
{
	m->clusters = (size + OVERLAY_CLUSTER - 1) / OVERLAY_CLUSTER;
	m->pages = (m->clusters + CLUSTERS_A_PAGE - 1) / CLUSTERS_A_PAGE;
	m->live = map_alloc(m->pages);
	m->file = map_alloc(m->pages);
	m->dirty = calloc((m->pages + BITS - 1) / BITS, sizeof(*m->dirty));
	m->late = calloc((m->pages + BITS - 1) / BITS, sizeof(*m->late));
	return m->live && m->file && m->dirty && m->late ? 0 : -ENOMEM;
}

void overlay_map_fini(struct overlay_map *m)
{
	map_free(m->live, m->pages);
	map_free(m->file, m->pages);
	free(m->dirty);
	free(m->late);
}

uint64_t overlay_map_run(const struct overlay_map *m, uint64_t c, uint64_t max,
			 bool *in_top)
{
	uint64_t n = 0;

	*in_top = map_bit(m->live, c);
	while (n < max) {
		uint64_t i = c + n;

		if (i % BITS == 0 && max - n >= BITS &&
		    m->live[i / BITS] == (*in_top ? ~UINT64_C(0) : 0))
			n += BITS;
		else if (map_bit(m->live, i) == *in_top)
			n++;
		else
			break;
	}
	return n;
}

/* Bits @i to @end; by words, since a discard sets millions while the device is locked */
static void map_fill(uint64_t *w, uint64_t i, uint64_t end)
{
	while (i < end) {
		if (i % BITS == 0 && end - i >= BITS) {
			w[i / BITS] = ~UINT64_C(0);
			i += BITS;
		} else {
			map_put(w, i++, true);
		}
	}
}

void overlay_map_set(struct overlay_map *m, uint64_t c, uint64_t n)
{
	map_fill(m->live, c, c + n);
	map_fill(m->dirty, c / CLUSTERS_A_PAGE,
		 (c + n + CLUSTERS_A_PAGE - 1) / CLUSTERS_A_PAGE);
}

void overlay_map_stage(struct overlay_map *m)
{
	for (uint64_t p = 0; p < m->pages; p++) {
		if (!map_bit(m->dirty, p))
			continue;
		memcpy(m->file + p * WORDS_A_PAGE, m->live + p * WORDS_A_PAGE,
		       OVERLAY_PAGE);
		map_put(m->dirty, p, false);
		map_put(m->late, p, true);
	}
}

uint64_t overlay_map_late(const struct overlay_map *m, uint64_t *page)
{
	uint64_t p = *page, n = 0;

	while (p < m->pages && !map_bit(m->late, p))
		p++;
	while (p + n < m->pages && map_bit(m->late, p + n))
		n++;
	*page = p;
	return n;
}

bool overlay_map_saved(const struct overlay_map *m)
{
	for (uint64_t w = 0; w < (m->pages + BITS - 1) / BITS; w++)
		if (m->dirty[w] | m->late[w])
			return false;
	return true;
}

void overlay_map_written(struct overlay_map *m, uint64_t page, uint64_t n)
{
	for (uint64_t p = page; p < page + n; p++)
		map_put(m->late, p, false);
}

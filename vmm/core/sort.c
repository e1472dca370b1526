/* SPDX-License-Identifier: Apache-2.0 */
/* sort - in place, without a system call. */
#include "vmm/core/sort.h"

#include <stdint.h>
#include <string.h>

struct sort {
	uint8_t *base;
	size_t size;
	int (*compare)(const void *a, const void *b);
};

static void sort_swap(const struct sort *s, size_t i, size_t j)
{
	uint8_t one[SORT_SIZE_MAX];

	memcpy(one, s->base + i * s->size, s->size);
	memcpy(s->base + i * s->size, s->base + j * s->size, s->size);
	memcpy(s->base + j * s->size, one, s->size);
}

static int sort_compare(const struct sort *s, size_t i, size_t j)
{
	return s->compare(s->base + i * s->size, s->base + j * s->size);
}

/* Let the element @i of a heap of @n sink to its place, below all that are greater */
static void sort_sink(const struct sort *s, size_t i, size_t n)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && sort_compare(s, child + 1, child) > 0)
			child++;
		if (sort_compare(s, child, i) <= 0)
			return;
		sort_swap(s, child, i);
	}
}

void sort_in_place(void *base, size_t n, size_t size,
		   int (*compare)(const void *a, const void *b))
{
	const struct sort s = {base, size, compare};

	for (size_t i = n / 2; i-- > 0;)
		sort_sink(&s, i, n);
	while (n > 1) {
		sort_swap(&s, 0, --n);
		sort_sink(&s, 0, n);
	}
}

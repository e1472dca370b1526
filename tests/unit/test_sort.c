/* SPDX-License-Identifier: Apache-2.0 */
/* test_sort - what a locked-up process sorts, and the words that it collects. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/sort.h"
#include "vmm/core/words.h"

#define MANY 1000

struct thing {
	char before[3];
	unsigned int key;
	char after[9];
};

static int by_key(const void *a, const void *b)
{
	const struct thing *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* Of every length up to @MANY, in order, in reverse, all alike, and mixed */
START_TEST(sorts_as_qsort_does)
{
	static struct thing is[MANY], want[MANY];

	for (size_t n = 0; n < MANY; n += n < 20 ? 1 : 97) {
		for (size_t i = 0; i < n; i++) {
			unsigned int keys[] = {(unsigned int)i, (unsigned int)(n - i), 7,
					       (unsigned int)(i * 7919 % 64)};

			is[i] = (struct thing){.key = keys[_i], .after = "whole"};
		}
		memcpy(want, is, sizeof(is));
		qsort(want, n, sizeof(*want), by_key);
		sort_in_place(is, n, sizeof(*is), by_key);
		for (size_t i = 0; i < n; i++) {
			ck_assert_uint_eq(is[i].key, want[i].key);
			ck_assert_str_eq(is[i].after, "whole");
		}
	}
}
END_TEST

static char *words;
static size_t len;

__attribute__((format(printf, 2, 3))) static int add(size_t most, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = words_add(&words, &len, most, fmt, ap);
	va_end(ap);
	return rc;
}

START_TEST(words_have_a_limit)
{
	ck_assert_int_eq(add(0, "a"), -E2BIG);
	ck_assert_int_eq(add(1, "a"), -E2BIG);
	ck_assert_ptr_null(words);
	ck_assert_int_eq(add(6, "a=%d", 1), 0);
	ck_assert_int_eq(add(6, "bb"), -E2BIG);
	ck_assert_int_eq(add(6, "b"), 0);
	ck_assert_int_eq(add(6, "%s", ""), -E2BIG);
	ck_assert_uint_eq(len, 6);
	ck_assert_mem_eq(words, "a=1\0b", 6);
	free(words);
}
END_TEST

UNIT_MAIN("sort", NULL, NULL, t)
{
	tcase_add_loop_test(t, sorts_as_qsort_does, 0, 4);
	tcase_add_test(t, words_have_a_limit);
}

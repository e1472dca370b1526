/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot - the file of a saved machine: every flip of a bit and every cut is refused. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/state.h"
#include "vmm/core/util.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/snapshot_parts.h"

static uint8_t *file;
static size_t len;
static struct gmem mem;
static struct err e;

/* Settings and a layout, which are what each begins with */
static void setup(void)
{
	struct state s;
	char *text = strdup("{\"kernel\":\"/k\"}");

	gmem_init(&mem, false);
	ck_assert_int_eq(gmem_add(&mem, 0, MIB, &e), 0);
	ck_assert_int_eq(gmem_add(&mem, 4 * MIB, 3 * MIB, &e), 0);
	state_collector(&s);
	snapshot_settings_state(&text, &s);
	snapshot_layout_state(&mem, &s);
	ck_assert(state_ok(&s));
	len = SNAPSHOT_HEADER + s.pos;
	file = malloc(len + 1);
	snapshot_header(file, s.buf, s.pos);
	memcpy(file + SNAPSHOT_HEADER, s.buf, s.pos);
	state_free(&s);
	free(text);
}

static void teardown(void)
{
	free(file);
	gmem_fini(&mem);
}

START_TEST(what_was_saved_is_loaded)
{
	char *text = NULL;
	struct state s;

	ck_assert_int_eq(snapshot_check(file, len, &e), 0);
	state_loader(&s, file + SNAPSHOT_HEADER, len - SNAPSHOT_HEADER);
	snapshot_settings_state(&text, &s);
	snapshot_layout_state(&mem, &s);
	ck_assert(state_ok(&s));
	ck_assert_uint_eq(s.pos, len - SNAPSHOT_HEADER);
	ck_assert_str_eq(text, "{\"kernel\":\"/k\"}");
	free(text);
}
END_TEST

START_TEST(every_bit_is_looked_at)
{
	for (size_t bit = 0; bit < len * 8; bit++) {
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_msg(snapshot_check(file, len, &e) == -EINVAL, "bit %zu", bit);
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	ck_assert_int_eq(snapshot_check(file, len, &e), 0);
}
END_TEST

START_TEST(every_cut_and_what_follows_the_end_is_refused)
{
	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(snapshot_check(file, n, &e), -EINVAL);
	file[len] = 0;
	ck_assert_int_eq(snapshot_check(file, len + 1, &e), -EINVAL);
}
END_TEST

START_TEST(newer_format_is_named)
{
	file[16] = 2;
	ck_assert_int_eq(snapshot_check(file, len, &e), -EINVAL);
	ck_assert_msg(strstr(e.msg, "damaged"), "%s", e.msg);
}
END_TEST

START_TEST(regions_begin_where_they_can_be_mapped)
{
	ck_assert_uint_eq(snapshot_region_at(&mem, 0), 0);
	ck_assert_uint_eq(snapshot_region_at(&mem, 1), 2 * MIB);
	ck_assert_uint_eq(snapshot_region_at(&mem, 2), 6 * MIB);
}
END_TEST

START_TEST(another_layout_is_refused_with_both)
{
	char *text = NULL;
	struct gmem other;
	struct state s;

	gmem_init(&other, false);
	ck_assert_int_eq(gmem_add(&other, 0, MIB, &e), 0);
	ck_assert_int_eq(gmem_add(&other, 4 * MIB, 2 * MIB, &e), 0);
	state_loader(&s, file + SNAPSHOT_HEADER, len - SNAPSHOT_HEADER);
	snapshot_settings_state(&text, &s);
	snapshot_layout_state(&other, &s);
	ck_assert(!state_ok(&s));
	ck_assert_msg(strstr(s.why, "3072 KiB of memory") && strstr(s.why, "2048"), "%s",
		      s.why);
	gmem_fini(&other);
	free(text);
}
END_TEST

UNIT_MAIN("snapshot", setup, teardown, t)
{
	tcase_add_test(t, what_was_saved_is_loaded);
	tcase_add_test(t, every_bit_is_looked_at);
	tcase_add_test(t, every_cut_and_what_follows_the_end_is_refused);
	tcase_add_test(t, newer_format_is_named);
	tcase_add_test(t, regions_begin_where_they_can_be_mapped);
	tcase_add_test(t, another_layout_is_refused_with_both);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_merge - what is at each name after layers that say little, too much, or the same twice */
#include "vmm/image/merge_impl.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/unit.h"

static struct merge m;
static struct err e;

static void setup(void)
{
	ck_assert_int_eq(merge_open(&m, &e), 0);
	merge_layer(&m);
}

static void teardown(void)
{
	merge_close(&m);
}

/* An entry as a letter and a path: d, f, l (a link, to what is after =), h (a hard link, likewise) */
static int try(const char *text)
{
	char path[MERGE_PATH + 2];
	struct merge_entry entry = {.path = path,
				    .object = {.mode = S_IFREG | 0644,
					       .mtime = m.layer,
					       .xattrs = SQUASH_NO_XATTRS}};
	struct squash_object *made;
	char *to;

	(void)snprintf(path, sizeof(path), "%s", text + 1);
	to = strchr(path, '=');
	if (to)
		*to++ = '\0';
	if (*text == 'd')
		entry.object.mode = S_IFDIR | 0755;
	if (*text == 'l') {
		entry.object.mode = S_IFLNK | 0777;
		entry.object.target = to;
	}
	if (*text == 'h')
		entry.link = to;
	return merge_entry(&m, &entry, &made, &e);
}

static void add(const char *text)
{
	ck_assert_msg(try(text) == 0, "%s: %s", text, e.msg);
}

static const struct merge_node *at(const char *path)
{
	const char *name;
	size_t len;
	struct merge_node *dir = path_parent(&m, path, false, &name, &len, &e);

	return dir ? tree_find(&m, dir, name, len) : NULL;
}

/* From which layer is it? 0: it is not there */
static int64_t from(const char *path)
{
	const struct merge_node *n = at(path);

	return n ? n->object->mtime : 0;
}

START_TEST(an_upper_layer_replaces)
{
	add("fa");
	add("db");
	add("fb/in");
	add("dc");
	add("fc/in");
	merge_layer(&m);
	add("da");
	add("fb");
	add("dc");
	ck_assert(tree_is_dir(at("a")));
	ck_assert(!tree_is_dir(at("b")));
	ck_assert_ptr_null(at("b/in"));
	ck_assert_int_eq(from("c"), 2);
	ck_assert_int_eq(from("c/in"), 1);
}
END_TEST

START_TEST(whiteouts_are_about_layers_below_wherever_they_stand)
{
	add("fa/low");
	add("fb/low");
	add("fc");
	merge_layer(&m);
	add("fa/high");
	add("fa/.wh..wh..opq");
	add("f.wh.b");
	add("fb/high");
	add("fc");
	add("f.wh.c");
	ck_assert_int_eq(from("a/low"), 0);
	ck_assert_int_eq(from("a/high"), 2);
	ck_assert_int_eq(from("b/low"), 0);
	ck_assert_int_eq(from("b/high"), 2);
	ck_assert_int_eq(from("c"), 2);
}
END_TEST

START_TEST(an_opaque_directory_keeps_what_is_deep_in_it)
{
	add("fa/b/low");
	add("fa/b/c/low");
	merge_layer(&m);
	add("fa/b/c/high");
	add("fa/.wh..wh..opq");
	ck_assert_int_eq(from("a/b/c/high"), 2);
	ck_assert_int_eq(from("a/b/c/low"), 0);
	ck_assert_int_eq(from("a/b/low"), 0);
}
END_TEST

START_TEST(directories_that_no_entry_names_are_the_layers_own)
{
	add("fa/low");
	add("fo/a/low");
	merge_layer(&m);
	add("fa/b/high");
	add("f.wh.a");
	add("fo/a/b/high");
	add("fo/.wh..wh..opq");
	ck_assert_int_eq(from("a/b/high"), 2);
	ck_assert_int_eq(from("a/low"), 0);
	ck_assert_int_eq(from("o/a/b/high"), 2);
	ck_assert_int_eq(from("o/a/low"), 0);
}
END_TEST

START_TEST(a_whiteout_may_look_like_a_directory)
{
	add("fa");
	add("fd/b");
	merge_layer(&m);
	add("d.wh.a/");
	add("dd/.wh..wh..opq/.");
	ck_assert_ptr_null(at("a"));
	ck_assert_ptr_null(at(".wh.a"));
	ck_assert_ptr_null(at("d/b"));
}
END_TEST

START_TEST(whiteouts_of_nothing)
{
	add("fa/.wh.b");
	add("f.wh.a");
	add("f.wh..wh.plnk");
	add("ff");
	add("ff/.wh.b");
	ck_assert_int_eq(try("f.wh."), -EINVAL);
	ck_assert_int_eq(try("f.wh.."), -EINVAL);
	ck_assert_int_eq(try("f.wh..."), -EINVAL);
	ck_assert_ptr_null(at("a"));
}
END_TEST

START_TEST(a_hard_link_outlives_its_first_name)
{
	add("fa");
	add("hb=a");
	merge_layer(&m);
	add("f.wh.a");
	add("hc=b");
	add("hc=b"); /* once more, and */
	add("hb=b"); /* to itself */
	ck_assert_ptr_null(at("a"));
	ck_assert_ptr_eq(at("b")->object, at("c")->object);
	ck_assert_uint_eq(at("b")->object->names, 2);
	/* over the directory that it was in */
	add("fd/e");
	add("hd=d/e");
	ck_assert(!tree_is_dir(at("d")));
	ck_assert_uint_eq(at("d")->object->names, 1);
	ck_assert_int_eq(try("hx=gone"), -ENOENT);
	ck_assert_int_eq(try("hx=."), -EISDIR);
	ck_assert_int_eq(try("hx=../a"), -EINVAL);
}
END_TEST

START_TEST(links_on_the_way_lead_nowhere_else)
{
	add("lup=../../..");
	add("labs=/etc");
	add("detc");
	add("fup/a");
	add("fabs/b");
	ck_assert_int_eq(from("a"), 1);
	ck_assert_int_eq(from("etc/b"), 1);
	/* the last part is replaced, not followed */
	add("fabs");
	ck_assert(S_ISREG(at("abs")->object->mode));
	add("lx=y");
	add("ly=x");
	ck_assert_int_eq(try("fx/f"), -ELOOP);
	ck_assert_int_eq(try("fetc/b/below"), -ENOTDIR);
}
END_TEST

START_TEST(paths_that_are_none)
{
	char deep[2 * MERGE_DEPTH + 16] = "f", name[MERGE_NAME + 3] = "f";

	for (int i = 0; i < MERGE_DEPTH; i++)
		(void)strcat(deep, "d/");
	(void)strcat(deep, "f");
	ck_assert_int_eq(try(deep), -ENAMETOOLONG);
	memset(name + 1, 'n', MERGE_NAME + 1);
	ck_assert_int_eq(try(name), -ENAMETOOLONG);
	name[MERGE_NAME + 1] = '\0';
	add(name);
	ck_assert_int_eq(try("fa/../b"), -EINVAL);
	ck_assert_int_eq(try("f"), -ENOTDIR);
	ck_assert_int_eq(try("f./"), -ENOTDIR);
	add("d./");
	add("f.//./a//b/.");
	ck_assert_int_eq(from("/a/b"), 1);
	ck_assert_int_eq(merge_dir(&m, "/v/w", &e), 0);
	ck_assert(tree_is_dir(at("v/w")));
	ck_assert_int_lt(merge_dir(&m, "a/b/c", &e), 0);
}
END_TEST

START_TEST(many_names_are_found_and_go)
{
	char text[32];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(text, sizeof(text), "fdir/%d", i);
		add(text);
	}
	ck_assert_int_eq(from("dir/4999"), 1);
	merge_layer(&m);
	add("f.wh.dir");
	ck_assert_uint_eq(m.nnode, 0);
}
END_TEST

UNIT_MAIN("image_merge", setup, teardown, t)
{
	tcase_add_test(t, an_upper_layer_replaces);
	tcase_add_test(t, whiteouts_are_about_layers_below_wherever_they_stand);
	tcase_add_test(t, an_opaque_directory_keeps_what_is_deep_in_it);
	tcase_add_test(t, directories_that_no_entry_names_are_the_layers_own);
	tcase_add_test(t, a_whiteout_may_look_like_a_directory);
	tcase_add_test(t, whiteouts_of_nothing);
	tcase_add_test(t, a_hard_link_outlives_its_first_name);
	tcase_add_test(t, links_on_the_way_lead_nowhere_else);
	tcase_add_test(t, paths_that_are_none);
	tcase_add_test(t, many_names_are_found_and_go);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_dtree - device trees: what is written, overlays that apply or do not, the copy. */
#include "boot/dtree.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <sys/stat.h>

#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"

static struct dtree t;
static struct err e;

/* A tree with a node that has a label and one that has none */
static void setup(void)
{
	ck_assert_int_eq(dtree_open(&t, &e), 0);
	dtree_u32(&t, "#address-cells", 2);
	dtree_node(&t, "gic@%x", 0x8000);
	dtree_reg(&t, &(const uint64_t[2]){0x123456789a, 0x8000}, 1);
	dtree_u32(&t, "phandle", 7);
	dtree_end(&t);
	dtree_node(&t, "plain");
	dtree_u64(&t, "long", 0x0102030405060708);
	dtree_end(&t);
	dtree_node(&t, "__symbols__");
	dtree_text(&t, "gic", "/gic@8000");
	dtree_text(&t, "gone", "/gone");
	dtree_end(&t);
	ck_assert_int_eq(dtree_close(&t, &e), 0);
}

static void teardown(void)
{
	dtree_free(&t);
}

/* An overlay that gives the node at @path a property; by the label @label, if not NULL */
static char *overlay(const char *path, const char *label)
{
	struct dtree o;
	char *name;

	ck_assert_int_eq(dtree_open(&o, &e), 0);
	dtree_node(&o, "fragment@0");
	if (label)
		dtree_u32(&o, "target", UINT32_MAX);
	else
		dtree_text(&o, "target-path", path);
	dtree_node(&o, "__overlay__");
	dtree_text(&o, "note", "hello");
	dtree_end(&o);
	dtree_end(&o);
	if (label) {
		dtree_node(&o, "__fixups__");
		dtree_text(&o, label, "/fragment@0:target:0");
		dtree_end(&o);
	}
	ck_assert_int_eq(dtree_close(&o, &e), 0);
	name = file_of(o.blob, dtree_len(&o));
	dtree_free(&o);
	return name;
}

static const char *note_of(const char *path)
{
	int at = fdt_path_offset(t.blob, path);

	ck_assert_int_ge(at, 0);
	return fdt_getprop(t.blob, at, "note", NULL);
}

START_TEST(cells_are_big_endian_and_as_many_as_asked_for)
{
	static const uint8_t reg[] = {0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a,
				      0, 0, 0, 0,    0,    0,    0x80, 0};
	int at = fdt_path_offset(t.blob, "/gic@8000"), len;
	const void *p = fdt_getprop(t.blob, at, "reg", &len);

	ck_assert_int_eq(len, sizeof(reg));
	ck_assert_mem_eq(p, reg, sizeof(reg));
	at = fdt_path_offset(t.blob, "/plain");
	p = fdt_getprop(t.blob, at, "long", &len);
	ck_assert_int_eq(len, 8);
	ck_assert_mem_eq(p, "\1\2\3\4\5\6\7\10", 8);
}
END_TEST

START_TEST(a_tree_that_grows_too_long_is_told)
{
	static const uint8_t lump[65536];

	dtree_free(&t);
	ck_assert_int_eq(dtree_open(&t, &e), 0);
	for (int i = 0; i < 40; i++) {
		dtree_node(&t, "n%d", i);
		dtree_bytes(&t, "lump", lump, sizeof(lump));
		dtree_end(&t);
	}
	ck_assert_int_eq(dtree_close(&t, &e), -E2BIG);
	ck_says(e, "2 MiB");
}
END_TEST

START_TEST(an_overlay_finds_its_node)
{
	ck_assert_int_eq(dtree_overlay(&t, overlay("/plain", NULL), &e), 0);
	ck_assert_str_eq(note_of("/plain"), "hello");
	ck_assert_int_eq(dtree_overlay(&t, overlay(NULL, "gic"), &e), 0);
	ck_assert_str_eq(note_of("/gic@8000"), "hello");
}
END_TEST

START_TEST(an_overlay_that_does_not_apply_is_told)
{
	char *path[] = {overlay("/nowhere", NULL), overlay(NULL, "pic"),
			overlay(NULL, "gone")};

	ck_assert_int_eq(dtree_overlay(&t, path[_i], &e), -EINVAL);
	ck_says(e, "does not apply");
	ck_says(e, "node or a label");
	ck_says(e, path[_i]);
	ck_says(e, "--dump-dtb");
}
END_TEST

START_TEST(what_is_no_overlay_is_refused)
{
	ck_assert_int_eq(dtree_overlay(&t, file_of("/dts-v1/;\n", 10), &e), -ENOEXEC);
	ck_says(e, "dtc -@");
	ck_assert_int_eq(dtree_reserve(&t, 0, &e), 0);
	ck_assert_int_eq(dtree_overlay(&t, file_of(t.blob, dtree_len(&t)), &e), -EINVAL);
	ck_says(e, "not an overlay");
	ck_assert_int_eq(dtree_overlay(&t, "/nonexistent/x.dtbo", &e), -ENOENT);
	ck_says(e, "overlay /nonexistent/x.dtbo");
	ck_assert_int_eq(dtree_overlay(&t, "/", &e), -EISDIR);
}
END_TEST

/* Every cut and a flip in every byte: refused or applied, never more */
START_TEST(a_damaged_overlay_does_no_harm)
{
	uint8_t bytes[1024], bent[1024];
	char *path = overlay(NULL, "gic");
	int fd = open(path, O_RDONLY);
	long len = read_full(fd, bytes, sizeof(bytes));

	ck_assert_int_gt(len, 100);
	ck_assert_int_lt(len, sizeof(bytes));
	close(fd);
	for (long i = 0; i < len; i++) {
		if (i > 0)
			ck_assert_int_lt(dtree_overlay(&t, file_of(bytes, (size_t)i), &e),
					 0);
		memcpy(bent, bytes, sizeof(bent));
		bent[i] ^= 0x41;
		teardown();
		setup();
		if (dtree_overlay(&t, file_of(bent, (size_t)len), &e) == 0)
			ck_assert_int_eq(dtree_reserve(&t, 0x40000000, &e), 0);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(a_huge_overlay_is_refused)
{
	char path[] = "/tmp/test_dtree.XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_eq(ftruncate(fd, DTREE_MAX + 1), 0);
	ck_assert_int_eq(dtree_overlay(&t, path, &e), -E2BIG);
	unlink(path);
	close(fd);
}
END_TEST

START_TEST(the_tree_keeps_its_own_memory)
{
	uint64_t at, len;

	ck_assert_int_eq(dtree_reserve(&t, 0x40200000, &e), 0);
	ck_assert_int_eq(fdt_check_full(t.blob, dtree_len(&t)), 0);
	ck_assert_uint_lt(dtree_len(&t), 1024);
	ck_assert_int_eq(fdt_num_mem_rsv(t.blob), 1);
	ck_assert_int_eq(fdt_get_mem_rsv(t.blob, 0, &at, &len), 0);
	ck_assert_uint_eq(at, 0x40200000);
	ck_assert_uint_eq(len, 4096);
}
END_TEST

/* The seeds are in it.  A file that others may read, and one of them has it open */
START_TEST(older_file_that_others_read_is_replaced)
{
	char path[] = "/tmp/test_dtree.XXXXXX", link[] = "/tmp/test_dtree.link.XXXXXX", c;
	int fd = mkstemp(path), reader, other = mkstemp(link);
	struct stat st;

	ck_assert_int_eq(write(fd, "old", 3), 3);
	close(fd);
	close(other);
	unlink(link);
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(chmod(path, 0644), 0);
	reader = open(path, O_RDONLY);
	ck_assert_int_eq(dtree_reserve(&t, 0x40200000, &e), 0);
	ck_assert_int_eq(dtree_dump(&t, _i ? link : path, &e), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(st.st_size, (off_t)dtree_len(&t));
	ck_assert_int_eq(lstat(link, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(lseek(reader, 3, SEEK_SET), 3);
	ck_assert_int_eq(read(reader, &c, 1), 0);
	close(reader);
	unlink(path);
	unlink(link);
}
END_TEST

/* A pipe or a terminal is written to as it is, and so is where stdout goes */
START_TEST(what_is_no_file_of_its_own_stays)
{
	char path[] = "/tmp/test_dtree.XXXXXX", stream[32];
	int fd = mkstemp(path), saved = dup(STDOUT_FILENO), p[2];
	struct stat st;

	ck_assert_int_eq(dtree_reserve(&t, 0x40200000, &e), 0);
	ck_assert_int_eq(pipe(p), 0);
	(void)snprintf(stream, sizeof(stream), "/dev/fd/%d", p[1]);
	ck_assert_int_eq(dtree_dump(&t, stream, &e), 0);
	ck_assert_int_eq(read(p[0], stream, sizeof(stream)), (ssize_t)sizeof(stream));
	ck_assert_mem_eq(stream, t.blob, sizeof(stream));
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	ck_assert_int_eq(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(dtree_dump(&t, "/dev/stdout", &e), 0);
	ck_assert_int_eq(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, (off_t)dtree_len(&t));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_uint_eq(st.st_nlink, 1);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(the_copy_is_whole_and_the_owners)
{
	char path[] = "/tmp/test_dtree.XXXXXX";
	uint8_t bytes[4096];
	struct stat st;
	int fd = mkstemp(path);

	unlink(path);
	close(fd);
	ck_assert_int_eq(dtree_reserve(&t, 0x40200000, &e), 0);
	ck_assert_int_eq(dtree_dump(&t, path, &e), 0);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read_full(fd, bytes, sizeof(bytes)), (long)dtree_len(&t));
	ck_assert_mem_eq(bytes, t.blob, dtree_len(&t));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 077, 0);
	close(fd);
	unlink(path);
	ck_assert_int_eq(dtree_dump(&t, "/nonexistent/dtb", &e), -ENOENT);
	ck_says(e, "--dump-dtb /nonexistent/dtb");
	ck_assert_int_eq(dtree_dump(&t, "/dev/full", &e), -ENOSPC);
}
END_TEST

UNIT_MAIN("dtree", setup, teardown, tc)
{
	tcase_add_test(tc, cells_are_big_endian_and_as_many_as_asked_for);
	tcase_add_test(tc, a_tree_that_grows_too_long_is_told);
	tcase_add_test(tc, an_overlay_finds_its_node);
	tcase_add_loop_test(tc, an_overlay_that_does_not_apply_is_told, 0, 3);
	tcase_add_test(tc, what_is_no_overlay_is_refused);
	tcase_add_test(tc, a_damaged_overlay_does_no_harm);
	tcase_add_test(tc, a_huge_overlay_is_refused);
	tcase_add_test(tc, the_tree_keeps_its_own_memory);
	tcase_add_loop_test(tc, older_file_that_others_read_is_replaced, 0, 2);
	tcase_add_test(tc, what_is_no_file_of_its_own_stays);
	tcase_add_test(tc, the_copy_is_whole_and_the_owners);
}

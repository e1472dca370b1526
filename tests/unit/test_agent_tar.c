/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_tar - tars as they should be, and as their writer means harm */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "guest-images/agent/tar.h"
#include "tests/lib/files.h"
#include "tests/lib/unit.h"

static char top[] = "/tmp/test_agent_tar.XXXXXX", dir[64], why[AGENT_SENTENCE + 1];
static uint8_t *tar;
static size_t len, room = 4U << 20;

static void setup(void)
{
	strcpy(top, "/tmp/test_agent_tar.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	(void)snprintf(dir, sizeof(dir), "%s/root", top);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	tar = calloc(1, room);
	len = 0;
	why[0] = '\0';
}

static void teardown(void)
{
	files_remove(top);
	free(tar);
}

/* The header at @h with its sum */
static void sum(uint8_t *h)
{
	unsigned int s = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < TAR_BLOCK; i++)
		s += h[i];
	(void)snprintf((char *)h + 148, 8, "%06o", s);
}

static uint8_t *put(const char *name, char type, const char *link, const void *data,
		    size_t size)
{
	uint8_t *h = tar + len;

	ck_assert_uint_lt(len + size + 4 * TAR_BLOCK, room);
	memcpy(h, name, strnlen(name, 100));
	(void)snprintf((char *)h + 100, 8, "%07o", type == '5' ? 0755 : 0640);
	(void)snprintf((char *)h + 108, 8, "%07o", getuid() & 07777777);
	(void)snprintf((char *)h + 116, 8, "%07o", getgid() & 07777777);
	(void)snprintf((char *)h + 124, 12, "%011zo", size);
	(void)snprintf((char *)h + 136, 12, "%011o", 1000000000);
	h[156] = (uint8_t)type;
	memcpy(h + 157, link, strnlen(link, 100));
	memcpy(h + 257, "ustar\00000", 8);
	sum(h);
	memcpy(h + TAR_BLOCK, data, size);
	len += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	return h;
}

static void put_file(const char *name, const char *text)
{
	(void)put(name, '0', "", text, strlen(text));
}

static bool unpack_as_it_is(void)
{
	int fd = memfd_create("tar", MFD_CLOEXEC),
	    root = open(dir, O_DIRECTORY | O_RDONLY);
	bool ok;

	ck_assert_int_eq(write(fd, tar, len), (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ok = tar_unpack(fd, len, root, why);
	ck_assert(ok || *why);
	close(fd);
	close(root);
	return ok;
}

static bool unpack(void)
{
	len += 2 * TAR_BLOCK;
	return unpack_as_it_is();
}

static const char *path_of(const char *name)
{
	static char path[8192];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void holds(const char *name, const char *text)
{
	char got[256] = "";
	int fd = open(path_of(name), O_RDONLY);

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(read(fd, got, sizeof(got) - 1), (ssize_t)strlen(text));
	ck_assert_str_eq(got, text);
	close(fd);
}

/* Beside the root there is nothing, and nothing of it has changed */
static void nothing_outside(void)
{
	DIR *d = opendir(top);
	const struct dirent *x;

	ck_assert_ptr_nonnull(d);
	while ((x = readdir(d)))
		ck_assert_msg(x->d_name[0] == '.' || !strcmp(x->d_name, "root"), "%s",
			      x->d_name);
	closedir(d);
}

static struct stat of(const char *name)
{
	struct stat st;

	ck_assert_msg(lstat(path_of(name), &st) == 0, "%s: %s", name, strerror(errno));
	return st;
}

START_TEST(members_become_files)
{
	char to[16] = "";

	(void)put("./", '5', "", "", 0);
	(void)put("./etc/", '5', "", "", 0);
	put_file("./etc/motd", "hello");
	put_file("a/b/c", "made on the way");
	(void)put("link", '2', "etc/motd", "", 0);
	(void)put("hard", '1', "./etc/motd", "", 0);
	(void)put("pipe", '6', "", "", 0);
	put_file("empty", "");
	ck_assert_msg(unpack(), "%s", why);
	holds("etc/motd", "hello");
	holds("a/b/c", "made on the way");
	ck_assert_int_eq(of("etc/motd").st_mode, S_IFREG | 0640);
	ck_assert_int_eq(of("etc/motd").st_mtime, 1000000000);
	ck_assert_uint_eq(of("hard").st_ino, of("etc/motd").st_ino);
	ck_assert(S_ISFIFO(of("pipe").st_mode));
	ck_assert_int_eq(of("empty").st_size, 0);
	ck_assert_int_eq(readlink(path_of("link"), to, sizeof(to) - 1), 8);
	ck_assert_str_eq(to, "etc/motd");
}
END_TEST

START_TEST(a_name_with_two_dots_is_refused)
{
	const char *const names[] = {"../out", "a/../../out", "..",
				     "a/..",   "/../out",     "./../out"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		memset(tar, 0, len);
		len = 0;
		put_file(names[i], "x");
		ck_assert_msg(!unpack(), "%s", names[i]);
		ck_assert_ptr_nonnull(strstr(why, ".."));
	}
	nothing_outside();
}
END_TEST

START_TEST(an_absolute_name_counts_from_the_root)
{
	put_file("/abs", "in");
	put_file("//etc//passwd", "in as well");
	ck_assert_msg(unpack(), "%s", why);
	holds("abs", "in");
	holds("etc/passwd", "in as well");
}
END_TEST

/* Each link leads to @top, were it followed outside, and to a directory of that name inside */
START_TEST(files_through_a_link_stay_inside)
{
	char inside[80], far[80];

	(void)snprintf(inside, sizeof(inside), "%s/", top + 1);
	(void)snprintf(far, sizeof(far), "../../..%s", top);
	(void)put(inside, '5', "", "", 0);
	(void)put("out", '2', "..", "", 0);
	put_file("out/first", "1");
	(void)put("abs", '2', top, "", 0);
	put_file("abs/second", "2");
	(void)put("far", '2', far, "", 0);
	put_file("far/third", "3");
	(void)put("proc/self/", '5', "", "", 0);
	(void)put("proc/self/cwd/", '5', "", "", 0);
	(void)put("magic", '2', "/proc/self/cwd", "", 0);
	put_file("magic/fourth", "4");
	ck_assert_int_eq(chdir(top), 0);
	ck_assert_msg(unpack(), "%s", why);
	nothing_outside();
	holds("first", "1");
	holds("proc/self/cwd/fourth", "4");
	(void)snprintf(inside, sizeof(inside), "%s/second", top + 1);
	holds(inside, "2");
	(void)snprintf(inside, sizeof(inside), "%s/third", top + 1);
	holds(inside, "3");
}
END_TEST

START_TEST(a_link_in_the_place_of_a_file_is_replaced)
{
	char outside[80];
	int fd;

	(void)snprintf(outside, sizeof(outside), "%s/victim", top);
	fd = open(outside, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, "mine", 4), 4);
	close(fd);
	(void)put("f", '2', outside, "", 0);
	put_file("f", "theirs");
	(void)put("g", '2', "../victim", "", 0);
	(void)put("g", '1', "f", "", 0);
	ck_assert_msg(unpack(), "%s", why);
	holds("f", "theirs");
	ck_assert_uint_eq(of("g").st_ino, of("f").st_ino);
	holds("../victim", "mine");
}
END_TEST

START_TEST(a_hard_link_reaches_nothing_outside)
{
	char outside[80];

	(void)snprintf(outside, sizeof(outside), "%s/victim", top);
	close(open(outside, O_CREAT | O_WRONLY, 0600));
	(void)put("h", '1', outside, "", 0);
	ck_assert(!unpack());
	(void)memset(tar, 0, len);
	len = 0;
	(void)put("h", '1', "../victim", "", 0);
	ck_assert(!unpack());
	(void)memset(tar, 0, len);
	len = 0;
	(void)put("up", '2', "..", "", 0);
	(void)put("h", '1', "up/victim", "", 0);
	ck_assert(!unpack());
}
END_TEST

START_TEST(what_there_is_already_is_replaced_and_directories_stay)
{
	put_file("d/f", "1");
	put_file("d/f", "2");
	(void)put("d", '5', "", "", 0);
	(void)put("usr", '5', "", "", 0);
	(void)put("bin", '2', "usr", "", 0);
	(void)put("bin/", '5', "", "", 0);
	put_file("bin/sh", "3");
	put_file("x", "a file");
	(void)put("x", '5', "", "", 0);
	ck_assert_msg(unpack(), "%s", why);
	holds("d/f", "2");
	holds("usr/sh", "3");
	ck_assert(S_ISDIR(of("x").st_mode));
	memset(tar, 0, len);
	len = 0;
	put_file("d", "a file where a full directory is");
	ck_assert(!unpack());
}
END_TEST

START_TEST(device_nodes_need_a_guest)
{
	uint8_t *h = put("null", '3', "", "", 0);

	memcpy(h + 329, "0000001", 7);
	memcpy(h + 337, "0000003", 7);
	sum(h);
	put_file("after", "it");
	ck_assert_msg(unpack(), "%s", why);
	holds("after", "it");
}
END_TEST

START_TEST(long_names_of_gnu_and_of_pax)
{
	char name[1200], record[1300];
	int n;

	memset(name, 'n', 1100);
	for (size_t i = 50; i < 1100; i += 50)
		name[i] = '/';
	strcpy(name + 1100, "x");
	(void)put("././@LongLink", 'L', "", name, strlen(name) + 1);
	put_file("cut", "gnu");
	name[0] = 'p';
	n = snprintf(record, sizeof(record), "%zu path=%s\n", 11 + strlen(name), name);
	ck_assert_int_eq(n, (int)(11 + strlen(name)));
	(void)put("pax", 'x', "", record, (size_t)n);
	put_file("cut", "pax");
	(void)put("pax", 'x', "", "30 mtime=1234567890.123456789\n", 30);
	(void)put("pax", 'g', "", "14 path=global\n", 14);
	put_file("timed", "t");
	ck_assert_msg(unpack(), "%s", why);
	holds(name, "pax");
	name[0] = 'n';
	holds(name, "gnu");
	ck_assert_int_eq(of("timed").st_mtime, 1234567890);
}
END_TEST

START_TEST(a_ustar_name_has_a_prefix)
{
	uint8_t *h = put("file", '0', "", "x", 1);

	memcpy(h + 345, "dir/sub", 7);
	sum(h);
	ck_assert_msg(unpack(), "%s", why);
	holds("dir/sub/file", "x");
}
END_TEST

START_TEST(a_tar_that_is_cut_is_refused)
{
	uint8_t data[3000];

	memset(data, 'd', sizeof(data));
	(void)put("f", '0', "", data, sizeof(data));
	len = 2000;
	ck_assert(!unpack_as_it_is());
	ck_assert_ptr_nonnull(strstr(why, "cut"));
	len = TAR_BLOCK + 3072; /* all of the member, but not the mark of the end */
	ck_assert(!unpack_as_it_is());
	len = 100;
	ck_assert(!unpack_as_it_is());
	len = 0;
	ck_assert(!unpack_as_it_is());
}
END_TEST

START_TEST(what_is_no_tar_is_said_to_be_none)
{
	memset(tar, 'x', 2048);
	len = 2048;
	ck_assert(!unpack_as_it_is());
	ck_assert_ptr_nonnull(strstr(why, "no tar"));
	memcpy(tar, "\x1f\x8b\x08", 3);
	ck_assert(!unpack_as_it_is());
	ck_assert_ptr_nonnull(strstr(why, "gzip -dc"));
	memcpy(tar, "\x28\xb5\x2f\xfd", 4);
	ck_assert(!unpack_as_it_is());
	ck_assert_ptr_nonnull(strstr(why, "zstd -dc"));
	memcpy(tar,
	       "\xfd"
	       "7zXZ",
	       5);
	ck_assert(!unpack_as_it_is());
	ck_assert_ptr_nonnull(strstr(why, "xz -dc"));
}
END_TEST

START_TEST(sparse_files_are_refused)
{
	(void)put("s", 'S', "", "", 0);
	ck_assert(!unpack());
	ck_assert_ptr_nonnull(strstr(why, "sparse"));
	memset(tar, 0, len);
	len = 0;
	(void)put("pax", 'x', "", "22 GNU.sparse.major=1\n", 22);
	put_file("s", "x");
	ck_assert(!unpack());
	ck_assert_ptr_nonnull(strstr(why, "sparse"));
}
END_TEST

/* What a header promises costs nothing before it comes */
START_TEST(a_member_as_large_as_numbers_go_is_cut)
{
	uint8_t *h = put("bomb", '0', "", "", 0);

	memset(h + 124, 0xff, 12);
	h[124] = 0x80;
	sum(h);
	ck_assert(!unpack());
	h[124] = 0xff; /* a negative one is none */
	sum(h);
	memset(h + 124, '7', 12);
	sum(h);
	ck_assert(!unpack_as_it_is());
	memset(tar, 0, len);
	len = 0;
	h = put("pax", 'x', "", "", 0);
	memcpy(h + 124, "77777777777", 11);
	sum(h);
	ck_assert(!unpack());
}
END_TEST

START_TEST(a_file_that_cannot_be_written_ends_it_with_its_name)
{
	struct rlimit limit = {1024 * 1024, RLIM_INFINITY};
	static uint8_t data[3U << 20];
	int fd = memfd_create("tar", MFD_CLOEXEC),
	    root = open(dir, O_DIRECTORY | O_RDONLY);

	(void)put("big", '0', "", data, sizeof(data));
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(write(fd, tar, len), (ssize_t)len);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert(!tar_unpack(fd, len, root, why));
	ck_assert_ptr_nonnull(strstr(why, "big"));
	close(fd);
	close(root);
}
END_TEST

START_TEST(records_that_are_none_are_refused)
{
	const char *const wrong[] = {"5 a=b\n", "6 a=b",          "999999 a=b\n",
				     "0 a=b\n", "6 abc\n",        "x a=b\n",
				     "6a=bc\n", "12 path=a\0b\n", "15 size=twelve\n"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(tar, 0, len);
		len = 0;
		(void)put("pax", 'x', "", wrong[i], strlen(wrong[i]) + (i == 7 ? 3 : 0));
		put_file("f", "x");
		ck_assert_msg(!unpack(), "%s", wrong[i]);
	}
}
END_TEST

UNIT_MAIN("agent_tar", setup, teardown, t)
{
	tcase_add_test(t, members_become_files);
	tcase_add_test(t, a_name_with_two_dots_is_refused);
	tcase_add_test(t, an_absolute_name_counts_from_the_root);
	tcase_add_test(t, files_through_a_link_stay_inside);
	tcase_add_test(t, a_link_in_the_place_of_a_file_is_replaced);
	tcase_add_test(t, a_hard_link_reaches_nothing_outside);
	tcase_add_test(t, what_there_is_already_is_replaced_and_directories_stay);
	tcase_add_test(t, device_nodes_need_a_guest);
	tcase_add_test(t, long_names_of_gnu_and_of_pax);
	tcase_add_test(t, a_ustar_name_has_a_prefix);
	tcase_add_test(t, a_tar_that_is_cut_is_refused);
	tcase_add_test(t, what_is_no_tar_is_said_to_be_none);
	tcase_add_test(t, sparse_files_are_refused);
	tcase_add_test(t, a_member_as_large_as_numbers_go_is_cut);
	tcase_add_test(t, a_file_that_cannot_be_written_ends_it_with_its_name);
	tcase_add_test(t, records_that_are_none_are_refused);
}

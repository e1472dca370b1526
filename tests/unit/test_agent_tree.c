/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_tree - archives of files as they should be, and as their writer means harm */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"
#include "tests/lib/files.h"
#include "tests/lib/unit.h"

#define TIME 1000000007

static char top[64], src[80], dst[80], why[AGENT_SENTENCE + 1];
static struct tree_writer w;
static struct tree_reader r;
static int file, dir;

static void setup(void)
{
	(void)snprintf(top, sizeof(top), "/tmp/test_agent_tree.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	(void)snprintf(src, sizeof(src), "%s/src", top);
	(void)snprintf(dst, sizeof(dst), "%s/dst", top);
	ck_assert(!mkdir(src, 0755) && !mkdir(dst, 0755));
	file = memfd_create("archive", 0);
	dir = open(dst, O_RDONLY | O_DIRECTORY);
	ck_assert(file >= 0 && dir >= 0);
	w = (struct tree_writer){.fd = file};
	why[0] = '\0';
	umask(022);
}

static void teardown(void)
{
	close(file);
	close(dir);
	files_remove(top);
}

/* In @src */
static const char *at(const char *name)
{
	static char path[4][4200];
	static unsigned int i;

	(void)snprintf(path[++i % 4], sizeof(path[0]), "%s/%s", src, name);
	return path[i % 4];
}

static const char *to(const char *name)
{
	static char path[4][4200];
	static unsigned int i;

	(void)snprintf(path[++i % 4], sizeof(path[0]), "%s/%s", dst, name);
	return path[i % 4];
}

/* ---- records by hand ---- */

static void rec(enum tree_type type, const char *name, const char *target, uint32_t mode)
{
	struct tree_head h = {.type = (uint8_t)type,
			      .name = (uint16_t)strlen(name),
			      .target = (uint16_t)strlen(target),
			      .mode = mode,
			      .s = TIME};

	ck_assert(write(file, &h, sizeof(h)) == (ssize_t)sizeof(h) &&
		  write(file, name, h.name) == h.name &&
		  write(file, target, h.target) == h.target);
}

static void chunk(uint64_t len, const char *bytes)
{
	ck_assert_int_eq(write(file, &len, sizeof(len)), (ssize_t)sizeof(len));
	if (bytes)
		ck_assert_int_eq(write(file, bytes, len), (ssize_t)len);
}

static void file_of(const char *name, const char *text)
{
	rec(TREE_FILE, name, "", 0644);
	if (*text)
		chunk(strlen(text), text);
	chunk(0, NULL);
}

static void rewound(void)
{
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	r = (struct tree_reader){.fd = file, .left = UINT64_MAX};
}

/* The first tree, as @name */
static bool unpacked(const char *name, mode_t mask)
{
	rewound();
	ck_assert_int_eq(tree_next(&r), 1);
	return tree_unpack(&r, dir, name, mask, why);
}

static void there_and_back(const char *name, const char *as, mode_t mask)
{
	ck_assert_msg(tree_pack(&w, name, "/dst", why), "%s", why);
	ck_assert_int_eq(tree_end(&w), 0);
	ck_assert_msg(unpacked(as, mask), "%s", why);
	ck_assert_str_eq(r.name, "");
	ck_assert_int_eq(tree_next(&r), 0);
}

START_TEST(all_kinds_arrive)
{
	struct timespec times[2] = {{.tv_sec = TIME, .tv_nsec = 5},
				    {.tv_sec = TIME, .tv_nsec = 5}};
	struct stat st;
	char link[64];

	ck_assert_int_eq(mkdir(at("d"), 0700), 0);
	file_put(at("d/\377\n\t x"), "bytes", 0751);
	file_put(at("d/empty"), "", 0400);
	ck_assert_int_eq(symlink("/etc/passwd", at("d/link")), 0);
	ck_assert_int_eq(mkfifo(at("d/fifo"), 0600), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, at("d/empty"), times, 0), 0);
	ck_assert_int_eq(chmod(at("d"), 0550), 0);
	there_and_back(src, "new", 0);
	ck_assert(file_has(to("new/d/\377\n\t x"), "bytes") &&
		  file_has(to("new/d/empty"), ""));
	ck_assert(!stat(to("new/d/\377\n\t x"), &st) && (st.st_mode & 07777) == 0751);
	ck_assert(!stat(to("new/d/empty"), &st) && (st.st_mode & 07777) == 0400);
	ck_assert(st.st_mtim.tv_sec == TIME && st.st_mtim.tv_nsec == 5);
	ck_assert(!stat(to("new/d"), &st) && (st.st_mode & 07777) == 0550);
	ck_assert_int_eq(readlink(to("new/d/link"), link, sizeof(link)), 11);
	ck_assert_int_lt(lstat(to("new/d/fifo"), &st), 0);
	ck_assert(!chmod(to("new/d"), 0700) && !chmod(at("d"), 0700));
}
END_TEST

START_TEST(file_alone_and_by_a_link)
{
	struct stat st;

	file_put(at("file"), "text", 06755);
	ck_assert_int_eq(symlink("file", at("link")), 0);
	there_and_back(at("link"), "x", 022);
	ck_assert(file_has(to("x"), "text"));
	ck_assert(!lstat(to("x"), &st) && (st.st_mode & 07777) == 0755);
}
END_TEST

/* The library's, for all that this program runs: a file system may know of no holes */
static bool no_holes;

off_t lseek(int fd, off_t to, int how)
{
	if (no_holes && (how == SEEK_DATA || how == SEEK_HOLE)) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_lseek, fd, to, how);
}

START_TEST(large_and_sparse_ones_stay_so)
{
	static char big[300000], back[300000];
	const off_t hole = 1 << 22;
	struct stat st;
	int fd = open(at("f"), O_WRONLY | O_CREAT, 0600);

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 % 251);
	ck_assert_int_eq(pwrite(fd, big, sizeof(big), hole), sizeof(big));
	ck_assert_int_eq(ftruncate(fd, 4 * hole), 0);
	close(fd);
	there_and_back(at("f"), "f", 0);
	ck_assert(!stat(to("f"), &st) && st.st_size == 4 * hole);
	ck_assert_int_lt(st.st_blocks, 4096);
	fd = open(to("f"), O_RDONLY);
	ck_assert_int_eq(pread(fd, back, sizeof(back), hole), sizeof(back));
	ck_assert(memcmp(big, back, sizeof(big)) == 0);
	ck_assert_int_eq(pread(fd, back, 1, hole - 1), 1);
	ck_assert_int_eq(back[0], 0);
	close(fd);
}
END_TEST

START_TEST(holes_that_nobody_knows_of_are_zeroes)
{
	char back[4096];
	int fd = open(at("f"), O_RDWR | O_CREAT, 0600);
	bool ok;

	ck_assert(pwrite(fd, "here", 4, 1 << 20) == 4 && !ftruncate(fd, 1 << 21));
	close(fd);
	no_holes = true;
	ok = tree_pack(&w, at("f"), "", why) && !tree_end(&w);
	no_holes = false;
	ck_assert_msg(ok, "%s", why);
	ck_assert(unpacked("f", 022));
	fd = open(to("f"), O_RDONLY);
	ck_assert_int_eq(pread(fd, back, sizeof(back), 1 << 20), sizeof(back));
	ck_assert_int_eq(memcmp(back, "here", 5), 0);
	close(fd);
}
END_TEST

START_TEST(into_what_is_there)
{
	struct stat st;

	ck_assert(!mkdir(at("d"), 0755) && !mkdir(to("d"), 0711));
	file_put(at("d/same"), "new", 0644);
	file_put(to("d/same"), "old", 0600);
	file_put(to("d/other"), "stays", 0600);
	file_put(to("outside"), "stays", 0600);
	ck_assert_int_eq(symlink("x", at("d/ln")), 0);
	ck_assert_int_eq(symlink("../outside", to("d/ln")), 0);
	there_and_back(src, "", 0);
	ck_assert(file_has(to("d/same"), "new") && file_has(to("d/other"), "stays"));
	ck_assert(!stat(to("d"), &st) && (st.st_mode & 07777) == 0711);
	ck_assert(file_has(to("outside"), "stays"));
}
END_TEST

START_TEST(names_are_read_as_people_mean_them)
{
	static const struct {
		const char *path, *name;
	} rows[] = {{"a", "a"},  {"/x/a", "a"}, {"./a//", "a"}, {"/", ""},
		    {"a/.", ""}, {"..", ""},    {".", ""},      {"x/...", "..."}};
	char name[TREE_NAME];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tree_base(rows[i].path, name);
		ck_assert_str_eq(name, rows[i].name);
	}
}
END_TEST

START_TEST(what_cannot_be_packed_is_said)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert(!tree_pack(&w, at("none"), "", why));
	ck_assert_ptr_nonnull(strstr(why, "No such file"));
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("sock"));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	ck_assert(!tree_pack(&w, at("sock"), "", why));
	ck_assert(!tree_pack(&w, "/dev/null", "", why));
	ck_assert_ptr_nonnull(strstr(why, "neither a file nor a directory"));
	ck_assert(!w.error);
	file_put(at("f"), "f", 0600);
	ck_assert(tree_pack(&w, at("f"), "", why));
	ck_assert_int_eq(tree_end(&w), 0);
	/* each has its own end in the archive */
	rewound();
	for (int i = 0; i < 3; i++)
		ck_assert(tree_next(&r) == 1 && !tree_unpack(&r, dir, "x", 0, why));
	ck_assert(tree_next(&r) == 1 && tree_unpack(&r, dir, "x", 0, why));
	ck_assert_int_eq(tree_next(&r), 0);
}
END_TEST

START_TEST(full_pipe_end_is_an_error)
{
	w.fd = open("/dev/full", O_WRONLY);
	file_put(at("f"), "f", 0600);
	ck_assert(tree_pack(&w, at("f"), "", why));
	ck_assert_int_eq(tree_end(&w), -ENOSPC);
	close(w.fd);
}
END_TEST

START_TEST(depth_has_an_end)
{
	char path[4000] = "";
	size_t n = 0;

	for (int i = 0; i < TREE_DEPTH; i++) {
		n += (size_t)snprintf(path + n, sizeof(path) - n, "d/");
		ck_assert_int_eq(mkdir(at(path), 0755), 0);
	}
	ck_assert(!tree_pack(&w, src, "", why));
	ck_assert_ptr_nonnull(strstr(why, "in one another"));
	ck_assert_int_eq(rmdir(at(path)), 0);
	w.n = 0;
	ck_assert(!ftruncate(file, 0) && !lseek(file, 0, SEEK_SET));
	there_and_back(src, "new", 0);
}
END_TEST

/* ---- harm ---- */

/* Of 64 KiB that it may take: how many entries, or bytes, or holes with a byte, are there in the end? */
static void filled(uint64_t bytes, uint64_t holes, bool full)
{
	rec(TREE_BEGIN, "f", "", 0);
	rec(TREE_FILE, "", "", 0644);
	for (uint64_t i = 0; i < holes; i++) {
		chunk(TREE_HOLE | 4095, NULL);
		chunk(1, "x");
	}
	for (uint64_t i = 0; i < bytes; i += 1024) {
		static const char zeroes[1024];

		chunk(sizeof(zeroes), zeroes);
	}
	chunk(TREE_HOLE | UINT64_C(1) << 40, NULL);
	chunk(0, NULL);
	rec(TREE_DONE, "", "", 0);
	rec(TREE_END, "", "", 0);
	rewound();
	r.most = 65536;
	ck_assert_int_eq(tree_next(&r), 1);
	ck_assert_int_eq(tree_unpack(&r, dir, "f", 0, why), !full);
	ck_assert_int_eq(r.full, full);
	ck_assert(!full || strstr(why, "takes more than 0 MiB"));
	ck_assert_int_eq(tree_next(&r), full ? -1 : 0);
	ck_assert(!ftruncate(file, 0) && !lseek(file, 0, SEEK_SET));
}

/* A hole as long as a disk takes nothing, many holes take what is between them */
START_TEST(files_take_more_than_they_may)
{
	filled(40960, 0, false);
	filled(41984, 0, true);
	filled(0, 4, false);
	filled(0, 5, true);
}
END_TEST

START_TEST(empty_files_take_every_inode)
{
	char name[2] = "a";
	int n = 0;

	rec(TREE_BEGIN, "d", "", 0);
	rec(TREE_DIR, "", "", 0755);
	for (; *name < 'k'; ++*name)
		if (*name & 1)
			file_of(name, "");
		else
			rec(TREE_LINK, name, "/", 0);
	rewound();
	r.most = UINT64_C(4) * TREE_ENTRY;
	ck_assert_int_eq(tree_next(&r), 1);
	ck_assert(!tree_unpack(&r, dir, "d", 0, why));
	ck_assert(r.full);
	for (*name = 'a'; *name < 'k'; ++*name) {
		char path[4] = {'d', '/', *name, '\0'};
		struct stat st;

		n += lstat(to(path), &st) == 0;
	}
	ck_assert_int_eq(n, 3);
}
END_TEST

/* A broken archive: nothing comes of what follows, and nothing but directories was made */
static void broken(void)
{
	rec(TREE_DONE, "", "", 0);
	rec(TREE_END, "", "", 0);
	rewound();
	ck_assert_int_eq(tree_next(&r), 1);
	ck_assert(!tree_unpack(&r, dir, "x", 0, why));
	ck_assert_int_eq(tree_next(&r), -1);
}

static void begin(void)
{
	ck_assert(!ftruncate(file, 0) && !lseek(file, 0, SEEK_SET));
	rec(TREE_BEGIN, "", "", 0);
}

/* None leads out of @top, whatever comes of it */
START_TEST(names_that_lead_out_are_none)
{
	const char *const names[] = {"..", ".", "", at("../x"), "../x", "../../x", "d/x"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		begin();
		rec(TREE_DIR, "", "", 0755);
		file_of(names[i], "harm");
		rec(TREE_UP, "", "", 0);
		broken();
		begin();
		rec(TREE_DIR, "", "", 0755);
		rec(TREE_DIR, names[i], "", 0755);
		rec(TREE_UP, "", "", 0);
		rec(TREE_UP, "", "", 0);
		broken();
	}
	ck_assert_int_lt(access(at("../x"), F_OK), 0);
}
END_TEST

START_TEST(link_and_then_below_it)
{
	begin();
	rec(TREE_DIR, "", "", 0755);
	rec(TREE_LINK, "l", top, 0);
	rec(TREE_DIR, "l", "", 0755);
	file_of("x", "harm");
	rec(TREE_UP, "", "", 0);
	file_of("after", "dropped");
	rec(TREE_UP, "", "", 0);
	rec(TREE_DONE, "", "", 0);
	ck_assert(!unpacked("x", 0));
	ck_assert_int_lt(access(at("../x"), F_OK), 0);
	ck_assert_int_lt(access(to("x/after"), F_OK), 0);
	ck_assert(!r.broken);
	/* a file takes a link's place, and does not go through it */
	begin();
	rec(TREE_DIR, "", "", 0755);
	file_put(at("kept"), "kept", 0600);
	rec(TREE_LINK, "k", at("kept"), 0);
	file_of("k", "harm");
	rec(TREE_UP, "", "", 0);
	rec(TREE_DONE, "", "", 0);
	ck_assert_msg(unpacked("y", 0), "%s", why);
	ck_assert(file_has(at("kept"), "kept") && file_has(to("y/k"), "harm"));
}
END_TEST

START_TEST(outermost_is_no_link)
{
	begin();
	rec(TREE_LINK, "", "/etc/passwd", 0);
	broken();
	ck_assert_int_lt(faccessat(dir, "x", F_OK, AT_SYMLINK_NOFOLLOW), 0);
}
END_TEST

START_TEST(modes_are_nothing_but_permissions)
{
	struct stat st;

	begin();
	rec(TREE_DIR, "", "", 07777);
	rec(TREE_FILE, "f", "", S_IFCHR | 07777);
	chunk(0, NULL);
	rec(TREE_UP, "", "", 0);
	rec(TREE_DONE, "", "", 0);
	ck_assert(unpacked("x", 022));
	ck_assert(!stat(to("x"), &st) && st.st_mode == (S_IFDIR | 0755));
	ck_assert(!stat(to("x/f"), &st) && st.st_mode == (S_IFREG | 0755));
}
END_TEST

/* Else an ordinary user could not take it away again */
START_TEST(directory_can_be_read_by_who_has_it)
{
	struct stat st;

	begin();
	rec(TREE_DIR, "", "", 0);
	rec(TREE_UP, "", "", 0);
	rec(TREE_DONE, "", "", 0);
	ck_assert(unpacked("x", 0777));
	ck_assert(!stat(to("x"), &st) && st.st_mode == (S_IFDIR | 0400));
}
END_TEST

START_TEST(order_is_kept)
{
	static const enum tree_type types[] = {TREE_UP, TREE_DONE,  TREE_END, TREE_BEGIN,
					       0,       TREE_TYPES, 255};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		begin();
		rec(types[i], "", "", 0);
		broken();
	}
	/* two outermost ones; deeper than it may be */
	begin();
	file_of("", "one");
	file_of("", "two");
	broken();
	begin();
	rec(TREE_DIR, "", "", 0755);
	for (int i = 0; i < 1000; i++)
		rec(TREE_DIR, "d", "", 0755);
	broken();
}
END_TEST

START_TEST(lengths_that_no_file_has)
{
	begin();
	rec(TREE_FILE, "", "", 0600);
	chunk(INT64_MAX | TREE_HOLE, NULL);
	chunk(INT64_MAX | TREE_HOLE, NULL);
	broken();
	begin();
	rec(TREE_FILE, "", "", 0600);
	chunk(INT64_MAX, NULL);
	broken();
}
END_TEST

START_TEST(every_cut_is_noticed)
{
	static char all[4096];
	ssize_t n;

	ck_assert_int_eq(mkdir(at("d"), 0755), 0);
	file_put(at("d/f"), "text", 0644);
	ck_assert_int_eq(symlink("f", at("d/l")), 0);
	ck_assert(tree_pack(&w, src, "/dst", why) && tree_end(&w) == 0);
	n = pread(file, all, sizeof(all), 0);
	ck_assert(n > 0 && n < (ssize_t)sizeof(all));
	for (ssize_t i = 0; i < n; i++) {
		ck_assert_int_eq(ftruncate(file, i), 0);
		rewound();
		if (tree_next(&r) == 1 && tree_unpack(&r, dir, "x", 0, why))
			ck_assert_int_eq(tree_next(&r), -1);
		else
			ck_assert(r.broken);
	}
}
END_TEST

START_TEST(sentence_of_the_other_side_is_printable)
{
	begin();
	rec(TREE_ERROR, "", "a\033[2J\n\377b", 0);
	ck_assert(!unpacked("x", 0));
	ck_assert_str_eq(why, "a?[2J??b");
	ck_assert(!r.broken);
	begin();
	rec(TREE_ERROR, "", "", 0);
	broken();
	ck_assert_str_ne(why, "");
}
END_TEST

UNIT_MAIN("agent_tree", setup, teardown, t)
{
	tcase_add_test(t, all_kinds_arrive);
	tcase_add_test(t, file_alone_and_by_a_link);
	tcase_add_test(t, large_and_sparse_ones_stay_so);
	tcase_add_test(t, holes_that_nobody_knows_of_are_zeroes);
	tcase_add_test(t, into_what_is_there);
	tcase_add_test(t, names_are_read_as_people_mean_them);
	tcase_add_test(t, what_cannot_be_packed_is_said);
	tcase_add_test(t, full_pipe_end_is_an_error);
	tcase_add_test(t, depth_has_an_end);
	tcase_add_test(t, names_that_lead_out_are_none);
	tcase_add_test(t, link_and_then_below_it);
	tcase_add_test(t, outermost_is_no_link);
	tcase_add_test(t, modes_are_nothing_but_permissions);
	tcase_add_test(t, directory_can_be_read_by_who_has_it);
	tcase_add_test(t, order_is_kept);
	tcase_add_test(t, lengths_that_no_file_has);
	tcase_add_test(t, every_cut_is_noticed);
	tcase_add_test(t, sentence_of_the_other_side_is_printable);
	tcase_add_test(t, files_take_more_than_they_may);
	tcase_add_test(t, empty_files_take_every_inode);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* what --copy-in packs, and what the copier makes of an archive, in its own process */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"
#include "tests/lib/files.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/jail/broker_lock.h"
#include "vmm/jail/filter.h"
#include "vmm/job/job_copy.h"

static char dir[64], said[AGENT_SENTENCE + 1];
static struct job_copies c;
static struct job_copier p;
static struct tree_writer w;
static struct err e;

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_job_copy.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(&c, 0, sizeof(c));
	p = (struct job_copier){.files = -1, .answer = -1};
	e = (struct err){0};
	umask(022);
}

static char *dsts[JOB_COPIES_MAX]; /* as an option has it, it is a part of src */

static void teardown(void)
{
	job_copier_close(&p);
	files_remove(dir);
	for (unsigned int i = 0; i < c.n; i++) {
		free(c.copy[i].src);
		free(dsts[i]);
	}
}

static const char *at(const char *name)
{
	static char path[4][512];
	static unsigned int i;

	(void)snprintf(path[++i % 4], sizeof(path[0]), "%s/%s", dir, name);
	return path[i % 4];
}

static void copies(const char *src, const char *dst)
{
	c.copy[c.n].src = strdup(src);
	c.copy[c.n].dst = dsts[c.n] = strdup(dst);
	c.n++;
}

/* Of @dir, whatever its name: how many? */
static unsigned int left_behind(void)
{
	char command[128];
	FILE *f;
	unsigned int n = 99;

	(void)snprintf(command, sizeof(command), "find %s -name '.microvm-copy*' | wc -l",
		       dir);
	f = popen(command, "r");
	ck_assert_int_eq(fscanf(f, "%u", &n), 1);
	(void)pclose(f);
	return n;
}

/* ---- in ---- */

START_TEST(what_goes_in_is_one_archive_of_whole_blocks)
{
	static struct tree_reader r;
	struct job_file f = {.fd = -1};
	struct stat st;
	uint64_t size;
	int to;

	ck_assert(!mkdir(at("d"), 0755) && !mkdir(at("to"), 0755));
	file_put(at("d/f"), "in", 0644);
	file_put(at("empty"), "", 0644);
	copies(at("d"), "/x");
	copies(at("empty"), "/y/");
	ck_assert_msg(job_copy_in(&c, &f, &size, &e) == 0, "%s", e.msg);
	ck_assert(!fstat(f.fd, &st) && st.st_size % 512 == 0 && st.st_nlink == 0);
	ck_assert_uint_le(size, (uint64_t)st.st_size);
	r = (struct tree_reader){.fd = open(f.path, O_RDONLY), .left = size};
	to = open(at("to"), O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(tree_next(&r), 1);
	ck_assert(!strcmp(r.name, "d") && !strcmp(r.target, "/x"));
	ck_assert(tree_unpack(&r, to, "x", 0, said));
	ck_assert_int_eq(tree_next(&r), 1);
	ck_assert_str_eq(r.target, "/y/");
	ck_assert(tree_unpack(&r, to, "y", 0, said));
	ck_assert_int_eq(tree_next(&r), 0);
	ck_assert(file_has(at("to/x/f"), "in") && file_has(at("to/y"), ""));
	close(to);
	close(r.fd);
	job_file_close(&f);
}
END_TEST

START_TEST(what_cannot_go_in_has_a_sentence)
{
	struct job_file f = {.fd = -1};
	uint64_t size;

	copies(at("none"), "/x");
	ck_assert_int_lt(job_copy_in(&c, &f, &size, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "No such file"));
	ck_assert_ptr_nonnull(strstr(e.msg, "check the path"));
	job_file_close(&f);
	ck_assert_int_eq(setenv("TMPDIR", "/nonexistent", 1), 0);
	ck_assert_int_lt(job_copy_in(&c, &f, &size, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "set TMPDIR"));
	ck_assert_int_eq(unsetenv("TMPDIR"), 0);
}
END_TEST

START_TEST(scratch_is_a_sparse_file_system)
{
	struct job_file f = {.fd = -1};
	uint8_t magic[2];
	struct stat st;

	ck_assert_msg(job_scratch_make(&f, UINT64_C(4) << 30, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(pread(f.fd, magic, 2, 1080), 2);
	ck_assert(magic[0] == 0x53 && magic[1] == 0xef);
	ck_assert(!fstat(f.fd, &st) && st.st_nlink == 0 &&
		  st.st_size == INT64_C(4) << 30);
	ck_assert_int_lt(st.st_blocks, 64 * 2048);
	job_file_close(&f);
	ck_assert_msg(job_scratch_make(&f, JOB_SIZE_MIN, &e) == 0, "%s", e.msg);
	job_file_close(&f);
	ck_assert_int_eq(setenv("TMPDIR", "/nonexistent", 1), 0);
	ck_assert_int_lt(job_scratch_make(&f, JOB_SIZE_MIN, &e), 0);
	ck_assert_int_eq(unsetenv("TMPDIR"), 0);
}
END_TEST

START_TEST(mkfs_has_nothing_of_the_jobs)
{
	struct job_file f = {.fd = -1};

	file_put(at("mkfs.ext4"), "#!/bin/sh\necho said; cat\n", 0755);
	file_put(at("in"), "in", 0644);
	ck_assert(!setenv("PATH", dir, 1));
	ck_assert_int_eq(dup2(open(at("in"), O_RDONLY), 0), 0);
	ck_assert_int_eq(dup2(open(at("out"), O_WRONLY | O_CREAT, 0644), 1), 1);
	ck_assert_msg(job_scratch_make(&f, JOB_SIZE_MIN, &e) == 0, "%s", e.msg);
	ck_assert(file_has(at("out"), ""));
	job_file_close(&f);
}
END_TEST

START_TEST(mkfs_that_fails_is_quoted_and_hears_signals)
{
	struct job_file f = {.fd = -1};
	sigset_t held;

	file_put(at("mkfs.ext4"), "#!/bin/sh\necho no luck >&2; exit 3\n", 0755);
	ck_assert(!setenv("PATH", dir, 1));
	ck_assert_int_lt(job_scratch_make(&f, JOB_SIZE_MIN, &e), 0);
	ck_assert_msg(strstr(e.msg, "no luck; set TMPDIR") != NULL, "%s", e.msg);
	job_file_close(&f);
	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &held, NULL), 0);
	file_put(at("mkfs.ext4"), "#!/bin/sh\nkill -TERM $$\n", 0755);
	ck_assert_int_lt(job_scratch_make(&f, JOB_SIZE_MIN, &e), 0);
	ck_assert_msg(strstr(e.msg, "status 143") != NULL, "%s", e.msg);
	job_file_close(&f);
}
END_TEST

/* ---- where what comes out goes ---- */

static void refused(const char *src, const char *dst, const char *sentence)
{
	setup();
	file_put(at("file"), "x", 0644);
	ck_assert(!mkdir(at("d"), 0755) && !mkdir(at("d/name"), 0755));
	copies(src, at(dst));
	ck_assert_int_lt(job_copier_plan(&p, &c, 0, &e), 0);
	ck_assert_msg(strstr(e.msg, sentence) != NULL, "%s", e.msg);
	teardown();
}

START_TEST(wrong_places_are_refused_before_the_start)
{
	teardown();
	refused("/a", "none/x", "mkdir -p");
	refused("/a", "file/x", "Not a directory");
	refused("/a/name", "d", "move it away");
	refused("/a/.", "d", "no name");
	setup();
	ck_assert_int_eq(mkdir(at("d"), 0755), 0);
	copies("/a", at("d/x"));
	copies("/x", at("d"));
	ck_assert_int_lt(job_copier_plan(&p, &c, 0, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "two would become"));
}
END_TEST

/* ---- the copier ---- */

static int lock(void *ctx, const struct landlock_rule *rule, unsigned int n,
		struct err *err)
{
	(void)ctx;
	return copier_lock(JAIL_AUTO, rule, n, err);
}

static void begin_with(uint64_t most)
{
	/* a sanitizer calls what the filter does not allow */
	job_copier_lock *with = MICROVM_JAIL == JAIL_OFF ? NULL : lock;

	ck_assert_msg(job_copier_plan(&p, &c, most, &e) == 0, "%s", e.msg);
	ck_assert_msg(job_copier_start(&p, with, NULL, &e) == 0, "%s", e.msg);
	w = (struct tree_writer){.fd = p.files};
}

static void begin(void)
{
	begin_with(0);
}

static const char *answer(void)
{
	size_t n = 0;

	do
		ck_assert_int_eq(read_full(p.answer, said + n, 1), 1);
	while (said[n++]);
	return said;
}

static void finished(void)
{
	ck_assert_int_eq(tree_end(&w), 0);
	(void)answer();
	ck_assert_uint_eq(left_behind(), 0);
}

START_TEST(all_comes_out_and_replaces_what_was_there)
{
	char why[AGENT_SENTENCE + 1];
	struct stat st;

	ck_assert(!mkdir(at("src"), 0750) && !mkdir(at("src/sub"), 0555) &&
		  !mkdir(at("in"), 0755));
	file_put(at("src/f"), "tree", 0644);
	file_put(at("one"), "new", 0644);
	file_put(at("old"), "old", 0644);
	ck_assert(!chmod(at("one"), 0666) && !symlink("/etc/passwd", at("src/link")));
	copies("/a/src", at("in"));
	copies("/a/one", at("old"));
	begin();
	ck_assert(tree_pack(&w, at("src"), "", why) && tree_pack(&w, at("one"), "", why));
	finished();
	ck_assert_str_eq(said, "");
	ck_assert(file_has(at("in/src/f"), "tree") && file_has(at("old"), "new"));
	ck_assert(!lstat(at("in/src/link"), &st) && S_ISLNK(st.st_mode));
	ck_assert(!stat(at("in/src"), &st) && (st.st_mode & 07777) == 0750);
	ck_assert(!stat(at("in/src/sub"), &st) && (st.st_mode & 07777) == 0555);
	ck_assert(!stat(at("old"), &st) && (st.st_mode & 07777) == 0644);
}
END_TEST

START_TEST(file_that_ends_in_a_hole_keeps_its_length)
{
	char why[AGENT_SENTENCE + 1];
	struct stat st;

	file_put(at("one"), "one", 0644);
	ck_assert_int_eq(truncate(at("one"), 4 << 20), 0);
	copies("/one", at("x"));
	begin();
	ck_assert(tree_pack(&w, at("one"), "", why));
	finished();
	ck_assert_str_eq(said, "");
	ck_assert(!stat(at("x"), &st) && st.st_size == 4 << 20);
}
END_TEST

/* A directory that its mode has closed is among what goes again. Blocks of the file system may be
 * large, and so is what opendir() takes of the memory then
 */
START_TEST(tree_that_fails_leaves_nothing_and_the_next_one_comes)
{
	char why[AGENT_SENTENCE + 1];

	/* opendir() gets memory from the kernel; a sanitizer's malloc() has no such options */
	(void)mallopt(M_TOP_PAD, 0);
	if (_i)
		(void)mallopt(M_MMAP_THRESHOLD, 4096);
	(void)malloc_trim(0);
	ck_assert(!mkdir(at("src"), 0755) && !mkdir(at("src/a"), 0755));
	file_put(at("src/a/f"), "x", 0644);
	ck_assert_int_eq(chmod(at("src/a"), 0500), 0);
	file_put(at("one"), "one", 0644);
	copies("/src", at("x"));
	copies("/none", at("y"));
	copies("/one", at("z"));
	begin();
	/* it becomes a file meanwhile, and no directory can take its place */
	file_put(at("x"), "file", 0644);
	ck_assert(tree_pack(&w, at("src"), "", why));
	ck_assert(!tree_pack(&w, at("none"), "", why));
	ck_assert(tree_pack(&w, at("one"), "", why));
	finished();
	ck_assert_msg(strstr(said, "/src") && strstr(said, "move that away") &&
			      strstr(said, "; /none: "),
		      "%s", said);
	ck_assert(file_has(at("x"), "file") && file_has(at("z"), "one"));
	ck_assert_int_lt(access(at("y"), F_OK), 0);
}
END_TEST

/* What came before is in its place, what would come after is not read */
START_TEST(copy_out_fills_the_disk)
{
	static char bytes[1 << 20];
	char why[AGENT_SENTENCE + 1];
	int fd = open(at("big"), O_WRONLY | O_CREAT, 0600);

	memset(bytes, 'x', sizeof(bytes));
	ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	file_put(at("one"), "one", 0644);
	copies("/one", at("x"));
	copies("/big", at("y"));
	copies("/one", at("z"));
	begin_with(sizeof(bytes));
	ck_assert(tree_pack(&w, at("one"), "", why));
	(void)tree_pack(&w, at("big"), "", why); /* nobody reads its end */
	(void)tree_pack(&w, at("one"), "", why);
	(void)tree_end(&w);
	(void)answer();
	ck_assert_uint_eq(left_behind(), 0);
	ck_assert_msg(
		strstr(said, "--copy-out /big:") &&
			strstr(said,
			       "takes more than 1 MiB; give more: --copy-out-limit"),
		"%s", said);
	ck_assert(file_has(at("x"), "one"));
	ck_assert(access(at("y"), F_OK) < 0 && access(at("z"), F_OK) < 0);
}
END_TEST

START_TEST(limit_is_more_than_the_disk)
{
	struct statvfs v;

	copies("/one", at("x"));
	ck_assert(job_copier_plan(&p, &c, 0, &e) == 0 && statvfs(dir, &v) == 0);
	ck_assert(p.most && p.most <= JOB_COPY_MOST);
	ck_assert(!v.f_blocks || p.most <= (uint64_t)v.f_blocks * v.f_frsize / 2);
	ck_assert(!v.f_files || p.most <= (uint64_t)v.f_files / 2 * TREE_ENTRY);
	job_copier_close(&p);
	ck_assert_int_eq(job_copier_plan(&p, &c, JOB_SIZE_MAX, &e), 0);
	ck_assert_uint_eq(p.most, JOB_SIZE_MAX); /* the operator has the say */
}
END_TEST

START_TEST(archive_that_is_cut_leaves_nothing)
{
	char why[AGENT_SENTENCE + 1];

	file_put(at("one"), "one", 0644);
	copies("/one", at("x"));
	copies("/two", at("y"));
	begin();
	ck_assert(tree_pack(&w, at("one"), "", why));
	ck_assert_int_eq(write(w.fd, w.buf, w.n - 3), (ssize_t)w.n - 3);
	ck_assert_int_eq(shutdown(w.fd, SHUT_WR), 0);
	ck_assert_ptr_nonnull(strstr(answer(), "cut"));
	ck_assert_uint_eq(left_behind(), 0);
	ck_assert_int_lt(access(at("x"), F_OK), 0);
}
END_TEST

START_TEST(archive_that_never_comes_has_a_sentence)
{
	copies("/one", at("x"));
	begin();
	ck_assert_int_eq(shutdown(p.files, SHUT_WR), 0);
	ck_assert_ptr_nonnull(strstr(answer(), "not all of it came"));
}
END_TEST

START_TEST(more_trees_than_were_asked_for_go_nowhere)
{
	char why[AGENT_SENTENCE + 1];

	file_put(at("one"), "one", 0644);
	copies("/one", at("x"));
	begin();
	for (int i = 0; i < 3; i++)
		ck_assert(tree_pack(&w, at("one"), "../../x", why));
	finished();
	ck_assert_ptr_nonnull(strstr(said, "not all of it came"));
	ck_assert(file_has(at("x"), "one"));
}
END_TEST

/* As a service's manager sends them to all of it, or killall */
START_TEST(signals_are_not_for_it)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGALRM};
	char why[AGENT_SENTENCE + 1];

	file_put(at("one"), "one", 0644);
	copies("/one", at("x"));
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		ck_assert_int_eq(kill(p.pid, sigs[i]), 0);
	ck_assert(tree_pack(&w, at("one"), "", why));
	finished();
	ck_assert_str_eq(said, "");
	ck_assert(file_has(at("x"), "one"));
}
END_TEST

/* Taken over by a guest, it is to read a file */
static int reads(void *ctx, const struct landlock_rule *rule, unsigned int n,
		 struct err *err)
{
	(void)rule, (void)n;
	ck_assert_int_eq(lock(ctx, NULL, 0, err), 0);
	return open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOFOLLOW) < 0 ? -errno : 0;
}

START_TEST(no_file_is_opened_to_be_read)
{
	if (MICROVM_JAIL == JAIL_OFF)
		return;
	copies("/one", at("x"));
	ck_assert_int_eq(job_copier_plan(&p, &c, 0, &e), 0);
	ck_assert_int_lt(job_copier_start(&p, reads, NULL, &e), 0);
	ck_assert_msg(strstr(e.msg, "(open") != NULL, "%s", e.msg);
}
END_TEST

static int dies(void *ctx, const struct landlock_rule *rule, unsigned int n,
		struct err *err)
{
	(void)ctx, (void)rule, (void)n, (void)err;
	_exit(3);
}

START_TEST(copier_that_cannot_begin_is_no_copier)
{
	const struct rlimit few = {.rlim_cur = 32, .rlim_max = 32};

	copies("/one", at("x"));
	ck_assert_int_eq(job_copier_plan(&p, &c, 0, &e), 0);
	ck_assert_int_lt(job_copier_start(&p, dies, NULL, &e), 0);
	ck_assert_msg(strstr(e.msg, "has ended") != NULL, "%s", e.msg);
	job_copier_close(&p);
	ck_assert_int_eq(job_copier_plan(&p, &c, 0, &e), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_lt(job_copier_start(&p, NULL, NULL, &e), 0);
	ck_assert_msg(strstr(e.msg, "ulimit -n") != NULL, "%s", e.msg);
}
END_TEST

/* On FAT a hole is written: a guest could have it filled with zeroes for a few bytes of its own */
START_TEST(hole_takes_nothing_where_it_is_written)
{
	static struct tree_reader t;
	static struct tree_writer out;
	char why[AGENT_SENTENCE + 1] = "";
	int to, fd;

	file_put(at("holes"), "x", 0644);
	ck_assert_int_eq(truncate(at("holes"), 1 << 20), 0);
	fd = open(at("archive"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	out = (struct tree_writer){.fd = fd};
	ck_assert(tree_pack(&out, at("holes"), "/holes", why) && tree_end(&out) == 0);
	to = open(at("."), O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int solid = 0; solid < 2; solid++) {
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		t = (struct tree_reader){
			.fd = fd, .left = UINT64_MAX, .most = 100000, .solid = solid};
		ck_assert_int_eq(tree_next(&t), 1);
		ck_assert_int_eq(tree_unpack(&t, to, solid ? "b" : "a", 022, why),
				 !solid);
		ck_assert_int_eq(t.full, solid);
	}
	close(to);
	close(fd);
}
END_TEST

/* The end of the process that began it, or of the machine, without a word */
START_TEST(copier_outlives_nobody)
{
	char why[AGENT_SENTENCE + 1];
	int status;
	pid_t pid, copier;

	file_put(at("one"), "one", 0644);
	copies("/one", at("x"));
	begin();
	copier = p.pid;
	ck_assert(tree_pack(&w, at("one"), "", why));
	ck_assert_int_gt(write(w.fd, w.buf, w.n - 3), 0);
	close(p.files);
	close(p.answer);
	p.files = p.answer = -1;
	pid = waitpid(copier, &status, 0);
	ck_assert_int_eq(pid, copier);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	p.pid = 0;
	ck_assert_uint_eq(left_behind(), 0);
}
END_TEST

UNIT_MAIN("job_copy", setup, teardown, t)
{
	tcase_add_test(t, what_goes_in_is_one_archive_of_whole_blocks);
	tcase_add_test(t, what_cannot_go_in_has_a_sentence);
	tcase_add_test(t, scratch_is_a_sparse_file_system);
	tcase_add_test(t, mkfs_has_nothing_of_the_jobs);
	tcase_add_test(t, mkfs_that_fails_is_quoted_and_hears_signals);
	tcase_add_test(t, wrong_places_are_refused_before_the_start);
	tcase_add_test(t, all_comes_out_and_replaces_what_was_there);
	tcase_add_test(t, file_that_ends_in_a_hole_keeps_its_length);
	tcase_add_loop_test(t, tree_that_fails_leaves_nothing_and_the_next_one_comes, 0,
			    2);
	tcase_add_test(t, copy_out_fills_the_disk);
	tcase_add_test(t, limit_is_more_than_the_disk);
	tcase_add_test(t, archive_that_is_cut_leaves_nothing);
	tcase_add_test(t, archive_that_never_comes_has_a_sentence);
	tcase_add_test(t, more_trees_than_were_asked_for_go_nowhere);
	tcase_add_test(t, signals_are_not_for_it);
	tcase_add_test(t, no_file_is_opened_to_be_read);
	tcase_add_test(t, copier_that_cannot_begin_is_no_copier);
	tcase_add_test(t, hole_takes_nothing_where_it_is_written);
	tcase_add_test(t, copier_outlives_nobody);
}

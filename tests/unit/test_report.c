/* SPDX-License-Identifier: Apache-2.0 */
/* reports: every field, every kind of file, nothing lost and nothing left behind */
#include "vmm/machine/report.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static char dir[] = "/tmp/test_report.XXXXXX";
static char path[64];
static struct err e;
static bool guessed; /* the random part of a temporary name: it is all zeroes then */

/* Replaces the C library's */
ssize_t getrandom(void *p, size_t len, unsigned int flags)
{
	if (!guessed)
		return syscall(SYS_getrandom, p, len, flags);
	memset(p, 0, len);
	return (ssize_t)len;
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/run.json", dir);
}

/* how many names are in @dir */
static unsigned int names(void)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	unsigned int n = 0;

	while ((de = readdir(d)))
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

static void teardown(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static json_t *get(const char *from)
{
	json_error_t je;
	json_t *o = json_load_file(from, 0, &je);

	ck_assert_msg(o != NULL, "%s: %s", from, je.text);
	return o;
}

static const struct report sample = {
	.name = "db",
	.verdict = {.cause = CAUSE_PANIC,
		    .status = 70,
		    .detail = "the guest \"panicked\"\n\x1b"},
	.start_ns = 1000,
	.first_run_ns = 1500,
	.end_ns = 9000000000000,
	.nexit = 3,
	.exit = {{"io", 7}, {"hlt", 0}, {"mmio", 1}},
	.memory_ns = 8999999999000,
	.nmemory = 2,
	.memory = {{"free_bytes", 0}, {"total_bytes", UINT64_MAX}},
	.nphase = 2,
	.phase = {{"agent_ns", 1600}, {"ready_ns", 3000}},
	.jail = "auto",
	.nlayer = 2,
	.layer = {"pid namespace", "seccomp"},
	.ndev = 2,
	.dev = {{"blk0", {1, 2, 3}, "uring"}, {"net0", {(uint64_t)1 << 40, 0, 0}, NULL}},
};

static json_int_t take(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);
	json_int_t n;

	ck_assert_msg(json_is_integer(v), "%s", key);
	n = json_integer_value(v);
	json_object_del(o, key);
	return n;
}

START_TEST(field_is_missing_or_wrong)
{
	json_t *o, *want;
	struct report_file f;

	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	report_close(&f);
	ck_assert_uint_eq(names(), 1);
	o = get(path);
	ck_assert_int_gt(take(o, "peak_rss_kib"), 100);
	ck_assert_int_ge(take(json_object_get(o, "cpu_us"), "user"), 0);
	ck_assert_int_ge(take(json_object_get(o, "cpu_us"), "system"), 0);
	want = json_pack(
		"{ss ss ss si ss sI si s{si si} s{} s{si si} s{si si sI} s{s{si si si ss} s{sI si si}} s{ss s[ss]} sn}",
		"version", MICROVM_VERSION, "name", "db", "cause", "panic", "status", 70,
		"detail", "the guest \"panicked\"\n\x1b", "wall_ns",
		(json_int_t)8999999999000, "first_instruction_ns", 500, "phases",
		"agent_ns", 600, "ready_ns", 2000, "cpu_us", "exits", "io", 7, "mmio", 1,
		"guest_memory", "age_ns", 1000, "free_bytes", 0, "total_bytes",
		(json_int_t)INT64_MAX, "devices", "blk0", "read_bytes", 1,
		"written_bytes", 2, "requests", 3, "engine", "uring", "net0",
		"read_bytes", (json_int_t)1 << 40, "written_bytes", 0, "requests", 0,
		"jail", "mode", "auto", "layers", "pid namespace", "seccomp", "test");
	ck_assert_ptr_nonnull(want);
	ck_assert(json_equal(o, want));
	json_decref(want);
	json_decref(o);
}
END_TEST

/* A command that ends as a job ended: no status of the table's */
START_TEST(status_is_the_causes_though_the_verdict_has_its_own)
{
	struct report r = {.name = "x",
			   .verdict = {.cause = CAUSE_POWEROFF, .status = 255}};
	struct report_file f;
	json_t *o;

	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_int_eq(report_commit(&f, &r, &e), 0);
	report_close(&f);
	o = get(path);
	ck_assert_int_eq(take(o, "status"), 255);
	ck_assert_str_eq(json_string_value(json_object_get(o, "cause")), "poweroff");
	json_decref(o);
}
END_TEST

START_TEST(guest_never_ran_and_detail_is_no_utf8)
{
	struct report r = {
		.name = "x",
		.verdict = {.cause = CAUSE_HOST_ERROR, .detail = "no \xff\xfe"}};
	struct report_file f;
	json_t *o;

	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_int_eq(report_commit(&f, &r, &e), 0);
	report_close(&f);
	o = get(path);
	ck_assert(json_is_null(json_object_get(o, "first_instruction_ns")));
	ck_assert(json_is_null(json_object_get(o, "guest_memory")));
	ck_assert(json_is_null(json_object_get(o, "phases")));
	ck_assert_str_eq(json_string_value(json_object_get(o, "detail")), "no ??");
	json_decref(o);
}
END_TEST

static const struct report live = {.name = "db", .running = true};

static void expect_cause(const char *cause)
{
	json_t *o = get(path);

	ck_assert_str_eq(json_string_value(json_object_get(o, "cause")), cause);
	ck_assert_int_eq(json_is_null(json_object_get(o, "status")),
			 strcmp(cause, "running") == 0);
	json_decref(o);
}

START_TEST(live_report_is_not_the_last)
{
	struct report_file f;

	ck_assert_int_eq(report_open(&f, path, &e), 0);
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_int_eq(report_refresh(&f, &live, &e), 0);
		expect_cause("running");
		ck_assert_uint_eq(names(), 2);
	}
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	report_close(&f);
	expect_cause("panic");
	ck_assert_uint_eq(names(), 1);
}
END_TEST

/* A reader that has the file open reads the old one; one that opens it finds all of the new */
START_TEST(live_report_is_replaced_in_one_step)
{
	struct report_file f;
	struct stat before, after;

	put("{\"old\": 1}");
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(report_refresh(&f, &live, &e), 0);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_ne(before.st_ino, after.st_ino);
	ck_assert_uint_eq(after.st_mode & 0777, 0640);
	report_close(&f);
	ck_assert_uint_eq(names(), 1);
	expect_cause("running");
}
END_TEST

START_TEST(directory_is_gone_when_a_live_report_is_asked_for)
{
	struct report_file f;
	char tmp[96];

	guessed = true;
	ck_assert_int_eq(report_open(&f, path, &e), 0);
	guessed = false;
	(void)snprintf(tmp, sizeof(tmp), "%s.%016x.tmp", path, 0);
	ck_assert_int_eq(unlink(tmp), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(report_refresh(&f, &live, &e), -ENOENT);
	ck_assert_ptr_nonnull(strstr(e.msg, path));
	/* a new one may be another user's */
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(report_refresh(&f, &live, &e), -ENOENT);
	report_close(&f);
	ck_assert_uint_eq(names(), 0);
}
END_TEST

/* Whatever name the directory has by then */
START_TEST(directory_is_renamed_while_the_machine_runs)
{
	struct report_file f;
	char moved[96];

	ck_assert_int_eq(report_open(&f, path, &e), 0);
	(void)snprintf(moved, sizeof(moved), "%s.moved", dir);
	ck_assert_int_eq(rename(dir, moved), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(report_refresh(&f, &live, &e), 0);
	report_close(&f);
	ck_assert_uint_eq(names(), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(rename(moved, dir), 0);
	ck_assert_uint_eq(names(), 1);
	expect_cause("running");
}
END_TEST

START_TEST(live_reports_by_a_pipe_are_lines)
{
	struct report_file f;
	char name[32], line[4096];
	int p[2];
	FILE *in;

	ck_assert_int_eq(pipe(p), 0);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", p[1]);
	ck_assert_int_eq(report_open(&f, name, &e), 0);
	ck_assert_int_eq(report_refresh(&f, &live, &e), 0);
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	in = fdopen(p[0], "r");
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), in));
	ck_assert_ptr_nonnull(strstr(line, "\"running\""));
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), in));
	ck_assert_ptr_nonnull(strstr(line, "\"panic\""));
	while (write_unless_stuck(p[1], line, 1, 0) > 0)
		;
	ck_assert_int_eq(report_refresh(&f, &live, &e), -EAGAIN);
	report_close(&f);
	(void)fclose(in);
	ck_assert_int_eq(close(p[1]), 0);
}
END_TEST

START_TEST(run_died_before_its_report)
{
	struct report_file f;
	json_t *o;

	put("{\"old\": 1}");
	ck_assert_int_eq(chmod(path, 0640), 0);
	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_uint_eq(names(), 2);
	report_close(&f);
	ck_assert_uint_eq(names(), 1);
	o = get(path);
	ck_assert_ptr_nonnull(json_object_get(o, "old"));
	json_decref(o);
}
END_TEST

START_TEST(older_report_keeps_its_mode_and_its_link)
{
	struct report_file f;
	struct stat st;
	char link[80];

	put("{\"old\": 1}");
	ck_assert_int_eq(chmod(path, 0640), 0);
	(void)snprintf(link, sizeof(link), "%s/link.json", dir);
	ck_assert_int_eq(symlink("run.json", link), 0);
	ck_assert_int_eq(report_open(&f, link, &e), 0);
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	report_close(&f);
	ck_assert_int_eq(lstat(link, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	json_decref(get(path));
}
END_TEST

/* The mode of a file means its group: another's may not come to read it by ours */
START_TEST(older_report_keeps_its_group_or_the_group_loses_it)
{
	struct report_file f;
	struct stat st;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return; /* only root has groups to choose from */
	ck_assert_int_eq(chmod(dir, 0777), 0);
	put("{}");
	ck_assert_int_eq(chown(path, 1234, 4321), 0);
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_int_eq(report_refresh(&f, &sample, &e), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_uid, 1234);
	ck_assert_uint_eq(st.st_gid, 4321);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	report_close(&f);
	pid = fork();
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0 ||
		    report_open(&f, path, &e) < 0 || report_commit(&f, &sample, &e) < 0)
			_exit(1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_gid, 65534);
	ck_assert_uint_eq(st.st_mode & 0777, 0606);
	json_decref(get(path));
}
END_TEST

/* A file that one user more may read, and its group not: the mode shows the list's mask there */
START_TEST(older_report_keeps_its_access_list)
{
	static const char name[] = "system.posix_acl_access";
	const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[5];
	} acl = {2,
		 {{1, 6, UINT32_MAX},  /* its owner */
		  {2, 4, 1234},        /* a user */
		  {4, 0, UINT32_MAX},  /* its group */
		  {16, 4, UINT32_MAX}, /* the mask */
		  {32, 0, UINT32_MAX}}};
	struct report_file f;
	char got[64];

	put("{}");
	if (setxattr(path, name, &acl, sizeof(acl), 0) < 0)
		return; /* not on this file system */
	ck_assert_int_eq(report_open(&f, path, &e), 0);
	ck_assert_int_eq(report_refresh(&f, &sample, &e), 0);
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	report_close(&f);
	ck_assert_int_eq(getxattr(path, name, got, sizeof(got)), (ssize_t)sizeof(acl));
	ck_assert_mem_eq(got, &acl, sizeof(acl));
}
END_TEST

static void expect_refused(const char *p, int code)
{
	struct report_file f;

	ck_assert_int_eq(report_open(&f, p, &e), -code);
	ck_assert_ptr_nonnull(strstr(e.msg, p));
	ck_assert_int_eq(e.usage, 0);
	report_close(&f);
}

START_TEST(path_that_cannot_be_written)
{
	char p[96];

	expect_refused(dir, EISDIR);
	(void)snprintf(p, sizeof(p), "%s/none/run.json", dir);
	expect_refused(p, ENOENT);
	(void)snprintf(p, sizeof(p), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(p, 0600), 0);
	expect_refused(p, ENXIO); /* and does not wait for a reader */
	expect_refused("/dev/fd/987", EBADF);
	expect_refused("/proc/self/status/x", ENOTDIR);
}
END_TEST

/* Another user has put a link to a file, or a file, at the temporary name */
START_TEST(temporary_name_is_taken)
{
	char tmp[96], victim[96];
	struct report_file f;

	guessed = true;
	(void)snprintf(tmp, sizeof(tmp), "%s.%016d.tmp", path, 0);
	(void)snprintf(victim, sizeof(victim), "%s/victim", dir);
	close(open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ck_assert_int_eq(symlink(victim, tmp), 0);
	ck_assert_int_eq(report_open(&f, path, &e), -EEXIST);
	report_close(&f);
	ck_assert_int_eq(unlink(tmp), 0);
	ck_assert_int_eq(rename(victim, tmp), 0);
	ck_assert_int_eq(report_open(&f, path, &e), -EEXIST);
	report_close(&f);
	ck_assert_uint_eq(names(), 1);
	guessed = false;
	ck_assert_int_eq(report_open(&f, path, &e), 0);
	report_close(&f);
}
END_TEST

START_TEST(somebody_else_s_file)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return; /* the refusals below need a user to become */
	put("{}");
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	pid = fork();
	if (pid == 0) {
		struct report_file f;

		if (setuid(65534) < 0)
			_exit(1);
		_exit(report_open(&f, path, &e) == -EACCES ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(directory_is_closed_but_file_is_not)
{
	pid_t pid;
	json_t *o;
	int status;

	if (geteuid() != 0)
		return;
	put("{\"a rather long older report\": \"that must be gone completely afterwards\","
	    "\"a rather long older report 2\": \"that must be gone completely afterwards\","
	    "\"a rather long older report 3\": \"that must be gone completely afterwards\","
	    "\"a rather long older report 4\": \"that must be gone completely afterwards\"}");
	ck_assert_int_eq(chmod(path, 0666), 0);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	pid = fork();
	if (pid == 0) {
		struct report_file f;
		struct report r = {.name = "x"};

		if (setuid(65534) < 0 || report_open(&f, path, &e) < 0)
			_exit(1);
		if (report_refresh(&f, &sample, &e) < 0 ||
		    report_refresh(&f, &live, &e) < 0)
			_exit(3);
		_exit(report_commit(&f, &r, &e) < 0 ? 2 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	o = get(path);
	ck_assert_str_eq(json_string_value(json_object_get(o, "name")), "x");
	json_decref(o);
}
END_TEST

START_TEST(descriptor_is_written_to_as_it_is)
{
	char name[32], text[16384] = "";
	struct report_file f;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
	ck_assert_int_eq(write(fd, "log\n", 4), 4);
	(void)snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	ck_assert_int_eq(report_open(&f, name, &e), 0);
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	report_close(&f);
	ck_assert_int_gt(pread(fd, text, sizeof(text) - 1, 0), 100);
	ck_assert_int_eq(strncmp(text, "log\n{", 5), 0);
	ck_assert_str_eq(text + strlen(text) - 2, "}\n");
	ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(disk_is_full)
{
	struct report_file f;

	if (access("/dev/full", W_OK) < 0)
		return;
	ck_assert_int_eq(report_open(&f, "/dev/full", &e), 0);
	ck_assert_int_eq(report_refresh(&f, &live, &e), -ENOSPC);
	ck_assert_int_eq(report_commit(&f, &sample, &e), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(e.msg, "/dev/full"));
	report_close(&f);
}
END_TEST

START_TEST(no_report_was_asked_for)
{
	struct report_file f;

	ck_assert_int_eq(report_open(&f, NULL, &e), 0);
	ck_assert_int_eq(report_commit(&f, &sample, &e), 0);
	report_close(&f);
	ck_assert_uint_eq(names(), 0);
}
END_TEST

UNIT_MAIN("report", setup, teardown, t)
{
	tcase_add_test(t, field_is_missing_or_wrong);
	tcase_add_test(t, status_is_the_causes_though_the_verdict_has_its_own);
	tcase_add_test(t, guest_never_ran_and_detail_is_no_utf8);
	tcase_add_test(t, live_report_is_not_the_last);
	tcase_add_test(t, live_report_is_replaced_in_one_step);
	tcase_add_test(t, directory_is_gone_when_a_live_report_is_asked_for);
	tcase_add_test(t, directory_is_renamed_while_the_machine_runs);
	tcase_add_test(t, live_reports_by_a_pipe_are_lines);
	tcase_add_test(t, run_died_before_its_report);
	tcase_add_test(t, older_report_keeps_its_mode_and_its_link);
	tcase_add_test(t, older_report_keeps_its_access_list);
	tcase_add_test(t, older_report_keeps_its_group_or_the_group_loses_it);
	tcase_add_test(t, path_that_cannot_be_written);
	tcase_add_test(t, somebody_else_s_file);
	tcase_add_test(t, temporary_name_is_taken);
	tcase_add_test(t, directory_is_closed_but_file_is_not);
	tcase_add_test(t, descriptor_is_written_to_as_it_is);
	tcase_add_test(t, disk_is_full);
	tcase_add_test(t, no_report_was_asked_for);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* what the machine and the agent are told of a job, and what is told of a kernel that died */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/job/job.h"
#include "vmm/settings/config_life.h"

#define WORDS_MAX 32

static char dir[] = "/tmp/test_job_machine.XXXXXX", root[64];
static struct job j;
static struct config cfg;
static struct err e;
static char copy[1024], *words[WORDS_MAX];

static void make(const char *name)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("MICROVM_RUN_DIR", dir, 1), 0);
	make("kernel");
	make("agent");
	(void)snprintf(root, sizeof(root), "%s/a, b", dir);
	ck_assert_int_eq(mkdir(root, 0700), 0);
	memset(&j, 0, sizeof(j));
	ck_assert_ptr_nonnull(freopen("/dev/null", "r", stdin)); /* no terminal */
	ck_assert_int_eq(config_init(&cfg, &e), 0);
}

static void teardown(void)
{
	char command[128];

	job_fini(&j);
	config_fini(&cfg);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

/* `run @options ROOT @command`; the words of both are parted by single spaces */
static void plan(const char *options, const char *command)
{
	char *rest = copy, *word;
	int n = 0;

	(void)snprintf(copy, sizeof(copy), "run%s%s", *options ? " " : "", options);
	while ((word = strsep(&rest, " ")))
		words[n++] = word;
	words[n++] = root;
	rest = copy + strlen(options) + 8;
	(void)snprintf(rest, 512, "%s", command);
	while (*command && (word = strsep(&rest, " ")))
		words[n++] = word;
	ck_assert_msg(job_read(&j, &cfg, NULL, n, words, &e) == 0, "%s", e.msg);
	ck_assert_msg(job_plan(&j, &cfg, &e) == 0, "%s", e.msg);
}

/* @t is these strings, and no more */
static void told(const struct job_text *t, const char *const *want, size_t n)
{
	const char *p = t->text;

	for (size_t i = 0; i < n; i++, p += strlen(p) + 1) {
		ck_assert_msg(p < t->text + t->len, "no \"%s\"", want[i]);
		ck_assert_str_eq(p, want[i]);
	}
	ck_assert_ptr_eq(p, t->text + t->len);
}

START_TEST(directory_is_shared_otherwise)
{
	static const char *const machine[] = {"root=virtiofs:root", "volume=vol0:ro:/v",
					      "volume=vol1:rw:/w", "hostname=h",
					      "tmpfs=/t:size=1m"};

	plan("-v /:/v:ro -v /tmp:/w -h h --tmpfs /t:size=1m", "");
	ck_assert_uint_eq(cfg.nshare, 3);
	ck_assert_str_eq(cfg.share[0].path, root);
	ck_assert_str_eq(cfg.share[0].tag, "root");
	ck_assert(cfg.share[0].readonly);
	ck_assert(cfg.share[1].readonly && !cfg.share[2].readonly);
	ck_assert_str_eq(cfg.share[2].tag, "vol1");
	ck_assert_uint_eq(cfg.ninitrd, 1);
	ck_assert_uint_eq(cfg.nnet, 0);
	told(&j.machine_text, machine, ARRAY_SIZE(machine));
}
END_TEST

START_TEST(command_is_another)
{
	static const char *const said[] = {"arg=ls",          "arg=-l",     "env=A=1",
					   "ulimit=core=0:0", "workdir=/x", "user=joe",
					   "stdin=open"};

	plan("-e A=1 -w /x -u joe --ulimit core=0", "ls -l");
	told(&j.job_text, said, ARRAY_SIZE(said));
}
END_TEST

START_TEST(no_command_is_no_shell)
{
	static const char *const said[] = {"arg=/bin/sh", "stdin=open"};

	plan("", "");
	told(&j.job_text, said, ARRAY_SIZE(said));
}
END_TEST

START_TEST(disks_have_other_names)
{
	static const char *const machine[] = {"root=virtiofs:root", "scratch=/dev/vda"};
	static const char *const said[] = {"arg=x", "copy=/a", "copy=/b", "stdin=open"};
	char options[256], want[64];

	(void)snprintf(options, sizeof(options),
		       "--scratch 1M --copy-in %s/kernel:/k --copy-out /a:%s/x "
		       "--copy-out /b:%s/y",
		       dir, dir, dir);
	plan(options, "x");
	ck_assert_uint_eq(cfg.ndisk, 2);
	ck_assert(!cfg.disk[0].readonly && cfg.disk[1].readonly);
	ck_assert_str_eq(cfg.disk[1].path, j.files.path);
	(void)snprintf(want, sizeof(want), "files=/dev/vdb:%llu",
		       (unsigned long long)j.nfiles);
	ck_assert_str_eq(j.machine_text.text, machine[0]);
	ck_assert_str_eq(j.machine_text.text + strlen(machine[0]) + 1, machine[1]);
	ck_assert_str_eq(
		j.machine_text.text + strlen(machine[0]) + strlen(machine[1]) + 2, want);
	told(&j.job_text, said, ARRAY_SIZE(said));
}
END_TEST

START_TEST(network_is_another)
{
	plan("--net user -p 8080:80 -p 5000:5000/udp", "x");
	ck_assert_uint_eq(cfg.nnet, 1);
	ck_assert(cfg.net[0].user);
	ck_assert_uint_eq(cfg.net[0].npublish, 2);
	ck_assert_uint_eq(cfg.net[0].publish[0].port, 8080);
	ck_assert(cfg.net[0].publish[1].udp);
}
END_TEST

/* ---- the verdict ---- */

static void over(enum exit_cause cause, int want)
{
	struct exit_verdict v = exit_verdict(cause);

	job_over(&j, &v);
	ck_assert_int_eq(v.status, want);
}

START_TEST(what_is_not_the_jobs_has_another_status)
{
	struct exit_verdict v = exit_verdict(CAUSE_JOB);

	plan("", "x");
	over(CAUSE_POWEROFF, 125);
	over(CAUSE_PANIC, 125);
	over(CAUSE_HOST_ERROR, 125);
	over(CAUSE_USAGE, 125);
	over(CAUSE_KVM_ERROR, 125);
	over(CAUSE_TIMEOUT, 124);
	over(CAUSE_SIGINT, 130);
	over(CAUSE_SIGTERM, 143);
	v.status = 70;
	job_over(&j, &v);
	ck_assert_int_eq(v.status, 70);
}
END_TEST

START_TEST(strict_jail_has_no_cure)
{
	struct exit_verdict v = exit_verdict(CAUSE_HOST_ERROR);

	plan("", "x");
	(void)strcpy(v.detail, "--jail strict: this host gives no Landlock");
	job_over(&j, &v);
	ck_assert_ptr_nonnull(strstr(v.detail, "--jail auto"));
}
END_TEST

/* ---- the console ---- */

START_TEST(last_lines_are_others)
{
	char name[] = "/tmp/test_job_machine.XXXXXX", text[8192], line[64];
	int fd = mkstemp(name), saved = dup(STDERR_FILENO), end;
	static struct job_console c;
	static struct driver d;
	ssize_t n;

	driver_init(&d, MIB);
	c = (struct job_console){0};
	ck_assert_int_eq(job_console_pipe(&c, &end, &e), 0);
	ck_assert_int_eq(job_console_open(&c, d.loop, &e), 0);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(line, sizeof(line), "line %d \033[2J\r\n", i);
		ck_assert_int_gt(write(end, line, strlen(line)), 0);
		driver_settle(&d);
	}
	ck_assert_int_eq(write(end, "no end", 6), 6);
	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	ck_assert(job_console_tell(&c));
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "microvm: console: line 999 ?[2J\n"));
	ck_assert_ptr_nonnull(strstr(text, "microvm: console: no end\n"));
	ck_assert_ptr_null(strstr(text, "line 900 "));
	ck_assert_ptr_null(strchr(text, '\033'));
	job_console_close(&c);
	close(end);
	close(fd);
	close(saved);
	driver_fini(&d);
}
END_TEST

UNIT_MAIN("job_machine", setup, teardown, t)
{
	tcase_add_test(t, directory_is_shared_otherwise);
	tcase_add_test(t, command_is_another);
	tcase_add_test(t, no_command_is_no_shell);
	tcase_add_test(t, disks_have_other_names);
	tcase_add_test(t, network_is_another);
	tcase_add_test(t, what_is_not_the_jobs_has_another_status);
	tcase_add_test(t, strict_jail_has_no_cure);
	tcase_add_test(t, last_lines_are_others);
}

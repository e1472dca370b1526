/* SPDX-License-Identifier: Apache-2.0 */
/* artifacts - what is left of a run for a person who looks into it. */
#include "vmm/test/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/settings/config_life.h"

#define ARTIFACTS_BATCH 1024 /* bytes of a guest that are written at once */
#define ARTIFACTS_STAMP 24   /* "1234567.123456 " */

int artifacts_dir(const char *dir, bool own)
{
	int fd;

	if (mkdir(dir, 0777) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | (own ? O_NOFOLLOW : 0));
	return fd < 0 ? -errno : fd;
}

int artifacts_make(int dir, const char *name)
{
	int fd;

	(void)unlinkat(dir, name, 0);
	fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

int artifacts_of_cell(char path[PATH_MAX], const char *dir, unsigned int nr)
{
	int n = nr ? snprintf(path, PATH_MAX, "%s/%u", dir, nr)
		   : snprintf(path, PATH_MAX, "%s", dir);

	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	return nr && mkdir(dir, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

static int artifacts_failed(const char *dir, const char *name, int code, struct err *e)
{
	return err_set(e, code,
		       "--artifacts: cannot write %.200s/%s: %s; give a directory that "
		       "can be written",
		       dir, name, strerror(code));
}

static int artifacts_file(int at, const char *dir, const char *name, struct err *e)
{
	int fd = artifacts_make(at, name);

	return fd < 0 ? artifacts_failed(dir, name, -fd, e) : fd;
}

/* A word as a shell takes it back */
static void artifacts_word(FILE *f, const char *word)
{
	if (*word &&
	    !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			       "0123456789_-+=:,./@%")]) {
		(void)fputs(word, f);
		return;
	}
	(void)fputc('\'', f);
	for (; *word; word++)
		(void)fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, f);
	(void)fputc('\'', f);
}

static int artifacts_command(int at, const char *dir, int argc, char *const *argv,
			     struct err *e)
{
	int fd = artifacts_file(at, dir, "command", e);
	char here[PATH_MAX];
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		cleanup_close_fd(&fd);
		return fd < 0 ? -e->code : err_set(e, ENOMEM, "out of memory");
	}
	if (getcwd(here, sizeof(here))) {
		(void)fputs("cd ", f);
		artifacts_word(f, here);
		(void)fputs(" &&\n", f);
	}
	(void)fputs("microvm test", f);
	for (int i = 0; i < argc; i++) {
		(void)fputc(' ', f);
		artifacts_word(f, argv[i]);
	}
	(void)fputc('\n', f);
	if (fclose(f) == 0)
		return 0;
	return artifacts_failed(dir, "command", errno, e);
}

static int artifacts_files(struct artifacts *a, int at, const char *dir, int argc,
			   char *const *argv, struct err *e)
{
	int rc = artifacts_command(at, dir, argc, argv, e);

	if (rc < 0)
		return rc;
	a->console = artifacts_file(at, dir, "console.log", e);
	a->vcpus = a->console < 0 ? -1 : artifacts_file(at, dir, "vcpus.json", e);
	a->cpus = a->vcpus < 0 ? -1 : artifacts_file(at, dir, "cpus.txt", e);
	return a->cpus < 0 ? -e->code : 0;
}

int artifacts_open(struct artifacts *a, const char *dir, bool own, int argc,
		   char *const *argv, struct config *cfg, struct err *e)
{
	cleanup_close int at = artifacts_dir(dir, own);
	char path[PATH_MAX];
	int rc;

	a->start_ns = monotonic_ns();
	a->most = ARTIFACTS_MOST;
	rc = at < 0 ? artifacts_failed(dir, "", -at, e)
		    : artifacts_files(a, at, dir, argc, argv, e);
	if (rc == -ENOSPC ||
	    rc == -EDQUOT) /* of many runs the next one's verdict is wanted as well */
		log_warn("%s", e->msg);
	else if (rc < 0)
		return rc;
	if (cfg->report)
		return 0;
	(void)unlinkat(at, "report.json", 0);
	(void)snprintf(path, sizeof(path), "%s/report.json", dir);
	return config_string(&cfg->report, path, e);
}

void artifacts_close(struct artifacts *a)
{
	cleanup_close_fd(&a->console);
	cleanup_close_fd(&a->vcpus);
	cleanup_close_fd(&a->cpus);
	a->console = a->vcpus = a->cpus = -1;
}

static size_t artifacts_stamp(const struct artifacts *a, char *at)
{
	uint64_t us = (monotonic_ns() - a->start_ns) / 1000;

	return (size_t)snprintf(at, ARTIFACTS_STAMP, "%5llu.%06llu ",
				(unsigned long long)(us / 1000000),
				(unsigned long long)(us % 1000000));
}

static void artifacts_anew(struct artifacts *a)
{
	if (!a->anew)
		log_warn(
			"--artifacts: the guest prints much: console.log has no more than "
			"the last %llu MiB",
			(unsigned long long)(a->most / MIB));
	a->anew = true;
	a->len = 0;
	(void)!ftruncate(a->console, 0);
}

static void artifacts_write(struct artifacts *a, const char *p, size_t n)
{
	long done;

	if (a->len + n > a->most)
		artifacts_anew(a);
	a->len += n;
	done = write_full(a->console, p, n);
	if (done == (long)n)
		return;
	log_warn("--artifacts: console.log takes no more: %s",
		 done < 0 ? strerror((int)-done) : "no space");
	cleanup_close_fd(&a->console);
	a->console = -1;
}

void artifacts_vcpus(struct artifacts *a, const struct machine *m)
{
	char text[VCPU_TOLD + 64];

	if (a->vcpus < 0 || !machine_registers(m, 0))
		return;
	for (unsigned int i = 0; i < m->nvcpu; i++) {
		const char *told = machine_registers(m, i);
		int n = snprintf(text, sizeof(text), "%s{\"vcpu\":%u%s%s}%s",
				 i ? ",\n" : "[", i, told ? "," : "", told ? told : "",
				 i + 1 == m->nvcpu ? "]\n" : "");

		if (write_full(a->vcpus, text, (size_t)n) != n) {
			log_warn("--artifacts: vcpus.json is not whole: no space");
			return;
		}
	}
}

void artifacts_cpus(struct artifacts *a, struct cpus *c)
{
	int rc = a->cpus < 0 ? 0 : cpus_write(c, a->cpus);

	if (rc < 0)
		log_warn("--artifacts: cpus.txt is not whole: %s", strerror(-rc));
}

void artifacts_console(struct artifacts *a, const uint8_t *p, size_t n)
{
	static char text[ARTIFACTS_BATCH * (ARTIFACTS_STAMP + 1)];

	while (n && a->console >= 0) {
		size_t part = MIN(n, (size_t)ARTIFACTS_BATCH), k = 0;

		for (size_t i = 0; i < part; i++) {
			if (p[i] == '\r')
				continue;
			if (!a->inside)
				k += artifacts_stamp(a, text + k);
			text[k++] = (char)p[i];
			a->inside = p[i] != '\n';
		}
		artifacts_write(a, text, k);
		p += part;
		n -= part;
	}
}

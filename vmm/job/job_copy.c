/* SPDX-License-Identifier: Apache-2.0 */
/* job_copy - what goes in is packed; where what comes out goes; the copier's start and end. */
#include "vmm/job/job_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/agent/tree.h"
#include "vmm/core/util.h"

#define COPY_BLOCK   512
#define COPIER_ABOVE 64 /* all that a copier begins with */

/* ---- in ---- */

int job_copy_in(const struct job_copies *c, struct job_file *f, uint64_t *size,
		struct err *e)
{
	static struct tree_writer w;
	char why[AGENT_SENTENCE + 1];
	off_t end;
	int rc;

	if (!c->n)
		return 0;
	rc = job_file_make(f, "--copy-in", e);
	if (rc < 0)
		return rc;
	w = (struct tree_writer){.fd = f->fd};
	for (unsigned int i = 0; i < c->n; i++)
		if (!tree_pack(&w, c->copy[i].src, c->copy[i].dst, why) && !w.error)
			return err_usage(e,
					 "--copy-in %.300s; check the path and its "
					 "permissions",
					 why);
	rc = tree_end(&w);
	end = lseek(f->fd, 0, SEEK_CUR);
	*size = (uint64_t)MAX(end, 0);
	if (rc == 0 && ftruncate(f->fd, (off_t)ALIGN_UP(*size, (uint64_t)COPY_BLOCK)) < 0)
		rc = -errno;
	return rc < 0 ? job_file_failed("--copy-in", "it cannot be packed", -rc, e) : 0;
}

/* ---- where what comes out goes ---- */

/* As docker cp has it: a directory that is there, or is written as one ("DST/"), gets it under its own
 * name; else DST is its new name.  @dir: which directory
 */
static int place_name(struct job_place *p, char *dir, size_t size, struct err *e)
{
	size_t len = strlen(p->dst);
	struct stat st;

	(void)snprintf(dir, size, "%s", p->dst);
	if (p->dst[len - 1] == '/' || (stat(p->dst, &st) == 0 && S_ISDIR(st.st_mode))) {
		tree_base(p->src, p->name);
	} else {
		tree_base(p->dst, p->name);
		if (strchr(dir, '/'))
			strrchr(dir, '/')[1] = '\0';
		else
			(void)snprintf(dir, size, ".");
	}
	if (len >= size || !*p->name)
		return err_usage(e,
				 "--copy-out %.100s:%.100s: this gives it no name; write "
				 "both without a dot at the end",
				 p->src, p->dst);
	return 0;
}

static int place_open(struct job_place *p, struct err *e)
{
	char dir[4096];
	struct stat st;

	if (place_name(p, dir, sizeof(dir), e) < 0)
		return -e->code;
	p->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return err_usage(e,
				 "--copy-out: %.200s: %s; check the path, or make it: "
				 "mkdir -p %.200s",
				 dir, strerror(errno), dir);
	if (faccessat(p->dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_usage(e,
				 "--copy-out: this user may not write into %.200s: %s; "
				 "change its permissions, or give another DST",
				 dir, strerror(errno));
	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return err_usage(
			e,
			"--copy-out: %.200s is there in %.200s, and is no file "
			"that could be replaced; move it away, or give another DST",
			p->name, dir);
	return 0;
}

static bool place_same(const struct job_place *a, const struct job_place *b)
{
	struct stat x, y;

	return strcmp(a->name, b->name) == 0 && fstat(a->dir, &x) == 0 &&
	       fstat(b->dir, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* FAT's: there, a hole is written as zeroes */
static bool place_solid(const struct job_place *p)
{
	struct statfs s;

	return fstatfs(p->dir, &s) == 0 &&
	       (s.f_type == MSDOS_SUPER_MAGIC || s.f_type == EXFAT_SUPER_MAGIC);
}

/* Half of what is free, so that a guest fills no disk: in bytes, and in inodes.  Some file systems
 * do not say
 */
static uint64_t place_room(const struct job_place *p)
{
	uint64_t room = JOB_COPY_MOST;
	struct statvfs v;

	if (fstatvfs(p->dir, &v) < 0)
		return room;
	if (v.f_blocks)
		room = MIN(room, (uint64_t)v.f_bavail * v.f_frsize / 2);
	if (v.f_files)
		room = MIN(room, (uint64_t)v.f_favail / 2 * TREE_ENTRY);
	return MAX(room, 1U); /* 0 has no end */
}

int job_copier_plan(struct job_copier *p, const struct job_copies *c, uint64_t most,
		    struct err *e)
{
	uint64_t random;

	*p = (struct job_copier){
		.files = -1, .answer = -1, .most = most ? most : JOB_COPY_MOST};
	for (unsigned int i = 0; i < c->n; i++) {
		struct job_place *one = &p->place[i];

		*one = (struct job_place){
			.dir = -1, .src = c->copy[i].src, .dst = c->copy[i].dst};
		p->n++;
		if (place_open(one, e) < 0)
			return -e->code;
		p->solid |= place_solid(one);
		if (!most)
			p->most = MIN(p->most, place_room(one));
		for (unsigned int k = 0; k < i; k++)
			if (place_same(one, &p->place[k]))
				return err_usage(e,
						 "--copy-out: two would become %.200s; "
						 "give each its own DST",
						 one->name);
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return err_set(e, EIO, "--copy-out: no random name");
		(void)snprintf(one->tmp, sizeof(one->tmp), ".microvm-copy-%016llx",
			       (unsigned long long)random);
	}
	return 0;
}

/* ---- the copier's life ---- */

/* A session of its own, and no signals: neither the terminal's keys are for it, nor what is sent to our
 * group, to all of a service or to all of our name. It ends when the archive does, however that comes.
 * Its descriptors are 3, 4, the directories, and 4 once more as stderr: the terminal is not its either.
 * Return: are they?
 */
static bool copier_ready(struct job_copier *p, int in, int out)
{
	int first = 5 + (int)p->n;
	struct rlimit files;
	bool ok;
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* its filter's */
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setsid();
	p->mask = umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* one for each level of a tree */
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	in = fcntl(in, F_DUPFD_CLOEXEC, COPIER_ABOVE);
	out = fcntl(out, F_DUPFD_CLOEXEC, COPIER_ABOVE);
	ok = in >= 0 && out >= 0;
	for (unsigned int i = 0; i < p->n; i++) {
		p->place[i].dir = fcntl(p->place[i].dir, F_DUPFD_CLOEXEC, COPIER_ABOVE);
		ok = ok && p->place[i].dir >= 0;
	}
	if (!ok)
		return false;
	(void)dup3(in, 3, O_CLOEXEC);
	(void)dup3(out, 4, O_CLOEXEC);
	(void)dup3(out, STDERR_FILENO, O_CLOEXEC);
	for (unsigned int i = 0; i < p->n; i++) {
		(void)dup3(p->place[i].dir, 5 + (int)i, O_CLOEXEC);
		p->place[i].dir = 5 + (int)i;
	}
	(void)close_range((unsigned int)first, ~0U, 0);
	(void)close_range(0, 1, 0);
	return true;
}

static _Noreturn void copier(struct job_copier *p, int in, int out, job_copier_lock *lock,
			     void *ctx)
{
	const uint64_t may = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
			     LANDLOCK_ACCESS_FS_MAKE_SYM |
			     LANDLOCK_ACCESS_FS_REMOVE_FILE |
			     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_READ_DIR |
			     LANDLOCK_WRITE;
	struct landlock_rule rule[JOB_COPIES_MAX];
	struct err e = {0};

	if (!copier_ready(p, in, out)) {
		err_set(&e, errno, "no more file descriptors; raise ulimit -n");
		(void)write_full(out, e.msg, strlen(e.msg) + 1);
		_exit(1);
	}
	for (unsigned int i = 0; i < p->n; i++)
		rule[i] = (struct landlock_rule){.fd = p->place[i].dir, .may = may};
	if (lock && lock(ctx, rule, p->n, &e) < 0) {
		(void)write_full(4, e.msg, strlen(e.msg) + 1);
		_exit(1);
	}
	(void)write_full(4, "", 1); /* it is ready */
	job_copier_serve(p, 3, 4);
	_exit(0);
}

/* Return: 0; or -errno, the copier's sentence in @e */
static int copier_is_ready(int answer, struct err *e)
{
	char text[AGENT_SENTENCE + 1] = "", *p = text;
	long n;

	while ((n = read_full(answer, p, 1)) == 1 && *p && p < text + sizeof(text) - 2)
		p++;
	if (n == 1 && !*text)
		return 0;
	return err_set(e, EPERM, "--copy-out: %s",
		       *text ? text : "the process that writes the files has ended");
}

int job_copier_start(struct job_copier *p, job_copier_lock *lock, void *ctx,
		     struct err *e)
{
	int files[2], answer[2];

	if (!p->n)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files) < 0)
		return err_set(e, errno, "--copy-out: no socket: %s", strerror(errno));
	p->files = files[0];
	if (pipe2(answer, O_CLOEXEC) < 0) {
		close(files[1]);
		return err_set(e, errno, "--copy-out: no pipe: %s", strerror(errno));
	}
	p->answer = answer[0];
	p->pid = fork();
	if (p->pid == 0)
		copier(p, files[1], answer[1], lock, ctx);
	close(files[1]);
	close(answer[1]);
	/* no machine has a directory of the host's */
	for (unsigned int i = 0; i < p->n; i++) {
		cleanup_close_fd(&p->place[i].dir);
		p->place[i].dir = -1;
	}
	if (p->pid < 0)
		return err_set(e, errno, "--copy-out: no process for it: %s",
			       strerror(errno));
	return copier_is_ready(p->answer, e);
}

void job_copier_close(struct job_copier *p)
{
	cleanup_close_fd(&p->files);
	cleanup_close_fd(&p->answer);
	p->files = p->answer = -1;
	for (unsigned int i = 0; i < p->n; i++)
		cleanup_close_fd(&p->place[i].dir);
	p->n = 0;
	while (p->pid > 0 && waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

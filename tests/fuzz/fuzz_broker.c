/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_broker - what a jailed process says to its broker, any bytes: paths until it is locked, then
 * questions.  Nothing is answered but a number, a socket or a regular file; no descriptor stays.
 *
 * The input is messages, each with two bytes ahead: its length and how it is sent. The paths in it
 * are names in a directory of ours.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/backend/unix_listen.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"

#define FUZZ_LEN      0x0fffU
#define FUZZ_IDENTITY 0x4000U /* of the file that is there: whose path leads to it */
#define FUZZ_PASSES   0x8000U /* with a descriptor */
#define FUZZ_HEAD     (OUTSIDE_TELL_MAX - PATH_MAX)
#define FUZZ_DIR      "/tmp/fuzz-broker-XXXXXX"

static char dir[] = FUZZ_DIR;
static int ended = -1; /* a process that has ended */
static int where = -1;

static void each_file(void (*fn)(const char *path))
{
	char path[PATH_MAX];
	struct dirent *de;
	DIR *d = opendir(dir);

	while (d && (de = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		if (de->d_name[0] != '.' || strlen(de->d_name) > 2)
			fn(path);
	}
	if (d)
		(void)closedir(d);
}

static void remove_one(const char *path)
{
	(void)unlink(path);
}

static void leave(void)
{
	each_file(remove_one);
	(void)rmdir(dir);
}

static void begin(void)
{
	pid_t pid;

	if (ended >= 0)
		return;
	fuzz_check(mkdtemp(dir) != NULL);
	pid = fork();
	if (pid == 0)
		_exit(0);
	ended = (int)syscall(SYS_pidfd_open, pid, 0);
	where = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fuzz_check(ended >= 0 && where >= 0 && atexit(leave) == 0);
}

/* As struct slot_told has it: the path behind the head */
struct fuzz_told {
	uint32_t slot, kind;
	uint64_t dev, ino;
	uint32_t mode, unused;
	char path[OUTSIDE_TELL_MAX];
};

/* The name becomes a path below our directory.  Return: the new length */
static size_t told_confine(struct fuzz_told *t, size_t len, bool identity)
{
	char name[FUZZ_LEN + 1];
	size_t n = len - FUZZ_HEAD, in = strlen(dir) + 1;
	struct stat st;

	memcpy(name, t->path, n);
	(void)snprintf(t->path, sizeof(t->path), "%s/", dir);
	for (size_t i = 0; i < n; i++)
		t->path[in + i] = name[i];
	for (size_t i = 0; i < n; i++)
		if (t->path[in + i] == '/')
			t->path[in + i] = '_';
	if (identity && memchr(t->path, '\0', in + n) && lstat(t->path, &st) == 0) {
		t->dev = st.st_dev;
		t->ino = st.st_ino;
	}
	return len + in;
}

static void ask(const struct outside_question *q)
{
	struct stat st;
	int fd, rc = outside_serve(q, &fd);

	fuzz_check(fd < 0 || rc == 0);
	if (fd < 0)
		return;
	fuzz_check(fstat(fd, &st) == 0);
	fuzz_check(q->verb == OUTSIDE_CONNECT ? S_ISSOCK(st.st_mode)
					      : S_ISREG(st.st_mode));
	close(fd);
}

/* As the broker does it.  Return: false, it is garbage, which ends the child */
static bool hear(struct fuzz_in *in, bool *locked)
{
	unsigned int how = fuzz_u16(in);
	size_t len = how & FUZZ_LEN;
	int passed;
	struct outside_question q;
	struct fuzz_told t = {0};

	if (len == sizeof(q)) {
		fuzz_bytes(in, &q, sizeof(q));
		*locked |= q.verb == OUTSIDE_LOCKED;
		if (q.verb < OUTSIDE_VERBS)
			ask(&q);
		return q.verb < OUTSIDE_VERBS;
	}
	fuzz_bytes(in, &t, len);
	if (*locked)
		return false;
	if (len > FUZZ_HEAD)
		len = told_confine(&t, len, how & FUZZ_IDENTITY);
	/* what has a name has its directory; or what it should not have */
	if (len > FUZZ_HEAD && t.kind >= 2 && t.kind <= 4)
		passed = how & FUZZ_PASSES ? ended : where;
	else
		passed = how & FUZZ_PASSES ? ended : -1;
	return outside_hear(&t, len, passed < 0 ? -1 : dup(passed)) == 0;
}

static int lowest_free(void)
{
	int fd = dup(ended);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = {data, len};
	struct unix_listener peer;
	char path[sizeof(dir) + 16];
	bool locked = false;
	struct err e;
	int report, fd, low;

	begin();
	low = lowest_free();
	(void)snprintf(path, sizeof(path), "%s/peer_7", dir);
	fuzz_check(unix_listen(&peer, "it", path, &e) == 0);
	(void)snprintf(path, sizeof(path), "%s/report", dir);
	report = outside_file(path, NULL, &fd); /* slot 1: the listener has 0 */
	fuzz_check(report >= 0);
	while (in.n && hear(&in, &locked))
		;
	outside_drop_heard();
	outside_drop(report);
	close(fd);
	unix_unlisten(&peer);
	each_file(remove_one);
	fuzz_check(lowest_free() == low);
	return 0;
}

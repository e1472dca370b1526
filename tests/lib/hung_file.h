/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hung_file - a file that can be opened, and of which no read ever returns: a FUSE file
 * system of that one file, in a mount namespace of the process's own.
 */
#ifndef MICROVM_TESTS_HUNG_FILE_H
#define MICROVM_TESTS_HUNG_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct hung_file {
	int fd;
	uint64_t size;
	pid_t server;       /* a process: with it goes the file system, whoever waits */
	atomic_uint *reads; /* that wait */
};

static inline bool hung_file_namespace(void)
{
	unsigned int uid = getuid();
	char map[32];
	int fd;

	if (uid == 0 && unshare(CLONE_NEWNS) == 0)
		return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, strlen(map)) > 0 && close(fd) == 0;
}

static inline int hung_file_mount_at(const char *path)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char how[96];

	(void)snprintf(how, sizeof(how), "fd=%d,rootmode=100600,user_id=0,group_id=0",
		       fd);
	if (fd >= 0 && mount("hung", path, "fuse", MS_NOSUID | MS_NODEV, how) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Asked of a child: who asks stays where he is */
static inline bool hung_file_possible(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char path[] = "/tmp/microvm-hung.XXXXXX";
		int fd = mkstemp(path);
		bool ok = fd >= 0 && hung_file_namespace() &&
			  hung_file_mount_at(path) >= 0;

		(void)umount2(path, MNT_DETACH);
		(void)unlink(path);
		_exit(!ok);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static inline void hung_file_say(const struct hung_file *h, uint64_t unique, int error,
				 void *data, size_t len)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + len), .error = error, .unique = unique};
	struct iovec v[2] = {{&out, sizeof(out)}, {data, len}};

	(void)!writev(h->fd, v, 2);
}

static inline void hung_file_answer(struct hung_file *h, const struct fuse_in_header *in)
{
	struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION,
				     .minor = FUSE_KERNEL_MINOR_VERSION,
				     .flags = FUSE_ASYNC_READ,
				     .max_write = 131072};
	struct fuse_attr_out attr = {.attr_valid = 3600,
				     .attr = {.ino = FUSE_ROOT_ID,
					      .size = h->size,
					      .blocks = h->size / 512,
					      .mode = S_IFREG | 0600,
					      .nlink = 1,
					      .blksize = 4096}};
	struct fuse_open_out file = {0};
	struct fuse_statfs_out fs = {0};

	switch (in->opcode) {
	case FUSE_INIT:
		return hung_file_say(h, in->unique, 0, &init, sizeof(init));
	case FUSE_GETATTR:
		return hung_file_say(h, in->unique, 0, &attr, sizeof(attr));
	case FUSE_OPEN:
		return hung_file_say(h, in->unique, 0, &file, sizeof(file));
	case FUSE_STATFS:
		return hung_file_say(h, in->unique, 0, &fs, sizeof(fs));
	case FUSE_READ:
		++*h->reads;
		return;
	default:
		return hung_file_say(h, in->unique, -ENOSYS, NULL, 0);
	}
}

static inline _Noreturn void hung_file_serve(struct hung_file *h)
{
	static char msg[256 * 1024];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0); /* no signal of the file's user is for us */
	while (read(h->fd, msg, sizeof(msg)) >= (ssize_t)sizeof(struct fuse_in_header))
		hung_file_answer(h, (const struct fuse_in_header *)(const void *)msg);
	_exit(0);
}

/* hung_file_mount() - @path, which is there, has @size bytes from now on.  Return: done? */
static inline bool hung_file_mount(struct hung_file *h, const char *path, uint64_t size)
{
	*h = (struct hung_file){.fd = -1, .size = size};
	if (hung_file_namespace())
		h->fd = hung_file_mount_at(path);
	if (h->fd < 0)
		return false;
	h->reads = mmap(NULL, sizeof(*h->reads), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	h->server = fork();
	if (h->server == 0)
		hung_file_serve(h);
	close(h->fd);
	return true;
}

/* hung_file_await() - until @n reads wait for ever */
static inline void hung_file_await(const struct hung_file *h, unsigned int n)
{
	while (*h->reads < n)
		(void)usleep(1000);
}

/* hung_file_end() - what waits fails */
static inline void hung_file_end(struct hung_file *h, const char *path)
{
	if (!h->server)
		return;
	(void)kill(h->server, SIGKILL);
	(void)waitpid(h->server, NULL, 0);
	(void)umount2(path, MNT_DETACH);
	munmap(h->reads, sizeof(*h->reads));
	h->server = 0;
}

#endif

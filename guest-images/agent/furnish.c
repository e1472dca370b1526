/* SPDX-License-Identifier: Apache-2.0 */
/*
 * furnish - what a root needs before a job runs in it.  The root may be anybody's, with links where
 * directories are expected, so a child does this that has it as its root: no name leads out of it.
 */
#include "guest-images/agent/root.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-images/agent/copy.h"

#define SECURE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

bool root_make_dir(const char *path, char why[AGENT_SENTENCE + 1])
{
	char part[4096], *p = part;

	if (strlen(path) >= sizeof(part))
		return sentence(why, "a directory's name is too long");
	strcpy(part, path);
	while ((p = strchr(p + 1, '/'))) {
		*p = '\0';
		(void)mkdir(part, 0755);
		*p = '/';
	}
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return sentence(why, "%.200s cannot be made in the root: %s", path,
				strerror(errno));
	return true;
}

static void make_nodes(void)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} nodes[] = {
		{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
		{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
	};
	static const struct {
		const char *path, *to;
	} links[] = {
		{"/dev/ptmx", "pts/ptmx"},          {"/dev/fd", "/proc/self/fd"},
		{"/dev/stdin", "/proc/self/fd/0"},  {"/dev/stdout", "/proc/self/fd/1"},
		{"/dev/stderr", "/proc/self/fd/2"}, {"/dev/core", "/proc/kcore"},
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		(void)mknod(nodes[i].path, S_IFCHR | 0666,
			    makedev(nodes[i].major, nodes[i].minor));
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		(void)!symlink(links[i].to, links[i].path);
}

static bool make_dev(char why[AGENT_SENTENCE + 1])
{
	if (!root_make_dir("/dev", why) ||
	    !root_mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC,
			"mode=755,size=64k", why))
		return false;
	make_nodes();
	(void)mkdir("/dev/pts", 0755);
	(void)mkdir("/dev/shm", 01777);
	(void)mkdir("/dev/mqueue", 01777);
	(void)mount("mqueue", "/dev/mqueue", "mqueue", SECURE, NULL);
	return root_mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
			  "newinstance,ptmxmode=0666,mode=0620,gid=5", why) &&
	       root_mount("tmpfs", "/dev/shm", "tmpfs", SECURE, "mode=1777", why);
}

static bool put_volume(int tree, const char *dst, char why[AGENT_SENTENCE + 1])
{
	if (!root_make_dir(dst, why))
		return false;
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, dst, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return sentence(why, "a volume cannot be mounted at %.200s: %s", dst,
				strerror(errno));
	return true;
}

/* "DST:OPTIONS"; flags that are words in mount(8) are bits in mount(2) */
static bool put_tmpfs(char *value, char why[AGENT_SENTENCE + 1])
{
	char *options = strchr(value, ':'), data[256] = "", *word;
	unsigned long flags = MS_NOSUID | MS_NODEV;
	static const struct {
		const char *word;
		unsigned long set, clear;
	} words[] = {
		{"ro", MS_RDONLY, 0},   {"rw", 0, MS_RDONLY}, {"exec", 0, MS_NOEXEC},
		{"suid", 0, MS_NOSUID}, {"dev", 0, MS_NODEV}, {"noexec", MS_NOEXEC, 0},
		{"nosuid", 0, 0},       {"nodev", 0, 0},      {"noatime", MS_NOATIME, 0}};

	if (options)
		*options++ = '\0';
	while ((word = strsep(&options, ","))) {
		size_t i = 0, used = strlen(data);

		while (i < sizeof(words) / sizeof(words[0]) &&
		       strcmp(word, words[i].word) != 0)
			i++;
		if (i < sizeof(words) / sizeof(words[0]))
			flags = (flags | words[i].set) & ~words[i].clear;
		else if (*word)
			(void)snprintf(data + used, sizeof(data) - used, "%s%s",
				       used ? "," : "", word);
	}
	return root_make_dir(value, why) &&
	       root_mount("tmpfs", value, "tmpfs", flags, data, why);
}

static bool put_nameserver(in_addr_t address, char why[AGENT_SENTENCE + 1])
{
	char text[INET_ADDRSTRLEN];
	int fd;

	(void)inet_ntop(AF_INET, &address, text, sizeof(text));
	if (!root_make_dir("/etc", why))
		return false;
	(void)unlink("/etc/resolv.conf"); /* often a link to what does not run here */
	fd = open("/etc/resolv.conf",
		  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || dprintf(fd, "nameserver %s\n", text) < 0)
		return sentence(why, "/etc/resolv.conf cannot be written: %s",
				strerror(errno));
	close(fd);
	return true;
}

/* In the child */
static bool furnish(const struct root *r, char why[AGENT_SENTENCE + 1])
{
	int trees[ROOT_VOLUMES], files = -1;

	for (unsigned int i = 0; i < r->nvolumes; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/run/volume%u", i);
		trees[i] = (int)syscall(SYS_open_tree, AT_FDCWD, path,
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	}
	if (r->files) {
		modules_load("disk");
		files = open(r->files, O_RDONLY | O_CLOEXEC);
		if (files < 0)
			return sentence(why,
					"the disk %s of --copy-in cannot be read: %s",
					r->files, strerror(errno));
	}
	if (chroot(AGENT_ROOT) < 0 || chdir("/") < 0)
		return sentence(why, "the root cannot be entered: %s", strerror(errno));
	if (!root_make_dir("/proc", why) || !root_make_dir("/sys", why) || !make_dev(why))
		return false;
	for (unsigned int i = 0; i < r->ntmpfs; i++)
		if (!put_tmpfs(r->tmpfs[i], why))
			return false;
	for (unsigned int i = 0; i < r->nvolumes; i++)
		if (!put_volume(trees[i], r->volumes[i].dst, why))
			return false;
	return (!r->nameserver || put_nameserver(r->nameserver, why)) &&
	       (files < 0 || copy_in(files, r->nfiles, why));
}

bool root_furnish(const struct root *r, char why[AGENT_SENTENCE + 1])
{
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return sentence(why, "the root has no process to prepare it: %s",
				strerror(errno));
	if (pid == 0) {
		char said[AGENT_SENTENCE + 1] = "";

		if (!furnish(r, said))
			(void)!write(fds[1], said, strlen(said));
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], why, AGENT_SENTENCE);
	close(fds[0]);
	(void)waitpid(pid, &status, 0);
	if (n == 0 && status == 0)
		return true;
	if (n > 0)
		why[n] = '\0';
	else
		(void)sentence(why, "the root could not be prepared: status %d", status);
	return false;
}

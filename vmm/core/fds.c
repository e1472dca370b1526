/* SPDX-License-Identifier: Apache-2.0 */
/* fds - descriptors numbered by their role, in a machine that is jailed. */
#include "vmm/core/fds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

static const struct {
	int first, count, pages;
} fds_block[] = {
#define FD_BLOCK_ROW(role, first, count, pages) [role] = {first, count, pages},
	FD_BLOCKS(FD_BLOCK_ROW)
#undef FD_BLOCK_ROW
};

_Static_assert(FDS_END == FDS_PAGE * FDS_PAGES, "the end of all pages");
#define FD_BLOCK_CHECK(role, first, count, pages)                                    \
	_Static_assert(((count) & ((count)-1)) == 0 && (first) % (count) == 0 &&     \
			       (first) + (count) <= FDS_PAGE &&                      \
			       ((pages) & ((pages)-1)) == 0 && (pages) <= FDS_PAGES, \
		       #role " is no block that one comparison finds");
FD_BLOCKS(FD_BLOCK_CHECK)
#undef FD_BLOCK_CHECK

/* Written once, by the first thread before there is a second */
static bool fds_on;
/* Likewise. To list them makes the kernel make a file of each */
static bool fds_inherited = true;

/* What a filter lets a thread do with a standard stream it lets it do with number 3, which is in the
 * block: so that is one
 */
static void fds_fill_stdio(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd >= FD_STDIO_FIRST + FD_STDIO_COUNT)
		close(fd);
}

int fds_number(struct err *e)
{
	struct rlimit l;
	int fd;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < FDS_END) {
		l.rlim_cur = MIN(l.rlim_max, (rlim_t)FDS_END);
		if (l.rlim_cur < FDS_PAGE || setrlimit(RLIMIT_NOFILE, &l) < 0)
			return err_set(
				e, EMFILE,
				"only %llu files may be open (ulimit -Hn), and the "
				"jail numbers them up to %d; raise ulimit -Hn to %d, "
				"or start with --jail off",
				(unsigned long long)l.rlim_max, FDS_PAGE - 1, FDS_PAGE);
	}
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FDS_PAGE - 1);
	if (fd < 0)
		return err_set(e, errno, "no file can have the number %d: %s",
			       FDS_PAGE - 1, strerror(errno));
	close(fd);
	if (fcntl(FD_VM_FIRST, F_GETFD) >= 0)
		return err_set(
			e, EBUSY,
			"the process that started us left file %d open, a number that "
			"the jail needs; have it close its files, or start with --jail off",
			FD_VM_FIRST);
	fds_on = true;
	fds_fill_stdio();
	return 0;
}

void fds_look(void)
{
	struct stat st;

	/* Linux 6.2: how many are open; before, 0 */
	fds_inherited = stat("/proc/self/fd", &st) < 0 || st.st_size != STDERR_FILENO + 1;
}

static void fd_drop_inherited(long fd)
{
	int flags = fd > STDERR_FILENO ? fcntl((int)fd, F_GETFD) : -1;

	if (flags >= 0 && !(flags & FD_CLOEXEC))
		close((int)fd);
}

void fds_drop_inherited(void)
{
	struct dirent *de;
	DIR *dir;

	if (!fds_inherited)
		return;
	dir = opendir("/proc/self/fd");

	if (!dir) /* to try each takes longer */
		for (long fd = sysconf(_SC_OPEN_MAX) - 1; fd > STDERR_FILENO; fd--)
			fd_drop_inherited(fd);
	while (dir && (de = readdir(dir)))
		fd_drop_inherited(strtol(de->d_name, NULL, 10));
	if (dir)
		(void)closedir(dir);
	if (fds_on)
		fds_fill_stdio();
}

bool fds_numbered(void)
{
	return fds_on;
}

/* A copy of @fd in the block's part of @page.  Return: -EMFILE: that is full, or above the limit */
static int fd_copy(int fd, enum fd_role role, int page)
{
	int first = fds_block[role].first + page * FDS_PAGE, to;

	to = fcntl(fd, F_DUPFD_CLOEXEC, first);
	if (to < 0)
		return errno == EINVAL ? -EMFILE : -errno;
	if (to < first + fds_block[role].count)
		return to;
	close(to);
	return -EMFILE;
}

/* Is @fd in the block already? */
static bool fd_has_place(int fd, enum fd_role role)
{
	int at = fd % FDS_PAGE - fds_block[role].first;

	return at >= 0 && at < fds_block[role].count &&
	       fd / FDS_PAGE < fds_block[role].pages;
}

int fd_place(int fd, enum fd_role role)
{
	bool low = fd < FD_STDIO_FIRST + FD_STDIO_COUNT;
	int to = -EMFILE;

	if (fd < 0)
		return -errno;
	if (!fds_on || fd_has_place(fd, role))
		return fd;
	for (int page = 0; to == -EMFILE && page < fds_block[role].pages; page++)
		to = fd_copy(fd, role, page);
	close(fd);
	if (low)
		fds_fill_stdio();
	if (to < 0)
		errno = -to;
	return to;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* file - a kernel or an initrd as the operator named it: opened once and checked. */
#include "boot/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

static int boot_file_check(struct boot_file *f, struct err *e)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return err_set(e, errno, "%s %s: cannot be looked at: %s", f->what,
			       f->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "%s %s: is a directory; name a file in it",
			       f->what, f->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL,
			       "%s %s: is not a regular file; copy it into one first",
			       f->what, f->path);
	if (st.st_size == 0)
		return err_set(e, EINVAL, "%s %s: is empty; fetch or build it again",
			       f->what, f->path);
	f->size = (uint64_t)st.st_size;
	return 0;
}

int boot_file_open(struct boot_file *f, const char *what, const char *path, struct err *e)
{
	int rc;

	*f = (struct boot_file){.what = what, .path = path, .fd = -1};
	/* O_NONBLOCK: refuse a FIFO instead of waiting for it. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return err_set(e, errno, "%s %s: cannot be opened: %s; check the path%s",
			       what, path, strerror(errno),
			       errno == EACCES ? " and its permissions" : "");
	rc = boot_file_check(f, e);
	if (rc < 0)
		boot_file_close(f);
	return rc;
}

void boot_file_close(struct boot_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

long boot_file_read(const struct boot_file *f, void *dst, size_t len, uint64_t off)
{
	if (off >= f->size)
		return 0;
	return pread_full(f->fd, dst, MIN(len, f->size - off), f->at + off);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* squash_file - the file that squash writes, for the library: a descriptor, and why it failed. */
#include "vmm/image/squash_impl.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

static struct squash_file *file_of(const sqfs_file_t *f)
{
	return (struct squash_file *)(uintptr_t)f; /* @file comes first */
}

static int file_failed(struct squash_file *f, int code)
{
	int none = 0;

	(void)__atomic_compare_exchange_n(&f->failed, &none, code, false,
					  __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return SQFS_ERROR_IO;
}

static int file_read(sqfs_file_t *file, sqfs_u64 at, void *p, size_t n)
{
	struct squash_file *f = file_of(file);
	long rc = pread_full(f->fd, p, n, at);

	if (rc < 0)
		return file_failed(f, (int)-rc);
	return (size_t)rc == n ? 0 : SQFS_ERROR_OUT_OF_BOUNDS;
}

static int file_write(sqfs_file_t *file, sqfs_u64 at, const void *p, size_t n)
{
	struct squash_file *f = file_of(file);
	const uint8_t *from = p;

	while (n) {
		ssize_t done = pwrite(f->fd, from, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return file_failed(f, done < 0 ? errno : EIO);
		from += done;
		at += (uint64_t)done;
		n -= (size_t)done;
	}
	return 0;
}

static sqfs_u64 file_size(const sqfs_file_t *file)
{
	off_t end = lseek(file_of(file)->fd, 0, SEEK_END);

	return end < 0 ? 0 : (sqfs_u64)end;
}

static int file_truncate(sqfs_file_t *file, sqfs_u64 size)
{
	struct squash_file *f = file_of(file);

	return ftruncate(f->fd, (off_t)size) < 0 ? file_failed(f, errno) : 0;
}

static void file_destroy(sqfs_object_t *o)
{
	(void)o; /* it is in struct squash, and the descriptor is another's */
}

void squash_file(struct squash_file *f, int fd)
{
	*f = (struct squash_file){.file = {.base = {.destroy = file_destroy},
					   .read_at = file_read,
					   .write_at = file_write,
					   .get_size = file_size,
					   .truncate = file_truncate},
				  .fd = fd};
}

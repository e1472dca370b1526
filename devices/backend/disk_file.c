/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_file - open a raw image or block device: explain a failure, lock it against other users,
 * read the host's values for its blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "devices/backend/disk_engine.h"
#include "vmm/core/disk_format.h"
#include "vmm/core/fds.h"
#include "vmm/core/log.h"
#include "vmm/core/shell.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"

#define DISK_BLOCK_MAX 65536 /* upper bound for values from the host */

static const char *disk_kind(mode_t mode)
{
	if (S_ISFIFO(mode))
		return "a FIFO";
	if (S_ISSOCK(mode))
		return "a socket";
	return "a character device";
}

static int disk_check_kind(const char *path, const struct stat *st, struct err *e)
{
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		return err_set(e, EINVAL,
			       "disk %s is a directory; give an image file or a block "
			       "device, or share the directory: --share %s",
			       path, SHELL_VALUE("", path));
	return err_set(e, EINVAL, "disk %s is %s; give an image file or a block device",
		       path, disk_kind(st->st_mode));
}

bool disk_file_same(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* How to make a missing image of format @f */
static int disk_explain_missing(const char *p, enum disk_format f, struct err *e)
{
	if (strstr(p, "://"))
		return err_set(
			e, ENOENT,
			"disk %s is no file here but an address; fetch the image, or "
			"have qemu-storage-daemon serve it: vhost-user=SOCKET",
			p);
	if (f != DISK_FORMAT_RAW)
		return err_set(e, ENOENT,
			       "disk %s does not exist; check the path, or create it: "
			       "qemu-img create -f %s %s 1G",
			       p, disk_format_name(f), SHELL_WORD(p));
	return err_set(e, ENOENT,
		       "disk %s does not exist; check the path, or create it: "
		       "truncate -s 1G %s",
		       p, SHELL_WORD(p));
}

int disk_explain_open(const char *p, enum disk_format f, bool readonly, int code,
		      struct err *e)
{
	switch (code) {
	case ENOENT:
		return disk_explain_missing(p, f, e);
	case ENOTDIR:
		return err_set(e, code, "disk %s: a part of the path is not a directory",
			       p);
	case EACCES:
	case EPERM:
		if (!readonly && faccessat(AT_FDCWD, p, R_OK, AT_EACCESS) == 0)
			return err_set(e, code,
				       "disk %s cannot be written by this user; add ,ro "
				       "or change its permissions",
				       p);
		return err_set(e, code,
			       "disk %s cannot be read by this user; change its "
			       "permissions or run as a user who may",
			       p);
	case EROFS:
		return err_set(e, code, "disk %s is on a read-only file system; add ,ro",
			       p);
	case EBUSY:
		return err_set(
			e, code,
			"disk %s is in use by this host, probably mounted; unmount "
			"it or add ,ro",
			p);
	default:
		return err_set(e, code, "disk %s cannot be opened: %s", p,
			       strerror(code));
	}
}

static int disk_open_error(const struct disk *d, int code, struct err *e)
{
	return disk_explain_open(d->path, DISK_FORMAT_RAW, d->readonly, code, e);
}

static int disk_not_direct(const struct disk *d, struct err *e)
{
	return err_set(e, EINVAL,
		       "disk %s is on a file system without O_DIRECT; remove ,direct",
		       d->path);
}

/* disk_open_fd() chose the flags for the kind of file that it @saw. Return: @fd, or -errno */
static int disk_check_opened(const struct disk *d, int fd, mode_t saw, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == (saw & S_IFMT))
		return fd;
	close(fd);
	return err_set(e, ESTALE,
		       "disk %s became another file at this moment; start again",
		       d->path);
}

/* O_EXCL on a block device that we write: then the kernel refuses a mounted one. */
static int disk_open_fd(const struct disk *d, struct err *e)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (d->readonly ? O_RDONLY : O_RDWR);
	struct stat st;
	int fd, rc;

	if (stat(d->path, &st) < 0)
		return disk_open_error(d, errno, e);
	rc = disk_check_kind(d->path, &st, e);
	if (rc < 0)
		return rc;
	if (d->direct)
		flags |= O_DIRECT;
	if (!d->readonly && S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	/* the io_uring of a machine that has just ended lets go of its device a little later */
	for (unsigned int n = 0;; n++) {
		fd = open(d->path, flags);
		if (fd >= 0 || errno != EBUSY || !signals_outwait(n))
			break;
	}
	if (fd < 0 && errno == EINVAL && d->direct)
		return disk_not_direct(d, e);
	return fd < 0 ? disk_open_error(d, errno, e)
		      : disk_check_opened(d, fd, st.st_mode, e);
}

/* For a file that was opened elsewhere, without O_DIRECT */
static int disk_make_direct(const struct disk *d, struct err *e)
{
	int flags = fcntl(d->fd, F_GETFL);

	if (!d->direct || fcntl(d->fd, F_SETFL, flags | O_DIRECT) == 0)
		return 0;
	return disk_not_direct(d, e);
}

static int disk_try_lock(int fd, const struct flock *want)
{
	for (unsigned int n = 0;; n++) {
		struct flock l = *want;

		if (fcntl(fd, F_OFD_SETLK, &l) == 0)
			return 0;
		if ((errno != EAGAIN && errno != EACCES) || !signals_outwait(n))
			return -1;
	}
}

/* OFD locks: they belong to the open file, so they work between two disks of one machine and end
 * with the last descriptor, whatever thread or process closes it.
 */
static int disk_lock(struct disk *d, struct err *e)
{
	struct flock want = {.l_type = d->readonly ? F_RDLCK : F_WRLCK,
			     .l_whence = SEEK_SET};
	struct flock held = want;

	if (disk_try_lock(d->fd, &want) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		log_warn("disk %s cannot be locked (%s): make sure that nobody else "
			 "writes to it",
			 d->path, strerror(errno));
		return 0;
	}
	if (fcntl(d->fd, F_OFD_GETLK, &held) < 0 || held.l_type == F_UNLCK)
		held.l_type = F_WRLCK;
	if (held.l_type == F_RDLCK)
		return err_set(e, EBUSY,
			       "disk %s is in use by another process (read-only), or "
			       "given here twice, so it cannot be written; stop that "
			       "one, or add ,ro",
			       d->path);
	return err_set(e, EBUSY,
		       "disk %s is in use by another process (read-write), probably "
		       "another microvm, or given here twice; stop that one, or copy "
		       "the disk",
		       d->path);
}

/* A kernel of 2022 releases files registered with an io_uring up to a second later */
void disk_file_close(struct disk *d)
{
	struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	(void)fcntl(d->fd, F_OFD_SETLK, &none);
	close(d->fd);
	d->fd = -1;
}

int disk_file_size(const struct disk *d, uint64_t *size)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return -errno;
	*size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(d->fd, BLKGETSIZE64, size) < 0)
		return -errno;
	return 0;
}

static int disk_size(struct disk *d, struct err *e)
{
	int rc = disk_file_size(d, &d->size);

	if (rc < 0)
		return err_set(e, -rc, "disk %s does not tell its size: %s", d->path,
			       strerror(-rc));
	if (d->size == 0)
		return err_set(e, EINVAL,
			       "disk %s is empty; give it a size: truncate -s 1G %s",
			       d->path, SHELL_WORD(d->path));
	if (d->size % DISK_SECTOR)
		return err_set(
			e, EINVAL,
			"disk %s has %llu bytes, not a multiple of 512; is it a "
			"raw image, and complete?  To pad it: truncate -s %%512 %s",
			d->path, (unsigned long long)d->size, SHELL_WORD(d->path));
	return 0;
}

/* A host value as a power of two between @min and DISK_BLOCK_MAX */
static uint32_t disk_sane_block(uint64_t v, uint32_t min)
{
	if (v < min || v > DISK_BLOCK_MAX || (v & (v - 1)))
		return min;
	return (uint32_t)v;
}

static void disk_topology(struct disk *d, const struct stat *st)
{
	unsigned int phys = 0, min = 0, opt = 0;
	int logical = 0, off = 0;

	d->block = DISK_SECTOR;
	d->physical = disk_sane_block((uint64_t)st->st_blksize, DISK_SECTOR);
	d->io_min = d->physical;
	if (!S_ISBLK(st->st_mode))
		return;
	if (ioctl(d->fd, BLKSSZGET, &logical) == 0 && logical > 0)
		d->block = disk_sane_block((uint64_t)logical, DISK_SECTOR);
	d->physical = d->block;
	if (ioctl(d->fd, BLKPBSZGET, &phys) == 0)
		d->physical = disk_sane_block(phys, d->block);
	if (ioctl(d->fd, BLKALIGNOFF, &off) == 0 && off > 0)
		d->block_off = (uint32_t)off;
	d->io_min = d->physical;
	if (ioctl(d->fd, BLKIOMIN, &min) == 0 && min >= d->block)
		d->io_min = min;
	if (ioctl(d->fd, BLKIOOPT, &opt) == 0)
		d->io_opt = opt;
}

/* Can one 512-byte sector be read into a buffer of only this alignment? */
static bool disk_probe_512(struct disk *d)
{
	_Alignas(2 * DISK_SECTOR) uint8_t buf[2 * DISK_SECTOR];
	struct iovec v = {buf + DISK_SECTOR, DISK_SECTOR};

	return preadv2(d->fd, &v, 1, 0, 0) == DISK_SECTOR;
}

/* O_DIRECT's alignment here. Offsets and lengths are the guest's: it is told a block size that
 * fits. Its buffers may lie anywhere: the engine copies those that do not fit.
 */
static int disk_direct_alignment(struct disk *d, struct err *e)
{
	struct statx sx = {0};
	uint32_t block;

	if (statx(d->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    (sx.stx_mask & STATX_DIOALIGN)) {
		if (!sx.stx_dio_offset_align)
			return err_set(
				e, EINVAL,
				"disk %s does not support O_DIRECT; remove ,direct",
				d->path);
		block = disk_sane_block(sx.stx_dio_offset_align, DISK_SECTOR);
		d->dio_mem = MAX(sx.stx_dio_mem_align, 1U);
	} else {
		block = disk_probe_512(d) ? DISK_SECTOR : (uint32_t)PAGE_SIZE;
		d->dio_mem = block;
	}
	d->block = MAX(d->block, block);
	d->physical = MAX(d->physical, d->block);
	d->io_min = MAX(d->io_min, d->block);
	if (d->size % d->block)
		return err_set(
			e, EINVAL,
			"disk %s has %llu bytes, and direct access to it works in "
			"blocks of %u; pad it (truncate -s %%%u %s) or remove ,direct",
			d->path, (unsigned long long)d->size, d->block, d->block,
			SHELL_WORD(d->path));
	return 0;
}

/* Does another host or process, which can hang, serve the bytes? The part of a call that io_uring
 * does at submission may then wait for it, and the kernel's threads for the rest are limited in
 * number for all disks together.
 */
static bool disk_is_remote(const struct disk *d)
{
	static const unsigned int type[] = {
		FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC,
		SMB2_SUPER_MAGIC, V9FS_MAGIC,      CEPH_SUPER_MAGIC, AFS_FS_MAGIC};
	struct statfs st;

	if (d->device || fstatfs(d->fd, &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(type); i++)
		if ((unsigned int)st.f_type == type[i])
			return true;
	return false;
}

int disk_file_open(struct disk *d, struct err *e)
{
	struct stat st;
	int rc;

	if (d->fd < 0)
		rc = d->fd = disk_open_fd(d, e);
	else
		rc = disk_make_direct(d, e);
	if (rc < 0)
		return rc;
	if (fstat(d->fd, &st) < 0)
		return err_set(e, errno, "disk %s: %s", d->path, strerror(errno));
	if (S_ISBLK(st.st_mode) && (d->fd = fd_place(d->fd, FD_DISK)) < 0)
		return err_set(e, errno, "disk %s: %s", d->path, strerror(errno));
	rc = disk_lock(d, e);
	if (rc == 0)
		rc = disk_size(d, e);
	if (rc < 0)
		return rc;
	d->device = S_ISBLK(st.st_mode);
	d->remote = disk_is_remote(d);
	disk_topology(d, &st);
	return d->direct ? disk_direct_alignment(d, e) : 0;
}

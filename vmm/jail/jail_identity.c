/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail_identity - started as root, a machine gets a user and a group that no other process has.
 *
 * Numbers are taken from a range that distributions leave alone (systemd's UIDS-GIDS: 0x70000000
 * to 0x7fffffff is unused); which ones are in use, locks on the bytes of one file say, and the
 * kernel lets go of a lock when its process ends, however it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/jail/jail_steps.h"

#define IDENTITY_DIR   "/run/microvm"
#define IDENTITY_FILE  IDENTITY_DIR "/ids"
#define IDENTITY_FIRST 0x7a000000U
#define IDENTITY_COUNT 65536

/* Another user could replace the file, and two machines would get the same number */
static bool identity_is_ours(int fd)
{
	struct stat dir, file;

	return lstat(IDENTITY_DIR, &dir) == 0 && fstat(fd, &file) == 0 &&
	       S_ISDIR(dir.st_mode) && dir.st_uid == geteuid() && !(dir.st_mode & 022) &&
	       file.st_uid == geteuid() && !(file.st_mode & 022);
}

int jail_claim(int *lock)
{
	int fd;

	*lock = -1;
	if (mkdir(IDENTITY_DIR, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(IDENTITY_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		  0600);
	if (fd < 0)
		return -errno;
	if (!identity_is_ours(fd)) {
		close(fd);
		return -EPERM;
	}
	/* begin where few others do, and go around once */
	for (unsigned int i = 0; i < IDENTITY_COUNT; i++) {
		unsigned int n = ((unsigned int)getpid() + i) % IDENTITY_COUNT;
		struct flock l = {.l_type = F_WRLCK, .l_start = (off_t)n, .l_len = 1};

		if (fcntl(fd, F_OFD_SETLK, &l) == 0) {
			*lock = fd;
			return (int)n;
		}
		if (errno != EAGAIN && errno != EACCES)
			break;
	}
	close(fd);
	return -EAGAIN;
}

int jail_identity(const struct jail *j)
{
	uid_t id = IDENTITY_FIRST + (uid_t)j->identity;

	if (!j->root)
		return -EALREADY;
	if (j->identity < 0)
		return j->identity;
	/* root of a user namespace: nobody outside, and it has no such numbers */
	if (setresgid(id, id, id) < 0 && errno == EINVAL)
		return -EALREADY;
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 ||
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresuid(id, id, id) < 0)
		return -errno;
	jail_raise_two(); /* if there will be no user namespace, which gives it as well */
	/* a change of uid clears it */
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

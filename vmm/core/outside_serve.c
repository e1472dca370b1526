/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside_serve - what is done for a slot, and which rights below directories that takes. A broker does
 * it under its filter (vmm/jail/filter_rules.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/outside_impl.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

static struct slot *slot_of(uint32_t nr, enum slot_kind kind)
{
	return nr < OUTSIDE_SLOTS_MAX && outside_slots[nr].kind == kind
		       ? &outside_slots[nr]
		       : NULL;
}

static int slot_connect(const struct slot *s, uint32_t port)
{
	char path[PATH_MAX + 16];

	if (port == OUTSIDE_NO_PORT)
		return unix_connect(s->path);
	(void)snprintf(path, sizeof(path), "%s_%u", s->path, port);
	return unix_connect(path);
}

/* The file under our name, if it is still ours, becomes PATH.1 */
static int slot_put_aside(const struct slot *s)
{
	char old[NAME_MAX + 3];
	struct stat named;

	if (fstatat(s->fd, s->base, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno; /* it was moved already */
	if (named.st_dev != s->dev || named.st_ino != s->ino)
		return 0;
	(void)snprintf(old, sizeof(old), "%s.1", s->base);
	return renameat(s->fd, s->base, s->fd, old) < 0 ? -errno : 0;
}

static int slot_anew(struct slot *s)
{
	const int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
			  O_CREAT | O_NOFOLLOW;
	struct stat st;
	int fd, rc = slot_put_aside(s);

	if (rc < 0)
		return rc;
	fd = openat(s->fd, s->base, flags, s->mode);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EEXIST;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return fd;
}

/* Like the first one, which is like the older file was */
static int slot_rewrite(struct slot *s)
{
	replace_drop(&s->again, s->fd);
	return replace_again(&s->again, s->fd, s->base, s->like);
}

static int slot_put(struct slot *s, bool again)
{
	struct replace *r = again ? &s->again : &s->first;

	return r->tmp ? replace_put(r, s->fd, s->base) : -EINVAL;
}

static int slot_end(const struct slot *s, bool now)
{
	int sig = now ? SIGKILL : SIGTERM;

	return syscall(SYS_pidfd_send_signal, s->fd, sig, NULL, 0) < 0 ? -errno : 0;
}

int outside_serve(const struct outside_question *q, int *fd)
{
	struct slot *s;
	int rc = -EINVAL;

	*fd = -1;
	switch (q->verb) {
	case OUTSIDE_CONNECT:
		s = slot_of(q->slot, SLOT_PEER);
		rc = s ? slot_connect(s, q->arg) : rc;
		break;
	case OUTSIDE_ANEW:
		s = slot_of(q->slot, SLOT_LOG);
		rc = s ? slot_anew(s) : rc;
		break;
	case OUTSIDE_REWRITE:
		s = slot_of(q->slot, SLOT_FILE);
		rc = s ? slot_rewrite(s) : rc;
		break;
	case OUTSIDE_PUT:
		s = slot_of(q->slot, SLOT_FILE);
		return s ? slot_put(s, q->arg != 0) : rc;
	case OUTSIDE_REMOVE:
		s = slot_of(q->slot, SLOT_MADE);
		return s ? slot_remove(s) : rc;
	case OUTSIDE_END:
		s = slot_of(q->slot, SLOT_HELPER);
		return s ? slot_end(s, q->arg != 0) : rc;
	default:
		return -ENOSYS;
	}
	*fd = MAX(rc, -1);
	return MIN(rc, 0);
}

unsigned int outside_rules(struct landlock_rule rule[OUTSIDE_SLOTS_MAX], bool *peers)
{
	const uint64_t writes = LANDLOCK_ACCESS_FS_MAKE_REG |
				LANDLOCK_ACCESS_FS_WRITE_FILE |
				LANDLOCK_ACCESS_FS_REMOVE_FILE;
	unsigned int n = 0;

	*peers = false;
	for (unsigned int i = 0; i < outside_slots_end; i++) {
		const struct slot *s = &outside_slots[i];
		bool write = s->kind == SLOT_LOG || s->kind == SLOT_FILE;

		*peers |= s->kind == SLOT_PEER;
		if (slot_has_dir(s->kind))
			rule[n++] = (struct landlock_rule){
				.fd = s->fd,
				.may = write ? writes : LANDLOCK_ACCESS_FS_REMOVE_FILE};
	}
	return n;
}

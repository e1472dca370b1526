/* SPDX-License-Identifier: Apache-2.0 */
/* outside_told - the table of paths, told to another process. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/outside_impl.h"
#include "vmm/core/outside_wire.h"
#include "vmm/core/util.h"

/* As the other process is told of it, with the slot's descriptor */
struct slot_told {
	uint32_t slot, kind;
	uint64_t dev, ino;
	uint32_t mode, unused;
	char path[PATH_MAX]; /* as much of it as is needed */
};
_Static_assert(sizeof(struct slot_told) <= OUTSIDE_TELL_MAX, "room for one");

static int slots_wire = -1; /* of outside_part() */

void outside_part(int wire)
{
	slots_wire = wire;
	for (unsigned int i = 0; i < outside_slots_end; i++)
		outside_slots[i].both = outside_slots[i].kind != SLOT_FREE;
}

static int slot_tell(uint32_t nr)
{
	const struct slot *s = &outside_slots[nr];
	struct slot_told t = {.slot = nr,
			      .kind = s->kind,
			      .dev = s->dev,
			      .ino = s->ino,
			      .mode = s->mode};
	size_t len = strlen(s->path);

	if (len >= sizeof(t.path))
		return -ENAMETOOLONG;
	memcpy(t.path, s->path, len);
	return wire_send(slots_wire, &t, offsetof(struct slot_told, path) + len + 1,
			 false, s->fd);
}

/* A process that is locked up has no directory of the host's */
static void slot_close_dir(struct slot *s)
{
	if (!slot_has_dir(s->kind))
		return;
	cleanup_close_fd(&s->fd);
	s->fd = -1;
}

int outside_ask(void)
{
	const struct outside_question q = {.verb = OUTSIDE_LOCKED};
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < outside_slots_end; i++) {
		if (outside_slots[i].kind != SLOT_FREE && !outside_slots[i].both)
			rc = slot_tell(i);
		if (rc == 0)
			slot_close_dir(&outside_slots[i]);
	}
	if (rc < 0)
		return rc;
	wire_open(slots_wire);
	return wire_send(slots_wire, &q, sizeof(q), false, -1);
}

int outside_wait(void)
{
	int32_t answer;
	long n = wire_receive(slots_wire, &answer, sizeof(answer), false, NULL);

	if (n < 0 && n != -ECONNRESET)
		return (int)n;
	return n <= 0 || wire_is_closed(slots_wire) ? -ESRCH : 0;
}

/* A file to be replaced is made by the one that is asked, before the two part */
static bool told_is_one(const struct slot_told *t, size_t len, int passed)
{
	const size_t head = offsetof(struct slot_told, path);
	struct stat st;

	if (len <= head || len > sizeof(*t) || t->path[len - head - 1] != '\0' ||
	    t->slot >= OUTSIDE_SLOTS_MAX || outside_slots[t->slot].kind != SLOT_FREE)
		return false;
	if (t->kind == SLOT_PEER || t->kind == SLOT_HELPER)
		return (passed >= 0) == (t->kind == SLOT_HELPER);
	return slot_has_dir((enum slot_kind)t->kind) && t->kind != SLOT_FILE &&
	       passed >= 0 && fstat(passed, &st) == 0 && S_ISDIR(st.st_mode);
}

int outside_hear(const void *msg, size_t len, int passed)
{
	const struct slot_told *t = msg;
	struct slot *s;

	if (!told_is_one(t, len, passed)) {
		cleanup_close_fd(&passed);
		return -EINVAL;
	}
	s = &outside_slots[t->slot];
	*s = (struct slot){.kind = (enum slot_kind)t->kind,
			   .path = strdup(t->path),
			   .fd = passed,
			   .dev = t->dev,
			   .ino = t->ino,
			   .mode = t->mode & 0777,
			   .like = -1,
			   .heard = true};
	if (!s->path) {
		cleanup_close_fd(&s->fd);
		*s = (struct slot){.kind = SLOT_FREE};
		return -ENOMEM;
	}
	s->base = slot_base(s->path);
	outside_slots_end = MAX(outside_slots_end, t->slot + 1);
	return 0;
}

void outside_drop_heard(void)
{
	for (unsigned int i = 0; i < outside_slots_end; i++)
		if (outside_slots[i].heard)
			outside_drop((int)i);
}

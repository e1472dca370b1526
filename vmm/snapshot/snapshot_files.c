/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_files - are the disks as they were?  Section "files", the last one.
 *
 * A file is known by its length, its number and the time of its last change; a copy, which has others, by sums
 * of its beginning and end, where file systems and partitions have what changes with each mount.
 */
#include "vmm/snapshot/snapshot_files.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include "vmm/core/util.h"

#define FILES_PIECE (64 * KIB)
#define FILES_HEAD  (256 * KIB) /* with the bits of an overlay for 126 GiB */

struct file_identity {
	uint64_t size, dev, ino;
	uint64_t changed_ns;
	uint32_t head, tail; /* sums */
};

/* By the engines' own call, which the jail allows; @buf suits O_DIRECT. Return: 0 or -errno */
static int files_sum(const struct machine_file *f, uint8_t *buf, uint64_t at,
		     uint64_t end, uint32_t *sum)
{
	while (at < end) {
		struct iovec iov = {.iov_base = buf, .iov_len = FILES_PIECE};
		ssize_t n = preadv2(f->fd, &iov, 1, (off_t)at, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*sum = (uint32_t)crc32_z(*sum, buf, (size_t)MIN((uint64_t)n, end - at));
		at += (uint64_t)n;
		if ((uint64_t)n % PAGE_SIZE)
			break; /* the end of the file */
	}
	return 0;
}

static int files_sums(const struct machine_file *f, struct file_identity *id)
{
	uint64_t tail = ALIGN_DOWN(id->size - MIN(id->size, FILES_PIECE), PAGE_SIZE);
	uint8_t *buf = aligned_alloc(PAGE_SIZE, FILES_PIECE);
	int rc = buf ? files_sum(f, buf, 0, MIN(FILES_HEAD, id->size), &id->head)
		     : -ENOMEM;

	if (rc == 0)
		rc = files_sum(f, buf, tail, id->size, &id->tail);
	free(buf);
	return rc;
}

static int files_look(const struct machine_file *f, struct file_identity *id)
{
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	*id = (struct file_identity){
		.size = f->device ? f->size : (uint64_t)st.st_size,
		.dev = f->device ? st.st_rdev : st.st_dev,
		.ino = f->device ? 0 : st.st_ino,
		.changed_ns = f->device ? 0
					: (uint64_t)st.st_mtim.tv_sec * 1000000000 +
						  (uint64_t)st.st_mtim.tv_nsec};
	return 0;
}

int snapshot_files_sync(const struct machine_file *f, unsigned int n, unsigned int *which)
{
	for (*which = 0; *which < n; ++*which)
		if (!f[*which].readonly && fdatasync(f[*which].fd) < 0)
			return -errno;
	return 0;
}

static void files_fields(struct file_identity *id, struct state *s)
{
	state_u64(s, &id->size);
	state_u64(s, &id->dev);
	state_u64(s, &id->ino);
	state_u64(s, &id->changed_ns);
	state_u32(s, &id->head);
	state_u32(s, &id->tail);
}

static void files_changed(struct state *s, const struct machine_file *f, const char *what)
{
	state_failf(s,
		    "%s: %s %s; give it back as it was, or a copy from then by --disk "
		    "%s=COPY",
		    f->id, f->path, what, f->id);
}

static bool files_same(const struct file_identity *a, const struct file_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/* @was: when it was saved */
static void files_compare(struct state *s, const struct machine_file *f,
			  const struct file_identity *was)
{
	struct file_identity now = {.size = 0};
	bool same;
	int rc = files_look(f, &now);

	same = files_same(was, &now);
	if (rc < 0) {
		state_failf(s, "%s: cannot look at %s: %s", f->id, f->path,
			    strerror(-rc));
	} else if (was->size != now.size) {
		state_failf(s,
			    "%s: %s has %" PRIu64 " bytes, and had %" PRIu64
			    " when the machine was saved; give it back as it was, or a "
			    "copy from then by --disk %s=COPY",
			    f->id, f->path, now.size, was->size, f->id);
	} else if (same && was->changed_ns != now.changed_ns) {
		files_changed(s, f, "was written to after the machine was saved");
	} else if (!same || f->device || f->mapped) {
		rc = files_sums(f, &now);
		if (rc < 0)
			state_failf(s, "%s: cannot read %s: %s", f->id, f->path,
				    strerror(-rc));
		else if (was->head != now.head || was->tail != now.tail)
			files_changed(s, f,
				      "is not what the machine had: its first or last "
				      "bytes are others");
	}
}

/* An overlay that is new here changes nothing of what the guest sees */
static unsigned int files_skip(struct state *s, const struct machine_file *f,
			       unsigned int n, unsigned int i, const char *id,
			       bool overlay)
{
	while (i < n && f[i].overlay && (strcmp(f[i].id, id) != 0 || !overlay)) {
		if (!f[i].empty)
			state_failf(s,
				    "%s: the machine was saved without the overlay %s, "
				    "which is not empty; name a new file",
				    f[i].id, f[i].path);
		i++;
	}
	return i;
}

static void files_load(struct state *s, const struct machine_file *f, unsigned int n)
{
	uint32_t count = 0;
	unsigned int i = 0;

	state_u32(s, &count);
	for (uint32_t k = 0; state_ok(s) && k < count; k++) {
		char id[STATE_NAME_SIZE] = "";
		struct file_identity was = {.size = 0};
		bool overlay = false;

		state_bytes(s, id, sizeof(id) - 1);
		state_bool(s, &overlay);
		files_fields(&was, s);
		if (!state_ok(s))
			return;
		i = files_skip(s, f, n, i, id, overlay);
		if (i == n || strcmp(f[i].id, id) != 0 || f[i].overlay != overlay)
			state_failf(
				s,
				"%.15s: it was saved with %s, which it lacks here; give "
				"it by --disk",
				text_control(id) ? "?" : id,
				overlay ? "an overlay" : "a file");
		else
			files_compare(s, &f[i++], &was);
	}
	if (state_ok(s) && files_skip(s, f, n, i, "", false) != n)
		state_failf(s, "%s: the machine was saved without it", f[i].id);
}

static void files_save(struct state *s, const struct machine_file *f, unsigned int n)
{
	uint32_t count = n;

	state_u32(s, &count);
	for (unsigned int i = 0; i < n; i++) {
		char id[STATE_NAME_SIZE] = "";
		struct file_identity now = {.size = 0};
		bool overlay = f[i].overlay;
		int rc = files_look(&f[i], &now);

		/* or no disk would ever be the one that both sections are about */
		if (rc == 0 && !f[i].overlay && now.size != f[i].size)
			state_failf(s,
				    "%s: %s has %" PRIu64
				    " bytes, and the guest was told "
				    "of %" PRIu64 "; tell it by resize-disk, then save",
				    f[i].id, f[i].path, now.size, f[i].size);
		if (rc == 0)
			rc = files_sums(&f[i], &now);
		if (rc < 0)
			state_failf(s, "%s: cannot read %s: %s", f[i].id, f[i].path,
				    strerror(-rc));
		memcpy(id, f[i].id, strnlen(f[i].id, sizeof(id) - 1));
		state_bytes(s, id, sizeof(id) - 1);
		state_bool(s, &overlay);
		files_fields(&now, s);
	}
}

void snapshot_files_state(struct state *s, const struct machine_file *f, unsigned int n)
{
	state_begin(s, "files", 1);
	if (!state_loading(s))
		files_save(s, f, n);
	else if (state_ok(s))
		files_load(s, f, n);
	state_end(s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_save - a machine that runs is saved into two files that a client opened.
 *
 * The loop has it rest and collects the state of vCPUs and devices; a worker writes memory and state,
 * and the machine goes on when they are on stable storage, or when one of them failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/core/gmem_data.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine_ops.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/snapshot_files.h"
#include "vmm/snapshot/snapshot_parts.h"

#define SAVE_PIECE (16 * MIB)

struct snapshot_saver {
	struct machine *m;
	char *settings;
	int pagemap;
	bool busy, was_paused;
	_Atomic bool alone; /* that client left while the worker writes: it ends early */
	int state_fd, memory_fd;
	struct machine_ops ops;
	struct machine_asker pause; /* ours */
	struct machine_asker
		*asker; /* the client that hears how it went; NULL: it has left */
	struct state state;
	struct work work;
	struct machine_file file[MACHINE_FILES_MAX];
	unsigned int nfile, unsynced; /* whose flush failed; @nfile: none did */
	struct err failure;           /* of the work */
};

/* ---- the files, on a worker ---- */

static int save_bytes(const struct snapshot_saver *s, int fd, const uint8_t *p,
		      uint64_t len, uint64_t at)
{
	while (len) {
		struct iovec iov = {.iov_base = (void *)(uintptr_t)p,
				    .iov_len = (size_t)MIN(len, SAVE_PIECE)};
		ssize_t n = pwritev2(fd, &iov, 1, (off_t)at, 0);

		if (s->alone || s->m->has_verdict)
			return -ECANCELED;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* A descriptor that appends writes elsewhere than it is told: then the file has another length */
static int save_sync(int fd, uint64_t len)
{
	struct stat st;

	if (fdatasync(fd) < 0 || fstat(fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size == len ? 0 : -ESPIPE;
}

/* A run may hold whole pages of zeroes, if the host has it in huge pages: they become holes */
static int save_run(const struct snapshot_saver *s, const struct gmem_run *run,
		    uint64_t at)
{
	static const uint8_t zero[PAGE_SIZE];
	uint64_t from = 0;
	int rc = 0;

	for (uint64_t off = 0; rc == 0 && off <= run->len; off += PAGE_SIZE) {
		if (off < run->len && memcmp(run->host + off, zero, PAGE_SIZE) != 0)
			continue;
		if (off > from)
			rc = save_bytes(s, s->memory_fd, run->host + from, off - from,
					at + from);
		from = off + PAGE_SIZE;
	}
	return rc;
}

static int save_memory(const struct snapshot_saver *s)
{
	const struct gmem *m = &s->m->mem;
	struct gmem_walk w = {.m = m, .pagemap = s->pagemap};
	struct gmem_run run;
	int rc = 0;

	while (rc == 0 && gmem_walk_next(&w, &run)) {
		const struct gmem_region *r = &m->region[w.region];

		rc = save_run(s, &run,
			      snapshot_region_at(m, w.region) + (run.gpa - r->gpa));
	}
	return rc < 0 ? rc : save_sync(s->memory_fd, snapshot_region_at(m, m->n));
}

static int save_state(const struct snapshot_saver *s)
{
	uint8_t head[SNAPSHOT_HEADER];
	int rc;

	snapshot_header(head, s->state.buf, s->state.pos);
	rc = save_bytes(s, s->state_fd, head, sizeof(head), 0);
	if (rc == 0)
		rc = save_bytes(s, s->state_fd, s->state.buf, s->state.pos, sizeof(head));
	return rc < 0 ? rc : save_sync(s->state_fd, sizeof(head) + s->state.pos);
}

/* What the disks have is on stable storage before what stands on it */
static int save_disks(struct snapshot_saver *s, struct err *e)
{
	int rc = snapshot_files_sync(s->file, s->nfile, &s->unsynced);

	if (rc < 0)
		return err_set(e, -rc, "%s: what was written to %s may be lost: %s",
			       s->file[s->unsynced].id, s->file[s->unsynced].path,
			       strerror(-rc));
	snapshot_files_state(&s->state, s->file, s->nfile);
	return state_ok(&s->state) ? 0 : err_set(e, EIO, "%s", s->state.why);
}

static void save_run_work(struct work *w)
{
	struct snapshot_saver *s = container_of(w, struct snapshot_saver, work);
	struct err *e = &s->failure;
	int rc;

	e->code = 0;
	s->unsynced = s->nfile;
	if (save_disks(s, e) < 0)
		return;
	rc = save_memory(s);
	if (rc < 0)
		err_set(e, -rc, "the memory cannot be written: %s", strerror(-rc));
	else if ((rc = save_state(s)) < 0)
		err_set(e, -rc, "the state cannot be written: %s", strerror(-rc));
}

/* ---- the machine, on the loop ---- */

static void save_end(struct snapshot_saver *s, const struct err *e)
{
	struct machine_asker *a = s->asker;

	state_free(&s->state);
	cleanup_close_fd(&s->state_fd);
	cleanup_close_fd(&s->memory_fd);
	s->state_fd = s->memory_fd = -1;
	s->asker = NULL;
	s->busy = false;
	machine_let_go(s->m, !s->was_paused);
	if (a)
		a->told(a, e, NULL, 0);
}

static void save_done(struct work *w)
{
	struct snapshot_saver *s = container_of(w, struct snapshot_saver, work);

	if (s->unsynced < s->nfile)
		machine_file_failed(&s->file[s->unsynced]);
	save_end(s, s->failure.code ? &s->failure : NULL);
}

/* What they had before is gone, and the memory is one hole */
static int save_make_room(const struct snapshot_saver *s)
{
	const struct gmem *mem = &s->m->mem;
	int rc = ftruncate(s->state_fd, 0);

	if (rc == 0)
		rc = ftruncate(s->memory_fd, 0);
	return rc < 0 ? rc
		      : ftruncate(s->memory_fd, (off_t)snapshot_region_at(mem, mem->n));
}

static void save_on_paused(struct machine_asker *a, const struct err *why,
			   const char *json, size_t len)
{
	struct snapshot_saver *s = container_of(a, struct snapshot_saver, pause);
	struct err e;

	(void)json, (void)len;
	if (why) {
		s->was_paused = true; /* it goes on already */
		save_end(s, why);
		return;
	}
	machine_hold(s->m);
	state_collector(&s->state);
	snapshot_settings_state(&s->settings, &s->state);
	snapshot_layout_state(&s->m->mem, &s->state);
	machine_state(s->m, &s->state);
	s->nfile = machine_files(s->m, s->file);
	if (!state_ok(&s->state)) {
		err_set(&e, ENOTSUP, "%s", s->state.why);
		save_end(s, &e);
	} else if (save_make_room(s) < 0) {
		err_set(&e, errno, "the memory cannot be written: %s", strerror(errno));
		save_end(s, &e);
	} else {
		work_submit(s->m->pool, &s->work);
	}
}

void snapshot_forget(void *saver, struct machine_asker *a)
{
	struct snapshot_saver *s = saver;

	if (s->asker != a)
		return;
	s->asker = NULL;
	s->alone = true;
}

static bool are_two_files(const int fd[MACHINE_SAVE_FDS])
{
	struct stat a, b;

	return fstat(fd[0], &a) == 0 && fstat(fd[1], &b) == 0 && S_ISREG(a.st_mode) &&
	       S_ISREG(b.st_mode) && (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

int snapshot_save(void *saver, const int fd[MACHINE_SAVE_FDS], struct machine_asker *a,
		  struct err *e)
{
	struct snapshot_saver *s = saver;
	struct machine_status now;
	int rc = 0;

	s->ops.status(s->m, &now);
	if (s->busy)
		rc = err_set(e, EBUSY, "the machine is being saved already");
	else if (strcmp(now.state, "ending") == 0) /* which nothing would know of it */
		rc = err_set(e, EBUSY,
			     "the machine is at its end, and is not saved any more");
	else if (!are_two_files(fd))
		rc = err_set(e, EINVAL,
			     "save needs descriptors of two files to write to: for the "
			     "state, and for the memory");
	if (rc < 0) {
		close(fd[0]);
		close(fd[1]);
		return rc;
	}
	s->was_paused = strcmp(now.state, "paused") == 0;
	s->state_fd = fd[0];
	s->memory_fd = fd[1];
	s->busy = true;
	s->alone = false;
	s->asker = a;
	rc = s->ops.pause(s->m, &s->pause, e);
	if (rc < 0) {
		s->asker = NULL;
		s->was_paused = true;
		save_end(s, e);
	}
	return rc;
}

int snapshot_saver_open(struct snapshot_saver **saver, struct machine *m, char *settings,
			struct err *e)
{
	struct snapshot_saver *s = *saver = calloc(1, sizeof(*s));

	if (!s) {
		free(settings);
		return err_set(e, ENOMEM, "--control: no memory; raise ulimit -d");
	}
	s->m = m;
	s->settings = settings;
	s->ops = machine_ops(m);
	s->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	s->state_fd = s->memory_fd = -1;
	s->pause.told = save_on_paused;
	s->work.run = save_run_work;
	s->work.done = save_done;
	return machine_state_prepare(m, e);
}

void snapshot_saver_close(struct snapshot_saver *s)
{
	if (!s)
		return;
	cleanup_close_fd(&s->pagemap);
	cleanup_close_fd(&s->state_fd);
	cleanup_close_fd(&s->memory_fd);
	if (s->busy)
		state_free(&s->state);
	free(s->settings);
	free(s);
}

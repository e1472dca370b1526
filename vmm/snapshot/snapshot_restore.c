/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_restore - a machine that was saved is read, checked, and loaded into one that was built. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/snapshot_files.h"
#include "vmm/snapshot/snapshot_parts.h"

#define RESTORE_STATE_MAX (256 * MIB)

static void restore_sections(const struct snapshot *s, struct state *st)
{
	state_loader(st, s->file + SNAPSHOT_HEADER, s->len - SNAPSHOT_HEADER);
}

/* A part of machine_build(): its memory is mapped */
static int restore_load(const struct machine_load *l, struct machine *m, struct err *e)
{
	const struct snapshot *s = container_of(l, const struct snapshot, load);
	struct machine_file file[MACHINE_FILES_MAX];
	struct state st;
	char *settings = NULL;

	restore_sections(s, &st);
	snapshot_settings_state(&settings, &st);
	free(settings);
	snapshot_layout_state(&m->mem, &st);
	m->kvm.keep_time = l->keep_time;
	if (state_ok(&st))
		machine_state(m, &st);
	if (state_ok(&st))
		snapshot_files_state(&st, file, machine_files(m, file));
	if (state_ok(&st) && st.pos != s->len - SNAPSHOT_HEADER)
		state_fail(&st, "there is more than this machine has");
	if (!state_ok(&st))
		return err_set(e, EINVAL, "%s: %s", s->path, st.why);
	return 0;
}

/* Another part: the region @i of @m is what the file has */
static int restore_memory(const struct machine_load *l, struct gmem *m, struct err *e)
{
	const struct snapshot *s = container_of(l, const struct snapshot, load);
	struct stat st;
	int rc = 0;

	if (fstat(l->memory, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: its memory is no file", s->path);
	else if ((uint64_t)st.st_size != snapshot_region_at(m, m->n))
		return err_set(
			e, EINVAL,
			"%s: its memory has %llu bytes, and this machine's would have %llu",
			s->path, (unsigned long long)st.st_size,
			(unsigned long long)snapshot_region_at(m, m->n));
	for (unsigned int i = 0; rc == 0 && i < m->n; i++)
		rc = gmem_map_saved(m, i, l->memory, snapshot_region_at(m, i));
	return rc < 0 ? err_set(e, -rc, "%s: its memory cannot be mapped: %s", s->path,
				strerror(-rc))
		      : 0;
}

static int restore_read(struct snapshot *s, int dir, struct err *e)
{
	cleanup_close int fd =
		openat(dir, SNAPSHOT_STATE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	long n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "%s: cannot read %s: %s", s->path,
			       SNAPSHOT_STATE, strerror(errno));
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > RESTORE_STATE_MAX)
		return err_set(e, EINVAL, "%s: %s is no saved machine", s->path,
			       SNAPSHOT_STATE);
	s->file = malloc((size_t)st.st_size + 1);
	if (!s->file)
		return err_set(e, ENOMEM, "%s: no memory for the state", s->path);
	n = read_full(fd, s->file, (size_t)st.st_size);
	if (n < 0)
		return err_set(e, (int)-n, "%s: cannot read %s: %s", s->path,
			       SNAPSHOT_STATE, strerror((int)-n));
	s->len = (size_t)n;
	return 0;
}

int snapshot_take(struct snapshot *s, struct err *e)
{
	struct state st;

	s->load.map = restore_memory;
	s->load.state = restore_load;
	if (snapshot_check(s->file, s->len, e) < 0)
		return err_wrap(e, "%s/%s", s->path, SNAPSHOT_STATE);
	restore_sections(s, &st);
	snapshot_settings_state(&s->settings, &st);
	return state_ok(&st) ? 0 : err_set(e, EINVAL, "%s: %s", s->path, st.why);
}

int snapshot_open(struct snapshot *s, const char *path, struct err *e)
{
	cleanup_close int dir = -1;

	*s = (struct snapshot){.load = {.memory = -1}, .path = strdup(path)};
	if (!s->path)
		return err_set(e, ENOMEM, "no memory");
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "%s: no saved machine is there: %s", path,
			       strerror(errno));
	if (restore_read(s, dir, e) < 0)
		return -e->code;
	s->load.memory = openat(dir, SNAPSHOT_MEMORY, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->load.memory < 0)
		return err_set(e, errno, "%s: cannot read %s: %s", path, SNAPSHOT_MEMORY,
			       strerror(errno));
	return snapshot_take(s, e);
}

void snapshot_close(struct snapshot *s)
{
	cleanup_close_fd(&s->load.memory);
	free(s->path);
	free(s->file);
	free(s->settings);
}

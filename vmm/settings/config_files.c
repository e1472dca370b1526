/* SPDX-License-Identifier: Apache-2.0 */
/* config_files - a machine overwrites none of its own files, and no two outputs share one. */
#include "vmm/settings/config_files.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

/* kernel, device tree overlay, initrds, disks with their overlays, memory images; and report,
 * device tree, pidfile, console, ports
 */
#define FILES_MAX                                                               \
	(2 + CONFIG_INITRDS_MAX + 2 * CONFIG_DISKS_MAX + CONFIG_PMEMS_MAX + 4 + \
	 CONFIG_PORTS_MAX)

/* Which file a path leads to: by number if it exists, else by its future directory */
struct file_id {
	bool exists;
	mode_t kind;
	dev_t dev;
	ino_t ino;
	const char *name; /* in that directory; "" for an existing file */
};

struct files_row {
	const char *option, *path;
	struct file_id id;
};

struct files {
	struct files_row row[FILES_MAX];
	unsigned int n;
};

static void file_id_missing(struct file_id *id, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	struct stat st;

	/* "/x" is in "/", and "x" in "." */
	if (slash)
		(void)snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	if (stat(slash ? dir : ".", &st) < 0) {
		id->name = path;
		return;
	}
	id->dev = st.st_dev;
	id->ino = st.st_ino;
	id->name = slash ? slash + 1 : path;
}

static struct file_id file_id(const char *path)
{
	struct file_id id = {.name = ""};
	struct stat st;

	id.exists = stat(path, &st) == 0;
	if (!id.exists) {
		file_id_missing(&id, path);
		return id;
	}
	id.kind = st.st_mode & S_IFMT;
	id.dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	id.ino = S_ISBLK(st.st_mode) ? 0 : st.st_ino;
	return id;
}

static bool file_id_same(const struct file_id *a, const struct file_id *b)
{
	return a->exists == b->exists && a->kind == b->kind && a->dev == b->dev &&
	       a->ino == b->ino && strcmp(a->name, b->name) == 0;
}

bool config_same_file(const char *a, const char *b)
{
	struct file_id ia = file_id(a), ib = file_id(b);

	return file_id_same(&ia, &ib);
}

/* Writing to what is no regular file (a pipe, a terminal) destroys nothing */
static void files_add(struct files *f, const char *option, const char *path)
{
	struct files_row r = {.option = option, .path = path};

	if (!path)
		return;
	r.id = file_id(path);
	if (!r.id.exists || S_ISREG(r.id.kind) || S_ISBLK(r.id.kind))
		f->row[f->n++] = r;
}

static void files_add_end(struct files *f, const char *option,
			  const struct config_end *end)
{
	if (end->kind == END_FILE)
		files_add(f, option, end->path);
}

static int files_refuse(const struct files_row *out, const struct files_row *other,
			struct err *e)
{
	return err_usage(e,
			 "%s: %.200s is what %s has, and would be overwritten; name "
			 "another file",
			 out->option, out->path, other->option);
}

int config_check_files(const struct config *cfg, struct err *e)
{
	struct files f = {.n = 0};
	unsigned int nout;

	files_add(&f, "--report", cfg->report);
	files_add(&f, "--dump-dtb", cfg->dump_dtb);
	files_add(&f, "--pidfile", cfg->pidfile);
	files_add_end(&f, "--console", &cfg->console_end);
	for (unsigned int i = 0; i < cfg->nport; i++)
		files_add_end(&f, "--port", &cfg->port[i].end);
	nout = f.n;
	if (!nout) /* saves time at every start */
		return 0;
	files_add(&f, "--kernel", cfg->kernel);
	files_add(&f, "--dtb-overlay", cfg->dtb_overlay);
	for (unsigned int i = 0; i < cfg->ninitrd; i++)
		files_add(&f, "--initrd", cfg->initrd[i]);
	for (unsigned int i = 0; i < cfg->ndisk; i++) {
		files_add(&f, "--disk", cfg->disk[i].path);
		files_add(&f, "overlay=", cfg->disk[i].overlay);
	}
	for (unsigned int i = 0; i < cfg->npmem; i++)
		files_add(&f, "--pmem", cfg->pmem[i].path);
	for (unsigned int i = 0; i < nout; i++)
		for (unsigned int j = i + 1; j < f.n; j++)
			if (file_id_same(&f.row[i].id, &f.row[j].id))
				return files_refuse(&f.row[i], &f.row[j], e);
	return 0;
}

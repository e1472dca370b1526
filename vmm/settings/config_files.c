/* SPDX-License-Identifier: Apache-2.0 */
/* config_files - nothing is written over what the machine consists of, or over another's output. */
#include "vmm/settings/config_files.h"

#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

/* kernel, device tree overlay, initrds, disks with their overlays, memory images; and report,
 * device tree, pidfile, console, ports
 */
#define FILES_MAX                                                               \
	(2 + CONFIG_INITRDS_MAX + 2 * CONFIG_DISKS_MAX + CONFIG_PMEMS_MAX + 4 + \
	 CONFIG_PORTS_MAX)

struct files_row {
	const char *option, *path;
	bool exists;
	dev_t dev;
	ino_t ino;
};

struct files {
	struct files_row row[FILES_MAX];
	unsigned int n;
};

/* What is no file (a pipe, a terminal) is not lost by being written to */
static void files_add(struct files *f, const char *option, const char *path)
{
	struct files_row r = {.option = option, .path = path};
	struct stat st;

	if (!path)
		return;
	r.exists = stat(path, &st) == 0;
	if (r.exists && S_ISREG(st.st_mode)) {
		r.dev = st.st_dev;
		r.ino = st.st_ino;
	} else if (r.exists && S_ISBLK(st.st_mode)) {
		r.dev = st.st_rdev;
	} else if (r.exists) {
		return;
	}
	f->row[f->n++] = r;
}

static bool files_same(const struct files_row *a, const struct files_row *b)
{
	if (a->exists && b->exists)
		return a->dev == b->dev && a->ino == b->ino;
	return strcmp(a->path, b->path) == 0;
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
	if (!nout) /* a start has no time to lose */
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
			if (files_same(&f.row[i], &f.row[j]))
				return files_refuse(&f.row[i], &f.row[j], e);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* job_kernel - the kernel of a job's machine, and its modules, in whatever form they are given. */
#include "vmm/job/job_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/job/job_find.h"
#include "vmm/modules/agent_release.h"
#include "vmm/modules/modules_dir.h"
#include "vmm/modules/package.h"
#include "vmm/settings/config_kernel.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/setting.h"

/* ---- a package ---- */

/* @given was cfg->kernel, which is the file without a name from now on */
static int kernel_unpack(struct job_kernel *k, struct config *cfg, const char *given,
			 bool modules, struct err *e)
{
	struct package p = {.path = given,
			    .modules = -1,
			    .lock = cfg->jail == JAIL_OFF ? NULL : k->lock,
			    .lock_ctx = cfg};
	int rc = job_file_make(&k->kernel, "--kernel", e);

	if (rc == 0 && modules)
		rc = job_file_make(&k->modules, "--kernel", e);
	if (rc < 0)
		return rc;
	p.kernel = k->kernel.fd;
	if (modules)
		p.modules = k->modules.fd;
	rc = package_read(&p, e);
	if (rc == 0 && cfg->log_level >= LOG_INFO)
		log_line(LOG_INFO, "kernel %s: takes its kernel and %u modules", given,
			 p.nmodule);
	if (rc == 0)
		rc = config_string(&cfg->kernel_name, given, e);
	return rc < 0 ? rc : config_string(&cfg->kernel, k->kernel.path, e);
}

/* ---- a directory's modules ---- */

static int modules_take(struct job_kernel *k, struct modules *m, const char *dir,
			const struct config *cfg, struct err *e)
{
	unsigned int n;
	int rc = modules_dir_read(m, dir, e);

	if (rc == 0)
		rc = job_file_make(&k->modules, "--modules", e);
	if (rc == 0)
		rc = modules_pack(m, k->modules.fd, &n, e);
	if (rc == 0 && cfg->log_level >= LOG_INFO)
		log_line(LOG_INFO, "kernel %s: takes %u modules of %s",
			 config_kernel_name(cfg), n, dir);
	return rc;
}

/* Those of the kernel in cfg->kernel, from @given: what --modules has (@must), or where the kernel is */
static int modules_find_in(struct job_kernel *k, const struct config *cfg,
			   const char *given, bool must, struct err *e)
{
	cleanup_free struct modules *m = calloc(1, sizeof(*m));
	cleanup_free char *dir = NULL;
	char release[RELEASE_MAX] = "", from[300];
	int rc;

	(void)kernel_file_release(cfg->kernel, release);
	dir = modules_dir_find(given, release);
	if (!m || (!dir && !must))
		return m ? 0 : err_set(e, ENOMEM, "out of memory");
	if (!dir)
		return err_usage(
			e,
			"--modules %.200s: has no modules%s%.64s: no modules.dep or "
			"modules.order is there, nor lib/modules; give what "
			"INSTALL_MOD_PATH was, a lib/modules/RELEASE, or where the "
			"kernel was built",
			given, *release ? " of " : "", release);
	(void)snprintf(from, sizeof(from), "%s %.200s", must ? "--modules" : "kernel",
		       given);
	modules_init(m, from, config_kernel_name(cfg),
		     must ? "give those of this kernel"
			  : "build both: make all, or give others by --modules DIR");
	(void)snprintf(m->release, sizeof(m->release), "%s", release);
	rc = modules_take(k, m, dir, cfg, e);
	modules_fini(m);
	return rc;
}

/* ---- all of it ---- */

/* Behind the agent's image, whose list of modules it replaces */
static int kernel_initrds(const struct job_kernel *k, struct config *cfg,
			  const char *agent, struct err *e)
{
	int rc = setting_apply_text(setting_find("initrd", false), cfg, agent, e);

	return rc < 0 || k->modules.fd < 0
		       ? rc
		       : setting_apply_text(setting_find("initrd", false), cfg,
					    k->modules.path, e);
}

static int kernel_modules(struct job_kernel *k, struct config *cfg, const char *given,
			  const char *agent, const char *modules, struct err *e)
{
	struct stat st;
	int rc = 0;

	if (modules)
		rc = modules_find_in(k, cfg, modules, true, e);
	else if (given && stat(given, &st) == 0 && S_ISDIR(st.st_mode))
		rc = modules_find_in(k, cfg, given, false, e);
	if (rc == 0 && given && k->modules.fd < 0)
		rc = agent_release_check(cfg->kernel, config_kernel_name(cfg), agent, e);
	return rc;
}

int job_kernel_find(struct job_kernel *k, struct config *cfg, const struct job_options *o,
		    bool bare, struct err *e)
{
	cleanup_free char *given = cfg->kernel ? strdup(cfg->kernel) : NULL;
	cleanup_free char *kernel = NULL, *image = NULL;
	int rc;

	if (bare && o->modules)
		return err_usage(e, "--modules are for our agent, and --initrd boots "
				    "without it; leave one of them out");
	kernel = job_find("kernel", given, e);
	image = kernel && !bare ? job_find("agent", o->agent, e) : NULL;
	if (!kernel || (!image && !bare))
		return -e->code;
	rc = config_string(&cfg->kernel, kernel, e);
	if (rc == 0 && given && package_is(given))
		rc = kernel_unpack(k, cfg, given, !bare && !o->modules, e);
	else if (rc == 0)
		rc = config_find_kernel(cfg, e);
	if (rc < 0 || bare)
		return rc;
	rc = kernel_modules(k, cfg, given, image, o->modules, e);
	return rc < 0 ? rc : kernel_initrds(k, cfg, image, e);
}

void job_kernel_close(struct job_kernel *k)
{
	job_file_close(&k->kernel);
	job_file_close(&k->modules);
}

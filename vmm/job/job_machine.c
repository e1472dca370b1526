/* SPDX-License-Identifier: Apache-2.0 */
/* job_machine - the machine for a job, in the words of the settings; and what the agent is told. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/job/job.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/setting.h"

/* A row of the machine's settings, as its text; @path, if there is one, comes first, and its commas
 * are written twice
 */
static int apply(struct config *cfg, const char *row, const char *path, const char *more,
		 struct err *e)
{
	char *text = malloc(2 * strlen(path) + strlen(more) + 1), *p = text;
	int rc;

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	for (; *path; path++) {
		*p++ = *path;
		if (*path == ',')
			*p++ = ',';
	}
	memcpy(p, more, strlen(more) + 1);
	rc = setting_apply_text(setting_find(row, false), cfg, text, e);
	free(text);
	return rc < 0 ? err_wrap(e, "--%s", row) : 0;
}

/* ---- root and volumes ---- */

static int describe_root(struct job *j, struct config *cfg, struct err *e)
{
	const char *path = j->root.path;
	int rc;

	if (!path) /* what wants to know whether the guest boots has none */
		return 0;
	switch (j->root.kind) {
	case JOB_ROOT_DIR:
	case JOB_ROOT_HOST:
		rc = apply(cfg, "share", path, ",tag=root,ro", e);
		if (rc == 0)
			cfg->share[cfg->nshare - 1].host = j->root.kind == JOB_ROOT_HOST;
		return rc < 0 ? rc
			      : job_text_add(&j->machine_text, e, "root=virtiofs:root");
	case JOB_ROOT_TAR:
		rc = apply(cfg, "disk", path, ",ro,format=raw", e);
		return rc < 0 ? rc
			      : job_text_add(&j->machine_text, e,
					     "root=tar:/dev/vda:%llu",
					     (unsigned long long)j->root.size);
	case JOB_ROOT_IMAGE:
	case JOB_ROOT_QCOW2:
	default:
		rc = apply(cfg, "disk", path,
			   j->root.kind == JOB_ROOT_IMAGE ? ",ro,format=raw"
							  : ",ro,format=qcow2",
			   e);
		return rc < 0 ? rc
			      : job_text_add(&j->machine_text, e, "root=disk:/dev/vda");
	}
}

static int describe_volumes(struct job *j, struct config *cfg, struct err *e)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < j->options.nvolume; i++) {
		const struct job_volume *v = &j->options.volume[i];
		char more[32];

		(void)snprintf(more, sizeof(more), ",tag=vol%u%s", i,
			       v->readonly ? ",ro" : "");
		rc = apply(cfg, "share", v->src, more, e);
		if (rc == 0)
			rc = job_text_add(&j->machine_text, e, "volume=vol%u:%s:%s", i,
					  v->readonly ? "ro" : "rw", v->dst);
	}
	return rc;
}

/* ---- disks beside the root's ---- */

static int describe_disk(struct job *j, struct config *cfg, const struct job_file *f,
			 const char *name, uint64_t size, struct err *e)
{
	unsigned int nr = cfg->ndisk;
	int rc = apply(cfg, "disk", f->path, size ? ",ro,format=raw" : ",format=raw", e);

	if (rc < 0)
		return rc;
	return size ? job_text_add(&j->machine_text, e, "%s=/dev/vd%c:%llu", name,
				   'a' + (int)nr, (unsigned long long)size)
		    : job_text_add(&j->machine_text, e, "%s=/dev/vd%c", name,
				   'a' + (int)nr);
}

static int describe_disks(struct job *j, struct config *cfg, struct err *e)
{
	int rc = 0;

	if (j->options.scratch)
		rc = describe_disk(j, cfg, &j->scratch, "scratch", 0, e);
	if (rc == 0 && j->options.in.n)
		rc = describe_disk(j, cfg, &j->files, "files", j->nfiles, e);
	return rc;
}

/* ---- network ---- */

static int describe_net(struct job *j, struct config *cfg, struct err *e)
{
	const struct job_list *l = &j->options.publish;
	char text[1024] = "user";
	size_t n = strlen(text);
	int rc;

	if (!j->options.net || strcmp(j->options.net, "user") != 0)
		return 0;
	for (unsigned int i = 0; i < l->n; i++) {
		if (strchr(l->word[i], ',') || n + strlen(l->word[i]) + 16 > sizeof(text))
			return err_usage(e,
					 "--publish: \"%.60s\" is no port; give "
					 "HOST:GUEST, like 8080:80",
					 l->word[i]);
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",publish=%s",
				      l->word[i]);
	}
	rc = setting_apply_text(setting_find("net", false), cfg, text, e);
	if (rc < 0)
		return err_wrap(e, "--net");
	return job_text_add(&j->machine_text, e, "net=dhcp");
}

/* ---- texts ---- */

static int add_all(struct job_text *t, const char *name, const struct job_list *l,
		   struct err *e)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < l->n; i++)
		rc = job_text_add(t, e, "%s=%s", name, l->word[i]);
	return rc;
}

static int add_one(struct job_text *t, const char *name, const char *value, struct err *e)
{
	return value ? job_text_add(t, e, "%s=%s", name, value) : 0;
}

static int describe_machine(struct job *j, struct err *e)
{
	const struct job_options *o = &j->options;
	int rc = add_one(&j->machine_text, "hostname", o->hostname, e);

	return rc < 0 ? rc : add_all(&j->machine_text, "tmpfs", &o->tmpfs, e);
}

static int describe_command(struct job *j, struct err *e)
{
	int rc = job_image_words(&j->image, &j->options, &j->job_text, e);

	if (rc == 0)
		rc = job_image_stop(&j->image, &j->options, e);
	j->start.stop_signal = rc;
	return rc < 0 ? rc : 0;
}

static int describe_job(struct job *j, struct err *e)
{
	const struct job_options *o = &j->options;
	struct job_text *t = &j->job_text;
	uint16_t rows, cols;
	int rc = describe_command(j, e);

	if (rc == 0)
		rc = add_all(t, "env", &o->env, e);
	if (rc == 0 && j->start.terminal) {
		job_terminal_size(STDOUT_FILENO, &rows, &cols);
		rc = job_text_add(t, e, "terminal=%u %u", rows, cols);
	}
	for (unsigned int i = 0; rc == 0 && i < o->out.n; i++)
		rc = job_text_add(t, e, "copy=%s", o->out.copy[i].src);
	if (rc == 0)
		rc = add_all(t, "ulimit", &o->ulimit, e);
	if (rc == 0)
		rc = add_one(t, "workdir", job_image_workdir(&j->image, o), e);
	if (rc == 0)
		rc = add_one(t, "user", job_image_user(&j->image, o), e);
	return rc < 0 ? rc : job_text_add(t, e, "stdin=open");
}

int job_describe(struct job *j, struct config *cfg, struct err *e)
{
	int rc = 0;

	if (!cfg->append)
		rc = setting_apply_text(setting_find("append", false), cfg,
					arch_job_words, e);
	if (rc == 0)
		rc = describe_root(j, cfg, e);
	if (rc == 0)
		rc = describe_disks(j, cfg, e);
	if (rc == 0)
		rc = describe_volumes(j, cfg, e);
	if (rc == 0)
		rc = describe_net(j, cfg, e);
	if (rc == 0)
		rc = describe_machine(j, e);
	if (rc == 0)
		rc = describe_job(j, e);
	if (rc < 0)
		return rc;
	return config_validate(cfg, e);
}

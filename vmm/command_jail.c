/* SPDX-License-Identifier: Apache-2.0 */
/* command_jail - the lock around a machine that is built. */
#include "vmm/command_jail.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/jail/broker_lock.h"
#include "vmm/core/fds.h"
#include "vmm/core/gmem_guard.h"
#include "vmm/core/limits.h"
#include "vmm/core/outside.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/machine/exit.h"

static unsigned int filter_extras; /* written before there are threads */

static struct jail *filter_jail; /* likewise */

/* A thread without its filter must not run a guest. None does before all have begun: so the broker
 * may believe what this says
 */
static void thread_enter(enum thread_kind kind)
{
	struct err e;

	if (jail_filter_enter(kind, filter_extras, &e) == 0)
		return;
	if (mprotect(filter_jail, sizeof(*filter_jail), PROT_READ | PROT_WRITE) == 0)
		jail_note(filter_jail, JAIL_SECCOMP, -e.code);
	_exit(JAIL_FILTER_STATUS);
}

/* Which features of the machine need calls that others do not */
static unsigned int lock_extras(const struct config *cfg)
{
	unsigned int extras = 0;

	if (cfg->vsock.path || cfg->nnet || cfg->nshare ||
	    cfg->console_end.kind == END_UNIX || cfg->console_end.kind == END_FD ||
	    cfg->nport)
		extras |= JAIL_EXTRA_SOCKETS;
	for (unsigned int i = 0; i < cfg->ndisk; i++)
		if (cfg->disk[i].vhost_user)
			extras |= JAIL_EXTRA_SOCKETS;
	if (cfg->ndisk || cfg->nnet || cfg->nshare)
		extras |= JAIL_EXTRA_DAEMONS;
	if (cfg->control)
		extras |= JAIL_EXTRA_CONTROL;
	return extras;
}

/* Root has the host's own */
bool command_wants_users(const struct config *cfg)
{
	bool serves = false;

	for (unsigned int i = 0; i < cfg->nshare; i++)
		serves |= cfg->share[i].path != NULL;
	return serves && geteuid() != 0;
}

static void describe_cgroup(const struct config *cfg, FILE *f)
{
	struct cgroup_want w;

	if (!command_cgroup(cfg, &w))
		return;
	(void)fprintf(f, "  control group%s: %llu MiB, %u processes and threads",
		      w.must ? "" : ", if there is one for us",
		      (unsigned long long)(w.memory / MIB), w.tasks);
	if (w.cpus_milli)
		(void)fprintf(f, ", %u.%03u processors", w.cpus_milli / 1000,
			      w.cpus_milli % 1000);
	(void)fputc('\n', f);
}

void command_describe_jail(const struct config *cfg, FILE *f)
{
	static const struct {
		enum thread_kind kind;
		const char *name;
	} kinds[] = {{THREAD_VCPU, "a vCPU"},
		     {THREAD_HELPER, "its helper"},
		     {THREAD_WORKER, "a worker"},
		     {THREAD_LOOP, "the loop"}};
	const char *comma = "";

	(void)fprintf(f, "jail: %s\n", jail_mode_name(cfg->jail));
	if (cfg->jail == JAIL_OFF)
		return;
	(void)fputs("  layers: ", f);
	for (int l = 0; l < JAIL_LAYERS; l++) {
		if (!jail_layer_wanted((enum jail_layer)l, cfg->jail))
			continue;
		(void)fprintf(f, "%s%s", comma, jail_layer_name((enum jail_layer)l));
		comma = ", ";
	}
	(void)fputc('\n', f);
	describe_cgroup(cfg, f);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		(void)fprintf(f, "  %s may call:", kinds[i].name);
		jail_filter_describe(f, kinds[i].kind, lock_extras(cfg));
		(void)fputc('\n', f);
	}
}

void command_report_jail(const struct machine_job *job, struct report *r)
{
	const struct jail *j = job->jail;

	_Static_assert(JAIL_LAYERS <= REPORT_LAYERS_MAX, "room for each");
	/* the broker does not believe what its child may have made of @j */
	r->jail = jail_mode_name(j ? job->cfg->jail : JAIL_OFF);
	r->nlayer = 0;
	for (int l = 0; j && l < JAIL_LAYERS; l++)
		if (j->held >> l & 1)
			r->layer[r->nlayer++] = jail_layer_name((enum jail_layer)l);
}

int command_lock(struct machine *m, const struct machine_job *job, struct err *e)
{
	int rc;

	machine_seal(m);
	fds_drop_inherited();
	limits_lock();
	/* first: from now on the broker removes what must not stay, if the lock fails as well */
	rc = outside_ask();
	if (rc < 0)
		return err_set(e, -rc, "the jail's two processes cannot talk: %s",
			       strerror(-rc));
	/* a command with a part in the machine's life writes files of its own */
	job->jail->file_size = job->hooks->ctx ? 0 : command_file_size(job->cfg);
	rc = jail_lock(job->jail, e);
	if (rc < 0)
		return rc;
	/* no guest runs before the broker is locked up as well; and one that ended while jail_identity()
	 * changed our uid did not end us
	 */
	rc = outside_wait();
	if (rc < 0)
		return err_set(e, -rc, "the process that was started %s%s",
			       rc == -ESRCH ? "was killed" : "does not answer: ",
			       rc == -ESRCH ? "" : strerror(-rc));
	/* what held is the broker's to report; no filter allows mprotect(2) */
	(void)mprotect(job->jail, sizeof(*job->jail), PROT_READ);
	gmem_guard_last();
	filter_extras = lock_extras(job->cfg);
	filter_jail = job->jail;
	thread_set_entry(thread_enter);
	return 0;
}

int command_importer_lock(void *ctx, enum importer_lock step,
			  const struct landlock_rule *rule, unsigned int n, struct err *e)
{
	const struct config *cfg = ctx;

	if (cfg->jail == JAIL_OFF)
		return 0;
	return step == IMPORTER_RIGHTS ? importer_rights(cfg->jail, rule, n, e)
				       : importer_calls(e);
}

int command_copier_lock(void *ctx, const struct landlock_rule *rule, unsigned int n,
			struct err *e)
{
	const struct config *cfg = ctx;

	return cfg->jail == JAIL_OFF ? 0 : copier_lock(cfg->jail, rule, n, e);
}

int command_reader_lock(void *ctx, struct err *e)
{
	const struct config *cfg = ctx;

	return reader_lock_up(cfg->jail, e);
}

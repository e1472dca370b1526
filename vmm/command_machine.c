/* SPDX-License-Identifier: Apache-2.0 */
/* command_machine - options to config to machine to report to exit status. */
#include "vmm/command_machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/command_jail.h"
#include "vmm/control/control.h"
#include "vmm/core/fds.h"
#include "vmm/core/log.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/jail/broker.h"
#include "vmm/machine/exit.h"
#include "vmm/machine/kernel_config.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/pidfile.h"
#include "vmm/machine/report.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/config_say.h"
#include "vmm/snapshot/snapshot.h"

/* There will be no machine: the cause is @e, or a signal that came meanwhile */
static struct exit_verdict machine_not_built(const struct err *e)
{
	struct exit_verdict v = exit_verdict(e->usage ? CAUSE_USAGE : CAUSE_HOST_ERROR);
	int sig = signals_ending();

	if (sig)
		v = exit_by_signal(sig);
	else
		(void)snprintf(v.detail, sizeof(v.detail), "%s", e->msg);
	return v;
}

/* machine_build() on a loop of its own.  Return: 0, or -errno in @e; take_apart() in either case */
static int build(struct machine *m, const struct config *cfg, struct loop **loop,
		 struct err *e)
{
	*loop = loop_create();
	if (!*loop)
		return err_set(e, errno, "no event loop: %s", strerror(errno));
	return machine_build(m, cfg, *loop, e);
}

static void take_apart(struct machine *m, struct loop *loop)
{
	if (!loop)
		return;
	machine_destroy(m); /* the terminal is the operator's again */
	if (!m->stuck)
		loop_destroy(loop);
}

/* What is said again of the settings is not where this process is asked, and what it writes */
static int saver_open(struct snapshot_saver **saver, struct machine *m,
		      const struct machine_job *job, struct machine_ops *ops,
		      struct err *e)
{
	static const char *const not [] = {"control", "report", "pidfile"};
	json_t *o;
	char *text;
	int rc;

	if (job->hooks->built) /* a job's, whose session would not be there again */
		return 0;
	o = config_say(job->cfg, e);
	if (!o)
		return -e->code;
	for (unsigned int i = 0; i < ARRAY_SIZE(not ); i++)
		(void)json_object_del(o, not [i]);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "--control: no memory for the settings");
	rc = snapshot_saver_open(saver, m, text, e);
	ops->save = snapshot_save;
	ops->forget_save = snapshot_forget;
	ops->saver = *saver;
	return rc;
}

/* The run, from nothing to nothing: @r says how it went */
static void run_machine(struct machine *m, struct machine_job *job, struct report *r)
{
	const struct machine_hooks *h = job->hooks;
	struct machine_ops ops = machine_ops(m);
	struct snapshot_saver *saver = NULL;
	struct control *control = NULL;
	struct loop *loop = NULL;
	struct err e = {0};

	if ((!job->jail || fds_number(&e) == 0) &&
	    (!h->prepare || h->prepare(h->ctx, job->cfg, &e) == 0) &&
	    build(m, job->cfg, &loop, &e) == 0 &&
	    (!h->built || h->built(h->ctx, m, loop, &e) == 0) &&
	    (!job->cfg->control || (saver_open(&saver, m, job, &ops, &e) == 0 &&
				    control_open(&control, job->cfg->control, &ops, loop,
						 job->pid, &e) == 0)) &&
	    (!job->jail || command_lock(m, job, &e) == 0)) {
		if (h->locked)
			h->locked(h->ctx);
		machine_report_live(m, job->file, r->start_ns);
		command_report_jail(job, &m->live.report);
		r->verdict = machine_run(m);
		machine_report(m, r);
		if (h->report)
			h->report(h->ctx, r);
	} else {
		r->verdict = machine_not_built(&e);
	}
	if (h->over)
		h->over(h->ctx, &r->verdict);
	control_close(control);
	take_apart(m, loop);
	if (!m->stuck) /* or a worker has it */
		snapshot_saver_close(saver);
	if (r->verdict.detail[0])
		command_complain(r->verdict.detail);
}

/* The status of a host that failed, as the command has it */
static int host_failed(const struct machine_hooks *h)
{
	struct exit_verdict v = exit_verdict(CAUSE_HOST_ERROR);

	if (h->over)
		h->over(h->ctx, &v);
	return v.status;
}

/* In this process, or in the broker's child */
static int run_here(void *ctx)
{
	static struct machine m;
	struct machine_job *job = ctx;
	struct report r = {.name = job->cfg->name, .start_ns = job->start_ns};
	struct err e = {0};

	m.kernel.file.fd = -1;
	if (job->jail) /* an operator trusts the number that is in it */
		cleanup_close_fd(&job->pidfile);
	run_machine(&m, job, &r);
	job->stuck = m.stuck;
	r.end_ns = monotonic_ns();
	command_report_jail(job, &r);
	if (report_commit(job->file, &r, &e) < 0) {
		command_complain(e.msg);
		/* what the guest's end says stays; a good end does not hide the loss */
		if (!r.verdict.status)
			r.verdict.status = host_failed(job->hooks);
	}
	/* without its root's driver a kernel panics, without another's it may wait for ever */
	if (r.verdict.cause == CAUSE_PANIC || r.verdict.cause == CAUSE_TIMEOUT)
		kernel_config_warn_inside(job->cfg, &m.kernel);
	kernel_close(&m.kernel);
	if (job->jail)
		*job->status = r.verdict.status;
	return r.verdict.status;
}

/* The child ended without a word: say why in its place */
static int run_lost(const struct machine_job *job, const struct err *lost)
{
	struct report r = {.name = job->cfg->name,
			   .start_ns = job->start_ns,
			   .verdict = exit_verdict(CAUSE_HOST_ERROR)};
	struct err e = {0};

	(void)snprintf(r.verdict.detail, sizeof(r.verdict.detail), "%s", lost->msg);
	if (job->hooks->over)
		job->hooks->over(job->hooks->ctx, &r.verdict);
	command_complain(lost->msg);
	r.end_ns = monotonic_ns();
	command_report_jail(job, &r);
	/* in place of what it may have put there already, and without a wait for its reader */
	if (job->file->fd >= 0 && report_refresh(job->file, &r, &e) < 0)
		command_complain(e.msg);
	return r.verdict.status;
}

static int run_jailed(struct machine_job *job)
{
	struct cgroup_want group;
	struct err e = {0};
	char *shared;
	int status;

	/* so that the report of a child that is lost can say how it was jailed. The status has a page
	 * of its own: the other one cannot be written after the lock
	 */
	_Static_assert(sizeof(struct jail) <= PAGE_SIZE, "a page each");
	shared = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		err_set(&e, errno, "no memory for the jail: %s", strerror(errno));
		return command_fail(&e);
	}
	job->jail = (void *)shared;
	job->status = (void *)(shared + PAGE_SIZE);
	*job->status = -1;
	job->jail->said = job->status;
	job->jail->mode = job->cfg->jail;
	job->jail->tasks = command_tasks(job->cfg);
	job->jail->users = command_wants_users(job->cfg);
	job->jail->group = command_cgroup(job->cfg, &group) ? &group : NULL;
	status = broker_run(job->jail, run_here, job, &e);
	if (status < 0)
		status = run_lost(job, &e);
	munmap(shared, 2 * PAGE_SIZE);
	job->jail = NULL;
	return status;
}

int command_machine_run(struct config *cfg, const struct machine_hooks *h,
			uint64_t start_ns)
{
	static const struct machine_hooks none;
	struct report_file f;
	struct machine_job job = {
		.cfg = cfg, .hooks = h ? h : &none, .file = &f, .start_ns = start_ns};
	struct pidfile pid;
	struct err e = {0};
	int status;

	cfg->early |= cfg->jail != JAIL_OFF; /* what is jailed opens nothing later */
	if (cfg->jail != JAIL_OFF)
		fds_look();
	signals_hold();
	if (pidfile_open(&pid, cfg->pidfile, &e) < 0) {
		command_complain(e.msg);
		return host_failed(job.hooks);
	}
	if (report_open(&f, cfg->report, &e) < 0) {
		report_close(&f);
		pidfile_close(&pid);
		command_complain(e.msg);
		return host_failed(job.hooks);
	}
	job.pidfile = pid.fd;
	if (cfg->control)
		job.pid = getpid();
	status = cfg->jail == JAIL_OFF ? run_here(&job) : run_jailed(&job);
	if (job.hooks->ended)
		job.hooks->ended(job.hooks->ctx);
	report_close(&f);
	pidfile_close(&pid); /* last: then nothing of ours is left */
	if (job.stuck)
		_exit(status);
	if (cfg->jail != JAIL_OFF)
		exit(status); /* to free memory is to copy what the child has had */
	return status;
}

/* What --config takes, to make this machine again */
static int print_settings(const struct config *cfg)
{
	struct err e = {0};
	json_t *o = config_say(cfg, &e);

	if (!o)
		return command_fail(&e);
	(void)json_dumpf(o, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
	json_decref(o);
	return 0;
}

static int dry_run(const struct config *cfg)
{
	static struct machine m;
	struct cgroup_want group;
	struct loop *loop;
	struct err e = {0};
	int status = 0;

	/* as a start, whose first step it is */
	if (command_cgroup(cfg, &group) && group.must && cgroup_look(&group, &e) < 0) {
		(void)err_wrap(&e, "no control group for the machine");
		return command_fail(&e);
	}
	m.kernel.file.fd = -1;
	if (build(&m, cfg, &loop, &e) < 0) {
		status = command_fail(&e);
	} else if (cfg->json) {
		status = print_settings(cfg);
	} else {
		kernel_config_warn_inside(cfg, &m.kernel);
		machine_describe(&m, stdout);
		command_describe_jail(cfg, stdout);
	}
	kernel_close(&m.kernel);
	take_apart(&m, loop);
	return command_flush(status);
}

static int machine_do(enum cli_action action, struct config *cfg, uint64_t start_ns)
{
	switch (action) {
	case CLI_HELP:
		command_help(&command_table[0], stdout);
		return command_flush(0);
	case CLI_VERSION:
		(void)printf("microvm %s\n", MICROVM_VERSION);
		return command_flush(0);
	case CLI_RUN:
	default:
		config_console_reader(cfg, isatty(STDIN_FILENO), isatty(STDOUT_FILENO));
		log_threshold = cfg->log_level;
		log_set_name(strcmp(cfg->name, CONFIG_NAME) == 0 ? NULL : cfg->name);
		return cfg->dry_run ? dry_run(cfg)
				    : command_machine_run(cfg, NULL, start_ns);
	}
}

int command_machine(int argc, char **argv, uint64_t start_ns)
{
	enum cli_action action;
	struct config cfg;
	struct err e = {0};
	int status;

	if (config_init(&cfg, &e) < 0 || cli_parse(argc, argv, &cfg, &action, &e) < 0)
		status = command_fail(&e);
	else
		status = machine_do(action, &cfg, start_ns);
	config_fini(&cfg);
	return status;
}

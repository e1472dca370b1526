/* SPDX-License-Identifier: Apache-2.0 */
/* command_machine - options to config to machine to report to exit status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/command.h"
#include "vmm/core/log.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/machine/exit.h"
#include "vmm/machine/kernel_config.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/pidfile.h"
#include "vmm/machine/report.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/config_say.h"

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

/* The run, from nothing to nothing: @r says how it went */
static void run_machine(struct machine *m, const struct config *cfg,
			struct report_file *f, struct report *r)
{
	struct loop *loop;
	struct err e = {0};

	if (build(m, cfg, &loop, &e) == 0) {
		machine_report_live(m, f, r->start_ns);
		r->verdict = machine_run(m);
		machine_report(m, r);
	} else {
		r->verdict = machine_not_built(&e);
	}
	take_apart(m, loop);
	if (r->verdict.detail[0])
		command_complain(r->verdict.detail);
}

static int run(const struct config *cfg, uint64_t start_ns)
{
	static struct machine m;
	struct report r = {.name = cfg->name, .start_ns = start_ns};
	struct report_file f;
	struct pidfile pid;
	struct err e = {0};
	int status;

	signals_hold();
	if (pidfile_open(&pid, cfg->pidfile, &e) < 0)
		return command_fail(&e);
	if (report_open(&f, cfg->report, &e) < 0) {
		report_close(&f);
		pidfile_close(&pid);
		return command_fail(&e);
	}
	run_machine(&m, cfg, &f, &r);
	status = r.verdict.status;
	r.end_ns = monotonic_ns();
	/* without its root's driver a kernel panics, without another's it may wait for ever */
	if (r.verdict.cause == CAUSE_PANIC || r.verdict.cause == CAUSE_TIMEOUT)
		kernel_config_warn_inside(cfg);
	if (report_commit(&f, &r, &e) < 0) {
		command_complain(e.msg);
		/* what the guest's end says stays; a good end does not hide the loss */
		status = status ? status : exit_status(CAUSE_HOST_ERROR);
	}
	report_close(&f);
	pidfile_close(&pid); /* last: then nothing of ours is left */
	if (m.stuck)
		_exit(status);
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
	struct loop *loop;
	struct err e = {0};
	int status = 0;

	if (build(&m, cfg, &loop, &e) < 0) {
		status = command_fail(&e);
	} else if (cfg->json) {
		status = print_settings(cfg);
	} else {
		kernel_config_warn_inside(cfg);
		machine_describe(&m, stdout);
	}
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
		return cfg->dry_run ? dry_run(cfg) : run(cfg, start_ns);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* microvm - argv to config to machine to report to exit status. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"
#include "vmm/core/limits.h"
#include "vmm/core/log.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/doctor.h"
#include "vmm/machine/exit.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/pidfile.h"
#include "vmm/machine/report.h"

#define MAIN_STUCK_MS   2000
#define MAIN_PREFIX_MAX 80 /* "microvm NAME: " */

/* The one place where a sentence becomes a line on stderr.  A byte that a terminal would
 * obey (it may stem from a config file or a guest) is shown as '?'.
 */
static void main_complain(const char *sentence)
{
	char line[MAIN_PREFIX_MAX + sizeof(((struct err *)0)->msg)];
	size_t n = (size_t)snprintf(line, MAIN_PREFIX_MAX, "%s: ", log_prefix());

	for (; *sentence && n < sizeof(line) - 2; sentence++)
		line[n++] = (unsigned char)*sentence < ' ' || *sentence == 0x7f
				    ? '?'
				    : *sentence;
	line[n++] = '\n';
	/* a reader that is stuck does not keep us from ending */
	(void)write_unless_stuck(STDERR_FILENO, line, n, MAIN_STUCK_MS);
}

static int main_fail(const struct err *e)
{
	static const char hint[] = "Try 'microvm --help'.\n";

	main_complain(e->msg);
	if (e->usage)
		(void)write_unless_stuck(STDERR_FILENO, hint, sizeof(hint) - 1,
					 MAIN_STUCK_MS);
	return exit_status(e->usage ? CAUSE_USAGE : CAUSE_HOST_ERROR);
}

/* What went to stdio did arrive, or status 1 */
static int main_flush(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	main_complain("cannot write to standard output");
	return exit_status(CAUSE_HOST_ERROR);
}

/* There will be no machine: the cause is @e, or a signal that came meanwhile */
static struct exit_verdict main_not_built(const struct err *e)
{
	struct exit_verdict v = {.cause = e->usage ? CAUSE_USAGE : CAUSE_HOST_ERROR};
	int sig = signals_ending();

	if (sig)
		v = exit_by_signal(sig);
	else
		(void)snprintf(v.detail, sizeof(v.detail), "%s", e->msg);
	return v;
}

/* The run, from nothing to nothing: @r says how it went */
static void main_run(struct machine *m, const struct config *cfg, struct report_file *f,
		     struct report *r)
{
	struct loop *loop = loop_create();
	struct err e = {0};

	if (!loop)
		(void)err_set(&e, errno, "no event loop: %s", strerror(errno));
	if (loop && machine_build(m, cfg, loop, &e) == 0) {
		machine_report_live(m, f, r->start_ns);
		r->verdict = machine_run(m);
		machine_report(m, r);
	} else {
		r->verdict = main_not_built(&e);
	}
	if (loop)
		machine_destroy(m); /* the terminal is the operator's again */
	if (!m->stuck)
		loop_destroy(loop);
	if (r->verdict.detail[0])
		main_complain(r->verdict.detail);
}

static int main_machine(const struct config *cfg, uint64_t start_ns)
{
	static struct machine m;
	struct report r = {.name = cfg->name, .start_ns = start_ns};
	struct report_file f;
	struct pidfile pid;
	struct err e = {0};
	int status;

	signals_hold();
	if (pidfile_open(&pid, cfg->pidfile, &e) < 0)
		return main_fail(&e);
	if (report_open(&f, cfg->report, &e) < 0) {
		report_close(&f);
		pidfile_close(&pid);
		return main_fail(&e);
	}
	main_run(&m, cfg, &f, &r);
	status = exit_status(r.verdict.cause);
	r.end_ns = monotonic_ns();
	if (report_commit(&f, &r, &e) < 0) {
		main_complain(e.msg);
		/* what the guest's end says stays; a good end does not hide the loss */
		status = status ? status : exit_status(CAUSE_HOST_ERROR);
	}
	report_close(&f);
	pidfile_close(&pid); /* last: then nothing of ours is left */
	if (m.stuck)
		_exit(status);
	return status;
}

static int main_dry_run(const struct config *cfg)
{
	static struct machine m;
	struct loop *loop = loop_create();
	struct err e = {0};
	int status = 0;

	if (!loop)
		(void)err_set(&e, errno, "no event loop: %s", strerror(errno));
	if (loop && machine_build(&m, cfg, loop, &e) == 0)
		machine_describe(&m, stdout);
	else
		status = main_fail(&e);
	if (loop)
		machine_destroy(&m);
	loop_destroy(loop);
	return main_flush(status);
}

static int main_do(enum cli_action action, const struct config *cfg, uint64_t start_ns)
{
	switch (action) {
	case CLI_HELP:
		cli_help(stdout);
		return main_flush(0);
	case CLI_VERSION:
		(void)printf("microvm %s\n", MICROVM_VERSION);
		return main_flush(0);
	case CLI_DOCTOR:
		return main_flush(doctor_run(stdout));
	case CLI_RUN:
	default:
		log_threshold = cfg->log_level;
		log_set_name(strcmp(cfg->name, CONFIG_NAME) == 0 ? NULL : cfg->name);
		return cfg->dry_run ? main_dry_run(cfg) : main_machine(cfg, start_ns);
	}
}

/* Descriptors 0, 1 and 2 are what their names say or fail as if closed: with one closed,
 * the next file opened, say the report, would be taken for standard output.
 */
static void main_hold_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/", O_PATH);
}

static int main_parse(int argc, char **argv, uint64_t start_ns)
{
	enum cli_action action;
	struct config cfg;
	struct err e = {0};
	int status;

	if (config_init(&cfg, &e) < 0 || cli_parse(argc, argv, &cfg, &action, &e) < 0) {
		status = main_fail(&e);
	} else {
		config_console_reader(&cfg, isatty(STDIN_FILENO), isatty(STDOUT_FILENO));
		status = main_do(action, &cfg, start_ns);
	}
	config_fini(&cfg);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t start_ns = monotonic_ns();
	struct err e = {0};

	signals_init();
	main_hold_streams();
	return limits_init(&e) < 0 ? main_fail(&e) : main_parse(argc, argv, start_ns);
}

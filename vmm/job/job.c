/* SPDX-License-Identifier: Apache-2.0 */
/* job - a job in a machine of its own: its life beside the machine's. */
#include "vmm/job/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/setting.h"

#define JOB_LATE_NS UINT64_C(30000000000) /* stock kernels need a second */

int job_read(struct job *j, struct config *cfg, const struct job_command *c, int argc,
	     char **argv, struct err *e)
{
	j->image.cached.fd = -1;
	j->wire = j->console.source.fd = j->root.own.fd = -1;
	j->kernel.kernel.fd = j->kernel.modules.fd = -1;
	j->scratch.fd = j->files.fd = j->copier.files = j->copier.answer = -1;
	return job_options_read(&j->options, cfg, c, argc, argv, e);
}

/* An image, or what ROOT's content says */
static int plan_root(struct job *j, struct err *e)
{
	int rc;

	j->image.how.in = STDIN_FILENO;
	rc = job_image_find(&j->image, &j->root, &j->options, e);
	if (rc == 0)
		return job_root_find(&j->root, j->options.root, STDIN_FILENO, e);
	return rc < 0 ? rc : 0;
}

int job_plan(struct job *j, struct config *cfg, struct err *e)
{
	int rc;

	j->console.shown = j->options.verbose;
	if (j->bare)
		return job_kernel_find(&j->kernel, cfg, &j->options, true, e) < 0
			       ? -e->code
			       : config_validate(cfg, e);
	rc = job_copier_plan(&j->copier, &j->options.out, j->options.out_most, e);
	if (rc == 0 && j->options.host)
		rc = job_root_host(&j->root, e);
	else if (rc == 0 && j->options.root)
		rc = plan_root(j, e);
	if (rc == 0)
		rc = job_copy_in(&j->options.in, &j->files, &j->nfiles, e);
	if (rc == 0 && j->options.scratch)
		rc = job_scratch_make(&j->scratch, j->options.scratch, e);
	if (rc == 0)
		rc = job_kernel_find(&j->kernel, cfg, &j->options, false, e);
	if (rc < 0)
		return rc;
	j->start.terminal =
		j->options.terminal ||
		(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO));
	return job_describe(j, cfg, e);
}

void job_fini(struct job *j)
{
	job_options_fini(&j->options);
	job_root_close(&j->root);
	job_kernel_close(&j->kernel);
	job_image_close(&j->image);
	job_file_close(&j->scratch);
	job_file_close(&j->files);
	job_copier_close(&j->copier);
	job_text_free(&j->machine_text);
	job_text_free(&j->job_text);
}

static int prepare_end(struct config *cfg, const char *row, const char *what, int fd,
		       struct err *e)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s,fd=%d", what, fd);
	return setting_apply_text(setting_find(row, false), cfg, text, e);
}

static int prepare_wire(struct job *j, struct config *cfg, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return err_set(e, errno, "no socket for the job: %s", strerror(errno));
	j->wire = pair[0];
	if (fcntl(j->wire, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, errno, "no socket for the job: %s", strerror(errno));
	return prepare_end(cfg, "port", AGENT_PORT, pair[1], e);
}

/* The machine takes its ends over as it does descriptors that it inherits: not close-on-exec */
int job_prepare(struct job *j, struct config *cfg, struct err *e)
{
	int console, rc = 0;

	job_users_warn(&j->options);
	if (!j->bare)
		rc = prepare_wire(j, cfg, e);
	if (rc == 0)
		rc = job_console_pipe(&j->console, &console, e);
	if (rc == 0)
		rc = prepare_end(cfg, "console", "serial", console, e);
	return rc;
}

static void job_on_end(void *ctx, const struct exit_verdict *v)
{
	struct job *j = ctx;

	machine_end_with(j->machine, v);
}

static bool job_on_signal(void *ctx, int sig)
{
	struct job *j = ctx;

	return job_session_signal(&j->session, sig);
}

int job_begin(struct job *j, struct machine *m, struct loop *loop, struct err *e)
{
	static const int stdio[] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	int rc = job_console_open(&j->console, loop, e);

	j->machine = m;
	if (rc < 0 || j->bare)
		return rc;
	j->start.machine = &j->machine_text;
	j->start.job = &j->job_text;
	j->start.stop_timeout_ns = m->cfg->stop_timeout_ns;
	j->start.late_ns = JOB_LATE_NS;
	if (!j->start.over) {
		j->start.over = job_on_end;
		j->start.ctx = j;
	}
	j->start.copier = j->copier.files < 0 ? NULL : &j->copier;
	machine_set_signals(m, job_on_signal, j);
	return job_session_open(&j->session, &j->start, loop, j->wire, stdio, e);
}

void job_locked(struct job *j)
{
	if (!j->bare)
		job_terminal_arm(&j->session);
}

/* The machine ended, and its job had not.  What its kernel said last tells more than its end */
static void job_lost(struct job *j, struct exit_verdict *v)
{
	char why[sizeof(v->detail)];
	bool told = j->session.loop && job_console_tell(&j->console);

	(void)snprintf(why, sizeof(why), "%s",
		       v->detail[0] ? v->detail : exit_name(v->cause));
	if (j->session.loop)
		(void)snprintf(v->detail, sizeof(v->detail),
			       "the machine ended before its job %s: %.380s%s",
			       j->session.started_ns ? "did" : "began", why,
			       told ? " (its console's last lines are above)" : "");
	v->status = JOB_STATUS_OURS;
}

void job_report(const struct job *j, struct report *r)
{
	const struct job_session *s = &j->session;
	const struct report_figure phases[] = {{"agent_ns", s->greeted_ns},
					       {"ready_ns", s->ready_ns},
					       {"started_ns", s->started_ns},
					       {"exited_ns", s->exited_ns}};

	_Static_assert(ARRAY_SIZE(phases) == REPORT_PHASES_MAX, "room for all");
	for (unsigned int i = 0; i < ARRAY_SIZE(phases) && phases[i].value; i++)
		r->phase[r->nphase++] = phases[i];
}

void job_over(struct job *j, struct exit_verdict *v)
{
	bool own = v->cause == CAUSE_JOB || v->cause == CAUSE_SIGINT ||
		   v->cause == CAUSE_SIGTERM || v->cause == CAUSE_TIMEOUT;

	j->session.over = true;
	if (strncmp(v->detail, "--jail strict", 13) == 0)
		(void)snprintf(v->detail + strlen(v->detail),
			       sizeof(v->detail) - strlen(v->detail),
			       ", or accept what it gives (--jail auto)");
	if (v->cause == CAUSE_HOST_ERROR || v->cause == CAUSE_USAGE)
		v->status = JOB_STATUS_OURS;
	else if (!own)
		job_lost(j, v);
	job_copied_tell(&j->session, v);
	job_shut(j);
}

void job_shut(struct job *j)
{
	j->session.over = true;
	job_session_close(&j->session);
	job_console_close(&j->console);
	cleanup_close_fd(&j->wire);
	j->wire = -1;
}

void job_ended(struct job *j)
{
	job_copier_close(&j->copier);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* job_options - the table of `microvm run`'s options. */
#include "vmm/job/job_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/job/job_image.h"
#include "vmm/settings/setting.h"

#define JOB_HELP_COLUMN  32 /* where the explanations start */
#define JOB_HOSTNAME_MAX 64

int job_setting(struct job_reader *r, const char *row, const char *value, struct err *e)
{
	return setting_apply_text(setting_find(row, false), r->cfg, value, e);
}

#define JOB_SETTING(fn, row)                                                  \
	static int fn(struct job_reader *r, const char *value, struct err *e) \
	{                                                                     \
		return job_setting(r, row, value, e);                         \
	}
JOB_SETTING(set_memory, "memory")
JOB_SETTING(set_cpus, "cpus")
JOB_SETTING(set_timeout, "timeout")
JOB_SETTING(set_stop_timeout, "stop-timeout")
JOB_SETTING(set_name, "name")
JOB_SETTING(set_report, "report")
JOB_SETTING(set_control, "control")
JOB_SETTING(set_kernel, "kernel")
JOB_SETTING(set_jail, "jail")

/* job_values.c */
#define JOB_VALUE(fn, set)                                                    \
	static int fn(struct job_reader *r, const char *value, struct err *e) \
	{                                                                     \
		return set(r->o, value, e);                                   \
	}
JOB_VALUE(set_env, job_set_env)
JOB_VALUE(set_env_file, job_set_env_file)
JOB_VALUE(set_ulimit, job_set_ulimit)
JOB_VALUE(set_volume, job_set_volume)
JOB_VALUE(set_tmpfs, job_set_tmpfs)
JOB_VALUE(set_scratch, job_set_scratch)
JOB_VALUE(set_copy_in, job_set_copy_in)
JOB_VALUE(set_copy_out, job_set_copy_out)
JOB_VALUE(set_copy_out_limit, job_set_copy_out_limit)

static int set_publish(struct job_reader *r, const char *value, struct err *e)
{
	return job_list_add(&r->o->publish, value, e);
}

static int set_workdir(struct job_reader *r, const char *value, struct err *e)
{
	if (*value != '/')
		return err_usage(e,
				 "\"%.60s\" is no directory of the job; give one that "
				 "begins with /",
				 value);
	r->o->workdir = value;
	return 0;
}

static int set_user(struct job_reader *r, const char *value, struct err *e)
{
	if (!*value || *value == ':' || value[strcspn(value, " \t\n/")])
		return err_usage(e,
				 "\"%.60s\" is no user; give a name or a number, and "
				 "perhaps a group, like nobody or 1000:1000",
				 value);
	r->o->user = value;
	return 0;
}

static int set_entrypoint(struct job_reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->entrypoint = value;
	return 0;
}

static int set_stop_signal(struct job_reader *r, const char *value, struct err *e)
{
	r->o->stop_signal = job_signal_number(value);
	return r->o->stop_signal ? 0
				 : err_usage(e,
					     "\"%.40s\" is no signal; give its name or "
					     "number, like SIGQUIT or 3",
					     value);
}

static int set_hostname(struct job_reader *r, const char *value, struct err *e)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789.-";

	if (!*value || strlen(value) > JOB_HOSTNAME_MAX || value[strspn(value, ok)])
		return err_usage(e,
				 "\"%.60s\" is no host name; give at most %d letters, "
				 "digits, dots and dashes",
				 value, JOB_HOSTNAME_MAX);
	r->o->hostname = value;
	return 0;
}

static int set_net(struct job_reader *r, const char *value, struct err *e)
{
	if (strcmp(value, "none") != 0 && strcmp(value, "user") != 0)
		return err_usage(e, "\"%.60s\" is no network; give none or user", value);
	r->o->net = value;
	return 0;
}

static int set_root(struct job_reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->root = value;
	r->o->host = strcmp(value, "host") == 0;
	return 0;
}

static int set_agent(struct job_reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->agent = value;
	return 0;
}

static int set_modules(struct job_reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->modules = value;
	return 0;
}

static int set_terminal(struct job_reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->terminal = true;
	return 0;
}

static int set_quiet(struct job_reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->quiet = true;
	r->cfg->log_level = LOG_ERROR;
	return 0;
}

static int set_verbose(struct job_reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->verbose = true;
	r->cfg->log_level = LOG_INFO;
	return 0;
}

static int set_help(struct job_reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->help = true;
	return 0;
}

/* What docker's users write, and what is so in any case */
static int set_nothing(struct job_reader *r, const char *value, struct err *e)
{
	(void)r, (void)value, (void)e;
	return 0;
}

const struct job_option job_option_table[] = {
	{'m', false, "memory", "SIZE", "the machine's memory (512M)", set_memory},
	{0, false, "cpus", "N", "its processors (1)", set_cpus},
	{0, false, "timeout", "TIME", "end with status 124 after 30s, 5m, 1h",
	 set_timeout},
	{0, false, "stop-timeout", "TIME", "from SIGTERM to the machine's end (10s)",
	 set_stop_timeout},
	{0, false, "stop-signal", "SIGNAL", "what SIGTERM is for the job",
	 set_stop_signal},
	{0, false, "entrypoint", "WORD", "before COMMAND, in place of an image's",
	 set_entrypoint},
	{'e', true, "env", "NAME[=VALUE]", "a variable; without a value, ours", set_env},
	{0, true, "env-file", "FILE", "variables, one a line", set_env_file},
	{'w', false, "workdir", "DIR", "where the command begins (/)", set_workdir},
	{'u', false, "user", "USER[:GROUP]",
	 "names or numbers, by the root's /etc/passwd", set_user},
	{'h', false, "hostname", "NAME", "the machine's name for the job", set_hostname},
	{'v', true, "volume", "SRC:DST[:ro]", "a directory of this host, at DST",
	 set_volume},
	{0, false, "root", "ROOT|host", "in place of ROOT; host: this host's own",
	 set_root},
	{0, true, "tmpfs", "DST[:OPTIONS]", "memory as a directory, like /x:size=64m",
	 set_tmpfs},
	{0, false, "scratch", "SIZE", "what the job writes is on disk, up to SIZE",
	 set_scratch},
	{0, true, "copy-in", "SRC:DST", "files of this host, copied to DST", set_copy_in},
	{0, true, "copy-out", "SRC:DST", "and back, after the job", set_copy_out},
	{0, false, "copy-out-limit", "SIZE",
	 "no more than that (16G, half of what is free)", set_copy_out_limit},
	{0, true, "ulimit", "NAME=SOFT[:HARD]", "a limit, like nofile=1024", set_ulimit},
	{0, false, "net", "none|user", "no network (none), or passt's", set_net},
	{'p', true, "publish", "HOST:GUEST", "a port of this host, with --net user",
	 set_publish},
	{'i', false, "interactive", NULL, "stdin is the job's: always so", set_nothing},
	{'t', false, "tty", NULL, "a terminal, even if ours is none", set_terminal},
	{0, false, "rm", NULL, "leave nothing behind: always so", set_nothing},
	{0, false, "name", "NAME", "the machine's name in sentences and reports",
	 set_name},
	{'q', false, "quiet", NULL, "no warnings", set_quiet},
	{0, false, "verbose", NULL, "the kernel's console on stderr", set_verbose},
	{0, false, "report", "FILE", "a JSON object about the run", set_report},
	{0, false, "control", "SOCKET", "made for microvm ctl SOCKET", set_control},
	{0, false, "kernel", "FILE|DIR", "a kernel, its package, or where it was built",
	 set_kernel},
	{0, false, "modules", "DIR", "its modules, built or installed there",
	 set_modules},
	{0, false, "agent", "FILE", "the agent's image, of guest-images/agent/mkagent",
	 set_agent},
	{0, false, "jail", "strict|auto|off", "around the machine (strict)", set_jail},
	{0, false, "help", NULL, "this", set_help},
};

const unsigned int job_option_count = ARRAY_SIZE(job_option_table);

static void list_free(struct job_list *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		free(l->word[i]);
	free(l->word);
}

void job_options_fini(struct job_options *o)
{
	list_free(&o->env);
	list_free(&o->ulimit);
	list_free(&o->tmpfs);
	list_free(&o->publish);
	for (unsigned int i = 0; i < o->nvolume; i++)
		free(o->volume[i].src);
	for (unsigned int i = 0; i < o->in.n; i++)
		free(o->in.copy[i].src);
	for (unsigned int i = 0; i < o->out.n; i++)
		free(o->out.copy[i].src);
}

void job_option_help(const struct job_option *opt, size_t n, FILE *out)
{
	for (; n--; opt++) {
		if (!opt->help) /* none of the operator's */
			continue;
		char letter[] = {'-', opt->letter, ',', '\0'};
		int len = fprintf(out, "  %3s --%s%s%s", opt->letter ? letter : "",
				  opt->name, opt->arg ? " " : "",
				  opt->arg ? opt->arg : "");

		(void)fprintf(out, "%*s%s\n", MAX(JOB_HELP_COLUMN - len, 1), "",
			      opt->help);
	}
}

void job_options_help(FILE *out)
{
	job_option_help(job_option_table, job_option_count, out);
}

const char *job_option_name(unsigned int i)
{
	return i < job_option_count ? job_option_table[i].name : NULL;
}

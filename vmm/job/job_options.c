/* SPDX-License-Identifier: Apache-2.0 */
/* job_options - the table of `microvm run`'s options, and their reader. */
#include "vmm/job/job_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/settings/parse.h"
#include "vmm/settings/setting.h"

#define JOB_HELP_COLUMN  32 /* where the explanations start */
#define JOB_HOSTNAME_MAX 64

struct reader {
	struct job_options *o;
	struct config *cfg;
};

static int set_row(struct reader *r, const char *row, const char *value, struct err *e)
{
	return setting_apply_text(setting_find(row, false), r->cfg, value, e);
}

#define JOB_SETTING(fn, row)                                              \
	static int fn(struct reader *r, const char *value, struct err *e) \
	{                                                                 \
		return set_row(r, row, value, e);                         \
	}
JOB_SETTING(set_memory, "memory")
JOB_SETTING(set_cpus, "cpus")
JOB_SETTING(set_timeout, "timeout")
JOB_SETTING(set_stop_timeout, "stop-timeout")
JOB_SETTING(set_name, "name")
JOB_SETTING(set_report, "report")
JOB_SETTING(set_kernel, "kernel")
JOB_SETTING(set_jail, "jail")

/* job_values.c */
#define JOB_VALUE(fn, set)                                                \
	static int fn(struct reader *r, const char *value, struct err *e) \
	{                                                                 \
		return set(r->o, value, e);                               \
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

static int set_publish(struct reader *r, const char *value, struct err *e)
{
	return job_list_add(&r->o->publish, value, e);
}

static int set_workdir(struct reader *r, const char *value, struct err *e)
{
	if (*value != '/')
		return err_usage(e,
				 "\"%.60s\" is no directory of the job; give one that "
				 "begins with /",
				 value);
	r->o->workdir = value;
	return 0;
}

static int set_user(struct reader *r, const char *value, struct err *e)
{
	if (!*value || *value == ':' || value[strcspn(value, " \t\n/")])
		return err_usage(e,
				 "\"%.60s\" is no user; give a name or a number, and "
				 "perhaps a group, like nobody or 1000:1000",
				 value);
	r->o->user = value;
	return 0;
}

static int set_hostname(struct reader *r, const char *value, struct err *e)
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

static int set_net(struct reader *r, const char *value, struct err *e)
{
	if (strcmp(value, "none") != 0 && strcmp(value, "user") != 0)
		return err_usage(e, "\"%.60s\" is no network; give none or user", value);
	r->o->net = value;
	return 0;
}

static int set_root(struct reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->root = value;
	r->o->host = strcmp(value, "host") == 0;
	return 0;
}

static int set_agent(struct reader *r, const char *value, struct err *e)
{
	(void)e;
	r->o->agent = value;
	return 0;
}

static int set_terminal(struct reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->terminal = true;
	return 0;
}

static int set_quiet(struct reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->quiet = true;
	r->cfg->log_level = LOG_ERROR;
	return 0;
}

static int set_verbose(struct reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->verbose = true;
	r->cfg->log_level = LOG_INFO;
	return 0;
}

static int set_help(struct reader *r, const char *value, struct err *e)
{
	(void)value, (void)e;
	r->o->help = true;
	return 0;
}

/* What docker's users write, and what is so in any case */
static int set_nothing(struct reader *r, const char *value, struct err *e)
{
	(void)r, (void)value, (void)e;
	return 0;
}

static const struct job_option {
	char letter; /* 0: none */
	bool repeats;
	const char *name;
	const char *arg; /* NULL: it takes no value */
	const char *help;
	int (*set)(struct reader *r, const char *value, struct err *e);
} options[] = {
	{'m', false, "memory", "SIZE", "the machine's memory (512M)", set_memory},
	{0, false, "cpus", "N", "its processors (1)", set_cpus},
	{0, false, "timeout", "TIME", "end with status 124 after 30s, 5m, 1h",
	 set_timeout},
	{0, false, "stop-timeout", "TIME", "from SIGTERM to the machine's end (10s)",
	 set_stop_timeout},
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
	{0, false, "kernel", "FILE", "the kernel, for which --agent has the modules",
	 set_kernel},
	{0, false, "agent", "FILE", "the agent's image, of guest-images/agent/mkagent",
	 set_agent},
	{0, false, "jail", "strict|auto|off", "around the machine (strict)", set_jail},
	{0, false, "help", NULL, "this", set_help},
};

static const struct job_option *option_by_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == len &&
		    strncmp(options[i].name, name, len) == 0)
			return &options[i];
	return NULL;
}

static const struct job_option *option_by_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].letter == letter)
			return &options[i];
	return NULL;
}

static int option_unknown(const char *word, size_t len, struct err *e)
{
	char name[64] = "";
	struct nearest near = {.given = name};

	memcpy(name, word, MIN(len, sizeof(name) - 1));
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		nearest_offer(&near, options[i].name);
	if (near.best)
		return err_usage(e, "unknown option --%s; did you mean --%s?", name,
				 near.best);
	return err_usage(e, "unknown option --%s; microvm run --help lists them all",
			 name);
}

/* argv, and where we are in it */
struct words {
	int argc, i;
	char **argv;
};

static int option_apply(struct reader *r, const struct job_option *opt, const char *value,
			uint64_t *seen, struct err *e)
{
	uint64_t bit = UINT64_C(1) << (opt - options);

	_Static_assert(ARRAY_SIZE(options) <= 64, "a bit for each");
	if ((*seen & bit) && opt->arg && !opt->repeats)
		return err_usage(e, "--%s is given twice; give it once", opt->name);
	*seen |= bit;
	return opt->set(r, value, e) < 0 ? err_wrap(e, "--%s", opt->name) : 0;
}

/* --NAME, --NAME=VALUE or --NAME VALUE */
static int option_long(struct reader *r, struct words *w, uint64_t *seen, struct err *e)
{
	const char *word = w->argv[w->i++] + 2, *value = NULL;
	size_t len = strcspn(word, "=");
	const struct job_option *opt = option_by_name(word, len);

	if (!opt)
		return option_unknown(word, len, e);
	if (word[len] == '=')
		value = word + len + 1;
	if (value && !opt->arg)
		return err_usage(e, "--%s takes no value; leave \"=%.60s\" out",
				 opt->name, value);
	if (!value && opt->arg) {
		if (w->i >= w->argc)
			return err_usage(e, "--%s has no value; give %s", opt->name,
					 opt->arg);
		value = w->argv[w->i++];
	}
	return option_apply(r, opt, value, seen, e);
}

/* -x, -xVALUE, -x VALUE, and several without values in one word: -it */
static int option_short(struct reader *r, struct words *w, uint64_t *seen, struct err *e)
{
	const char *p = w->argv[w->i++] + 1;
	int rc = 0;

	while (rc == 0 && *p) {
		const struct job_option *opt = option_by_letter(*p);
		const char *value = NULL;

		if (!opt)
			return err_usage(e,
					 "unknown option -%c; microvm run --help lists "
					 "them all",
					 *p);
		p++;
		if (opt->arg) {
			value = *p == '=' ? p + 1 : p;
			p = "";
			if (!*value && w->i >= w->argc)
				return err_usage(e, "-%c has no value; give %s",
						 opt->letter, opt->arg);
			if (!*value)
				value = w->argv[w->i++];
		}
		rc = option_apply(r, opt, value, seen, e);
	}
	return rc;
}

static int options_check(const struct job_options *o, struct err *e)
{
	if (!o->root || !*o->root)
		return err_usage(
			e,
			"no ROOT: give the directory, tar or image in which the command "
			"is to run, as in: microvm run ./rootfs -- uname -a");
	if (o->publish.n && (!o->net || strcmp(o->net, "user") != 0))
		return err_usage(e, "--publish needs a network; give --net user as well");
	return 0;
}

int job_options_read(struct job_options *o, struct config *cfg, int argc, char **argv,
		     struct err *e)
{
	struct reader r = {.o = o, .cfg = cfg};
	struct words w = {.argc = argc, .i = 1, .argv = argv};
	uint64_t seen = 0;
	int rc = 0;

	*o = (struct job_options){0};
	cfg->jail = MICROVM_JAIL == JAIL_OFF ? JAIL_OFF : JAIL_STRICT;
	cfg->memory = 512 * MIB;
	while (rc == 0 && w.i < argc && argv[w.i][0] == '-' && argv[w.i][1]) {
		if (strcmp(argv[w.i], "--") == 0) {
			w.i++;
			break;
		}
		rc = argv[w.i][1] == '-' ? option_long(&r, &w, &seen, e)
					 : option_short(&r, &w, &seen, e);
		if (rc == 0 && o->help)
			return 0;
	}
	if (rc < 0)
		return rc;
	if (w.i < argc && !o->root)
		o->root = argv[w.i++];
	else if (w.i + 1 < argc && strcmp(argv[w.i + 1], "--") == 0)
		return err_usage(e,
				 "ROOT is given twice, by --root %.60s and as %.60s; "
				 "give it once",
				 o->root, argv[w.i]);
	if (w.i < argc && strcmp(argv[w.i], "--") == 0)
		w.i++;
	else if (w.i < argc && *argv[w.i] == '-')
		return err_usage(e, "%.60s is no command; options come before ROOT",
				 argv[w.i]);
	o->argv = argv + w.i;
	o->argc = argc - w.i;
	return options_check(o, e);
}

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

void job_options_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct job_option *opt = &options[i];
		char letter[] = {'-', opt->letter, ',', '\0'};
		int n = fprintf(out, "  %3s --%s%s%s", opt->letter ? letter : "",
				opt->name, opt->arg ? " " : "", opt->arg ? opt->arg : "");

		(void)fprintf(out, "%*s%s\n", MAX(JOB_HELP_COLUMN - n, 1), "", opt->help);
	}
}

const char *job_option_name(unsigned int i)
{
	return i < ARRAY_SIZE(options) ? options[i].name : NULL;
}

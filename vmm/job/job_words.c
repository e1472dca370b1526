/* SPDX-License-Identifier: Apache-2.0 */
/* job_words - the reader of the options of `microvm run`, and of a command that has them as well. */
#include "vmm/job/job_options.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

/* The words, and the options that they may be */
struct words {
	struct job_reader reader;
	const struct job_command *command; /* NULL: run */
	bool seen[128];                    /* of each option, by option_nr()'s number */
	int argc, i;
	char **argv;
};

static const char *words_command(const struct words *w)
{
	return w->command ? w->command->name : "run";
}

/* The @i-th option: ours, then the command's.  NULL: there are no more */
static const struct job_option *option_nr(const struct words *w, size_t i)
{
	if (i < job_option_count)
		return &job_option_table[i];
	i -= job_option_count;
	return w->command && i < w->command->n ? &w->command->option[i] : NULL;
}

static const struct job_option *option_by_name(const struct words *w, const char *name,
					       size_t len)
{
	const struct job_option *opt;

	for (size_t i = 0; (opt = option_nr(w, i)); i++)
		if (strlen(opt->name) == len && strncmp(opt->name, name, len) == 0)
			return opt;
	return NULL;
}

static const struct job_option *option_by_letter(char letter)
{
	for (size_t i = 0; i < job_option_count; i++)
		if (job_option_table[i].letter == letter)
			return &job_option_table[i];
	return NULL;
}

static int option_unknown(const struct words *w, const char *word, size_t len,
			  struct err *e)
{
	const struct job_option *opt;
	char name[64] = "";
	struct nearest near = {.given = name};

	memcpy(name, word, MIN(len, sizeof(name) - 1));
	for (size_t i = 0; (opt = option_nr(w, i)); i++)
		if (opt->help)
			nearest_offer(&near, opt->name);
	if (near.best)
		return err_usage(e, "unknown option --%s; did you mean --%s?", name,
				 near.best);
	return err_usage(e, "unknown option --%s; microvm %s --help lists them all", name,
			 words_command(w));
}

static int option_apply(struct words *w, const struct job_option *opt, const char *value,
			struct err *e)
{
	size_t nr = 0;

	while (option_nr(w, nr) != opt)
		nr++;
	BUG_ON(nr >= ARRAY_SIZE(w->seen));
	if (w->seen[nr] && opt->arg && !opt->repeats)
		return err_usage(e, "--%s is given twice; give it once", opt->name);
	w->seen[nr] = true;
	return opt->set(&w->reader, value, e) < 0 ? err_wrap(e, "--%s", opt->name) : 0;
}

/* --NAME, --NAME=VALUE or --NAME VALUE */
static int option_long(struct words *w, struct err *e)
{
	const char *word = w->argv[w->i++] + 2, *value = NULL;
	size_t len = strcspn(word, "=");
	const struct job_option *opt = option_by_name(w, word, len);

	if (!opt)
		return option_unknown(w, word, len, e);
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
	return option_apply(w, opt, value, e);
}

/* -x, -xVALUE, -x VALUE, and several without values in one word: -it */
static int option_short(struct words *w, struct err *e)
{
	const char *p = w->argv[w->i++] + 1;
	int rc = 0;

	while (rc == 0 && *p) {
		const struct job_option *opt = option_by_letter(*p);
		const char *value = NULL;

		if (!opt)
			return err_usage(e,
					 "unknown option -%c; microvm %s --help lists "
					 "them all",
					 *p, words_command(w));
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
		rc = option_apply(w, opt, value, e);
	}
	return rc;
}

static int options_check(const struct job_options *o, bool rootless, struct err *e)
{
	if (!rootless && (!o->root || !*o->root))
		return err_usage(
			e,
			"no ROOT: give the directory, tar or image in which the command "
			"is to run, as in: microvm run ./rootfs -- uname -a");
	if (o->publish.n && (!o->net || strcmp(o->net, "user") != 0))
		return err_usage(e, "--publish needs a network; give --net user as well");
	return 0;
}

/* ROOT, if it is a word, and the job's words */
static int words_rest(struct words *w, struct err *e)
{
	struct job_options *o = w->reader.o;
	char **argv = w->argv;

	if (!w->command && w->i < w->argc && !o->root)
		o->root = argv[w->i++];
	else if (!w->command && w->i + 1 < w->argc && strcmp(argv[w->i + 1], "--") == 0)
		return err_usage(e,
				 "ROOT is given twice, by --root %.60s and as %.60s; "
				 "give it once",
				 o->root, argv[w->i]);
	if (w->i < w->argc && strcmp(argv[w->i], "--") == 0)
		w->i++;
	else if (w->i < w->argc && *argv[w->i] == '-')
		return err_usage(e, "%.60s is no command; options come before ROOT",
				 argv[w->i]);
	o->argv = argv + w->i;
	o->argc = w->argc - w->i;
	return options_check(o, w->command != NULL, e);
}

int job_options_read(struct job_options *o, struct config *cfg,
		     const struct job_command *c, int argc, char **argv, struct err *e)
{
	struct words w = {.reader = {.o = o, .cfg = cfg, .ctx = c ? c->ctx : NULL},
			  .command = c,
			  .argc = argc,
			  .i = 1,
			  .argv = argv};
	int rc = 0;

	*o = (struct job_options){0};
	cfg->jail = MICROVM_JAIL == JAIL_OFF ? JAIL_OFF : JAIL_STRICT;
	cfg->memory = 512 * MIB;
	while (rc == 0 && w.i < argc && argv[w.i][0] == '-' && argv[w.i][1]) {
		if (strcmp(argv[w.i], "--") == 0) {
			/* of a command without ROOT it is the job's beginning */
			w.i += c == NULL;
			break;
		}
		rc = argv[w.i][1] == '-' ? option_long(&w, e) : option_short(&w, e);
		if (rc == 0 && o->help)
			return 0;
	}
	return rc < 0 ? rc : words_rest(&w, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cli - the command line: argv to config. */
#include "vmm/settings/cli.h"

#include <string.h>

#include "vmm/settings/config_life.h"
#include "vmm/settings/config_json.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"
#include "vmm/settings/setting.h"

#define CLI_HELP_COLUMN 26 /* where the explanations start */

struct cli {
	int argc, i; /* @i: the next word */
	char **argv;
};

struct cli_option {
	const struct setting *row;
	const char *value; /* NULL for a row that takes none */
};

/* "--NAME" or "--NAME=VALUE", or -h: its row, or NULL */
static const struct setting *cli_row(const char *word)
{
	char name[32];
	size_t len;

	if (strcmp(word, "-h") == 0)
		return setting_find("help", false);
	if (strncmp(word, "--", 2) != 0)
		return NULL;
	len = strcspn(word + 2, "=");
	if (len >= sizeof(name))
		return NULL;
	memcpy(name, word + 2, len);
	name[len] = '\0';
	return setting_find(name, false);
}

static int cli_unknown(const char *word, struct err *e)
{
	const char *bare = word + strspn(word, "-");
	int len = (int)MIN(strcspn(bare, "="), (size_t)60);
	char name[64];
	const struct setting_habit *habit;
	const char *near;

	memcpy(name, bare, (size_t)len);
	name[len] = '\0';
	habit = bare > word ? setting_habit_find(name) : NULL;
	if (habit)
		return err_usage(e, "unknown option %.60s; %s", word, habit->cure);
	near = setting_nearest(name, false);
	if (bare == word && !near)
		return err_usage(e, "\"%.60s\" is not an option; they all start with --",
				 word);
	if (near)
		return err_usage(e, "unknown option %.60s; did you mean --%s?", word,
				 near);
	return err_usage(e, "unknown option %.60s; --help lists them all", word);
}

/* Take one option with its value.  Return: 1; 0 at the end; -errno */
static int cli_next(struct cli *c, struct cli_option *o, struct err *e)
{
	const char *word, *eq;

	if (c->i >= c->argc)
		return 0;
	word = c->argv[c->i++];
	o->row = cli_row(word);
	if (!o->row)
		return cli_unknown(word, e);
	eq = strchr(word, '=');
	o->value = NULL;
	if (!o->row->arg) {
		if (eq)
			return err_usage(e, "--%s takes no value; leave \"%.60s\" out",
					 o->row->name, eq);
		return 1;
	}
	if (eq) {
		o->value = eq + 1;
		return 1;
	}
	if (c->i >= c->argc)
		return err_usage(e, "--%s has no value; give %s", o->row->name,
				 o->row->arg);
	o->value = c->argv[c->i++];
	if (cli_row(o->value))
		return err_usage(
			e,
			"--%s has no value: %.60s, which follows it, is an option; "
			"give %s",
			o->row->name, o->value, o->row->arg);
	return 1;
}

/* First pass: are all words options, what is asked for, and which is the config file? */
static int cli_survey(struct cli c, const char **file, enum cli_action *action,
		      struct err *e)
{
	struct cli_option o = {0};
	uint64_t seen = 0;
	int rc;

	while ((rc = cli_next(&c, &o, e)) > 0) {
		uint64_t bit = UINT64_C(1) << (o.row - setting_table);

		if ((seen & bit) && !o.row->repeats)
			return err_usage(e, "--%s is given twice; give it once",
					 o.row->name);
		seen |= bit;
		if (o.row->role == ROLE_CONFIG_FILE)
			*file = o.value;
		else if (o.row->role == ROLE_HELP)
			*action = CLI_HELP;
		else if (o.row->role == ROLE_VERSION && *action != CLI_HELP)
			*action = CLI_VERSION;
	}
	return rc;
}

static int cli_apply(struct cli c, struct config *cfg, struct err *e)
{
	struct cli_option o = {0};
	int rc;

	while ((rc = cli_next(&c, &o, e)) > 0) {
		if (o.row->role == ROLE_DRY_RUN)
			cfg->dry_run = true;
		if (o.row->role == ROLE_JSON)
			cfg->json = true;
		if (o.row->role != ROLE_MACHINE)
			continue;
		if (setting_apply_text(o.row, cfg, o.value, e) < 0)
			return err_wrap(e, "--%s", o.row->name);
	}
	return rc;
}

int cli_read(int argc, char **argv, struct config *cfg, enum cli_action *action,
	     struct err *e)
{
	struct cli c = {.argc = argc, .i = 1, .argv = argv};
	const char *file = NULL;
	int rc;

	*action = CLI_RUN;
	rc = cli_survey(c, &file, action, e);
	if (rc < 0 || *action == CLI_HELP || *action == CLI_VERSION)
		return rc;
	if (file)
		rc = config_json_load(cfg, file, e);
	if (rc == 0)
		rc = cli_apply(c, cfg, e);
	if (rc == 0 && cfg->json && !cfg->dry_run)
		rc = err_usage(e, "--json is about what --dry-run prints; give both");
	return rc;
}

int cli_parse(int argc, char **argv, struct config *cfg, enum cli_action *action,
	      struct err *e)
{
	int rc = cli_read(argc, argv, cfg, action, e);

	return rc < 0 || *action != CLI_RUN ? rc : config_validate(cfg, e);
}

static void cli_help_row(FILE *out, const struct setting *s)
{
	int n = fprintf(out, "  --%s%s%s", s->name, s->arg ? " " : "",
			s->arg ? s->arg : "");

	if (n > CLI_HELP_COLUMN - 2) {
		(void)fputc('\n', out);
		n = 0;
	}
	(void)fprintf(out, "%*s%s", CLI_HELP_COLUMN - n, "", s->help);
	if (s->arch)
		(void)fprintf(out, "; %s only", s->arch);
	(void)fputc('\n', out);
}

void cli_help(FILE *out)
{
	for (unsigned int i = 0; i < setting_count; i++)
		cli_help_row(out, &setting_table[i]);
	(void)fputs(
		"\n"
		"--name=value is the same; lists may be given again; a comma in a path is two.\n"
		"Every part of every value: docs/config.md.  Examples:\n"
		"  microvm --kernel vmlinuz --initrd initrd.gz --append \"quiet\" --timeout 30s\n"
		"  microvm --config vm.json --net tap=tap0 --report run.json\n",
		out);
}

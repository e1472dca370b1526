/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manual - the tables of settings and commands as a manual page and as a bash completion
 *
 * usage: manual {page|completion} TEMPLATE
 *
 * Prints TEMPLATE with rows in place of each line that is a mark, like @SETTINGS@. A build runs
 * it, so the page and the completion cannot differ from what the program accepts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/command.h"
#include "vmm/core/util.h"
#include "vmm/job/job_options.h"
#include "vmm/settings/setting.h"

/* ---- settings ---- */

/* Plain text for mdoc(7): no line begins with a macro, no dash is a hyphen */
static void page_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		(void)fputs("\\&", stdout);
	for (; *text; text++) {
		if (*text == '\\')
			(void)fputs("\\e", stdout);
		else if (*text == '-')
			(void)fputs("\\-", stdout);
		else
			(void)putchar(*text);
	}
}

static void page_part(const struct setting_part *p, bool bare)
{
	(void)printf(".It Cm %s", p->name);
	if (p->arg)
		(void)printf(" Ns = Ns Ar %s", p->arg);
	else
		(void)printf(" Ns Oo = Ns Ar on|off Oc");
	if (p->alias)
		(void)printf(" , Cm %s", p->alias);
	(void)putchar('\n');
	page_text(p->help);
	if (bare)
		(void)fputs(";\nas the first word it needs no name", stdout);
	if (p->type == SETTING_LIST)
		(void)fputs(";\nmay be given again", stdout);
	(void)putchar('\n');
}

static void page_row(const struct setting *s)
{
	const struct setting_parts *parts = s->parts;

	(void)printf(".It Fl \\-%s", s->name);
	if (strcmp(s->name, "help") == 0)
		(void)fputs(" , Fl h", stdout);
	if (s->arg)
		(void)printf(" Ar %s", s->arg);
	(void)putchar('\n');
	page_text(s->help);
	if (s->arch)
		(void)printf(";\n%s only", s->arch);
	(void)fputs(s->repeats ? ";\nmay be given again\n" : "\n", stdout);
	if (!parts)
		return;
	(void)fputs(".Bl -tag -width Ds -compact\n", stdout);
	for (unsigned int i = 0; i < parts->n; i++)
		page_part(&parts->part[i], i == 0 && parts->bare);
	if (parts->none)
		(void)fputs(".It Cm none\ntakes back what was said before\n", stdout);
	(void)fputs(".El\n", stdout);
}

/* A line of microvm.bash's table: the name, the kind of value, and the parts as NAME=WHAT, or
 * NAME alone for a switch; a + before a name that may be given again
 */
static void completion_row(const struct setting *s)
{
	const struct setting_parts *parts = s->parts;
	const char *arg = parts ? (parts->bare ? parts->part[0].arg : "") : s->arg;

	(void)printf("\t%s) arg='%s'", s->name, arg ? arg : "");
	if (parts) {
		(void)fputs(" parts='", stdout);
		for (unsigned int i = 0; i < parts->n; i++) {
			const struct setting_part *p = &parts->part[i];

			(void)printf("%s%s%s", i ? " " : "",
				     p->type == SETTING_LIST ? "+" : "", p->name);
			if (p->arg)
				(void)printf("=%s", p->arg);
		}
		(void)putchar('\'');
	}
	(void)fputs(parts && parts->none ? " word=none" : "", stdout);
	(void)fputs(s->repeats ? " again=1" : "", stdout);
	(void)fputs(s->arg ? " ;;\n" : " none=1 ;;\n", stdout);
}

static void completion_name(const struct setting *s)
{
	(void)printf("\t%s\n", s->name);
}

/* ---- commands that have a name ---- */

static void page_synopsis(const struct command *c)
{
	(void)printf(".Nm\n.Cm %s\n", c->usage);
}

/* The lines of `microvm NAME --help` */
static void page_command(const struct command *c)
{
	char *more = NULL;
	size_t len;
	FILE *f = open_memstream(&more, &len);

	if (!f)
		exit(EXIT_FAILURE);
	command_more(c, f);
	(void)fclose(f);
	(void)printf(".Ss microvm %s\n", c->usage);
	page_text(c->help);
	(void)fputs("\n.Bd -literal\n", stdout);
	for (const char *line = more; *line;) {
		size_t n = strcspn(line, "\n");
		char text[256];

		(void)snprintf(text, sizeof(text), "%.*s", (int)n, line);
		line += n + (line[n] == '\n');
		page_text(text);
		(void)putchar('\n');
	}
	(void)fputs(".Ed\n", stdout);
	free(more);
}

static void completion_command(const struct command *c)
{
	(void)printf("\t%s\n", c->name);
}

static void completion_job_options(void)
{
	for (unsigned int i = 0; job_option_name(i); i++)
		(void)printf("\t%s\n", job_option_name(i));
}

/* ---- the templates ---- */

static void completion_ctl(void)
{
	for (unsigned int i = 0; command_ctl_name(i); i++)
		(void)printf("\t%s\n", command_ctl_name(i));
}

/* The marks that rows replace: for settings, or for commands */
static const struct {
	const char *kind, *line;
	void (*setting)(const struct setting *s);
	void (*command)(const struct command *c);
	void (*other)(void);
} marks[] = {
	{"page", "@SYNOPSIS@\n", .command = page_synopsis},
	{"page", "@COMMANDS@\n", .command = page_command},
	{"page", "@SETTINGS@\n", .setting = page_row},
	{"completion", "@COMMANDS@\n", .command = completion_command},
	{"completion", "@SETTINGS@\n", .setting = completion_row},
	{"completion", "@NAMES@\n", .setting = completion_name},
	{"completion", "@RUN@\n", .other = completion_job_options},
	{"completion", "@CTL@\n", .other = completion_ctl},
};

static void print(const char *kind, const char *line)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(marks); i++) {
		if (strcmp(kind, marks[i].kind) != 0 || strcmp(line, marks[i].line) != 0)
			continue;
		for (unsigned int n = 0; marks[i].setting && n < setting_count; n++)
			marks[i].setting(&setting_table[n]);
		for (unsigned int n = 0; marks[i].command && n < command_count; n++)
			if (command_table[n].name)
				marks[i].command(&command_table[n]);
		if (marks[i].other)
			marks[i].other();
		return;
	}
	(void)fputs(line, stdout);
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *in;

	if (argc != 3) {
		(void)fputs("usage: manual {page|completion} TEMPLATE\n", stderr);
		return 2;
	}
	in = fopen(argv[2], "re");
	if (!in) {
		(void)fprintf(stderr, "manual: %s: %s\n", argv[2], strerror(errno));
		return EXIT_FAILURE;
	}
	while (fgets(line, sizeof(line), in))
		print(argv[1], line);
	(void)fclose(in);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* command_ctl - `microvm ctl`: ask a machine that runs, by its control socket. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "vmm/command.h"
#include "vmm/command_save.h"
#include "vmm/control/ctl.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define CTL_WORDS_MAX 4 /* SOCKET COMMAND ARG ARG */

struct ctl_words {
	const char *word[CTL_WORDS_MAX];
	int n;
	bool json, help;
};

struct ctl_command {
	const char *name;
	int least, most; /* how many arguments it has */
	const char *syntax, *help;
	/* members of the request besides its command; NULL: none. Return: 0, or a usage error in @e */
	int (*fill)(json_t *request, const struct ctl_words *w, struct err *e);
	void (*print)(const json_t *result);
	bool save;
};

/* ---- requests ---- */

static int ctl_size(json_t *o, const char *text, struct err *e)
{
	uint64_t n;

	if (parse_size(text, &n) < 0 || n > INT64_MAX)
		return err_usage(
			e,
			"\"%.60s\" is not a size; give a whole number with K, M or "
			"G, like 128M",
			text);
	(void)json_object_set_new(o, "bytes", json_integer((json_int_t)n));
	return 0;
}

static int fill_balloon(json_t *o, const struct ctl_words *w, struct err *e)
{
	return ctl_size(o, w->word[2], e);
}

static int fill_resize(json_t *o, const struct ctl_words *w, struct err *e)
{
	json_t *id = json_string(w->word[2]);

	if (!id)
		return err_usage(e, "the name of the disk is no text");
	(void)json_object_set_new(o, "disk", id);
	return w->n > 3 ? ctl_size(o, w->word[3], e) : 0;
}

/* ---- answers ---- */

/* What the machine says may hold anything */
static void print_text(const char *text)
{
	while (text && *text) {
		unsigned int control = text_control(text);

		(void)putchar(control ? '?' : *text);
		text += MAX(control, 1U);
	}
}

static long long ctl_number(const json_t *o, const char *name)
{
	return (long long)json_integer_value(json_object_get(o, name));
}

static void print_bytes(long long n)
{
	if (n % (long long)MIB == 0)
		(void)printf("%lld MiB", n / (long long)MIB);
	else
		(void)printf("%lld bytes", n);
}

static void print_balloon(const json_t *o)
{
	(void)printf("the guest is asked for ");
	print_bytes(ctl_number(o, "asked_bytes"));
	(void)printf(", and has given ");
	print_bytes(ctl_number(o, "given_bytes"));
	(void)printf("\n");
}

static void print_status(const json_t *o)
{
	json_t *disks = json_object_get(o, "disks"), *v;
	const json_t *balloon = json_object_get(o, "balloon");
	const char *key;

	(void)printf("name     ");
	print_text(json_string_value(json_object_get(o, "name")));
	(void)printf("\nstate    ");
	print_text(json_string_value(json_object_get(o, "state")));
	(void)printf("\npid      %lld\nuptime   %.1f s\ncpus     %lld\nmemory   ",
		     ctl_number(o, "pid"), (double)ctl_number(o, "uptime_ns") / 1e9,
		     ctl_number(o, "cpus"));
	print_bytes(ctl_number(o, "memory_bytes"));
	(void)printf("\n");
	if (json_is_object(balloon)) {
		(void)printf("balloon  ");
		print_balloon(balloon);
	}
	json_object_foreach(disks, key, v)
	{
		(void)printf("disk     ");
		print_text(key);
		(void)printf(" ");
		if (json_is_integer(v))
			print_bytes((long long)json_integer_value(v));
		else
			(void)printf("(another process serves it)");
		(void)printf("\n");
	}
}

static void print_state(const json_t *o)
{
	(void)printf("the machine is ");
	print_text(json_string_value(json_object_get(o, "state")));
	(void)printf("\n");
}

static void print_disk(const json_t *o)
{
	print_text(json_string_value(json_object_get(o, "disk")));
	(void)printf(" has ");
	print_bytes(ctl_number(o, "bytes"));
	(void)printf(", and the guest was told\n");
}

static void print_report(const json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	(void)printf("\n");
}

static void print_saved(const json_t *o)
{
	(void)o;
	(void)printf("the machine is saved\n");
}

static const struct ctl_command commands[] = {
	{"status", 0, 0, "status", "its state, process, memory and disks", NULL,
	 print_status, false},
	{"pause", 0, 0, "pause", "bring vCPUs and devices to rest", NULL, print_state,
	 false},
	{"resume", 0, 0, "resume", "and let them go on", NULL, print_state, false},
	{"balloon", 1, 1, "balloon SIZE", "ask the guest for so much of its memory",
	 fill_balloon, print_balloon, false},
	{"resize-disk", 1, 2, "resize-disk ID [SIZE]",
	 "grow a disk, or tell that it has grown", fill_resize, print_disk, false},
	{"report", 0, 0, "report", "the report as it stands", NULL, print_report, false},
	{"save", 1, 1, "save DIR", "save it, for microvm restore DIR", NULL, print_saved,
	 true},
};

const char *command_ctl_name(unsigned int i)
{
	return i < ARRAY_SIZE(commands) ? commands[i].name : NULL;
}

/* ---- the command line ---- */

void command_ctl_help(FILE *out)
{
	(void)fputs(
		"Asks the machine that was started with --control SOCKET. COMMAND is one of:\n\n",
		out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)fprintf(out, "  %-24s %s\n", commands[i].syntax, commands[i].help);
	(void)fputs(
		"\n  --json                   the answer as a line of JSON, as docs/control.md has\n"
		"                           it\n\n"
		"The exit status is 0 if it is done, 1 with a sentence if it is not, and 2 for a\n"
		"wrong command line.\n",
		out);
}

static int ctl_read(int argc, char **argv, struct ctl_words *w, struct err *e)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (options && strcmp(word, "--") == 0)
			options = false;
		else if (options && strcmp(word, "--json") == 0)
			w->json = true;
		else if (options && (!strcmp(word, "--help") || !strcmp(word, "-h")))
			w->help = true;
		else if (options && word[0] == '-')
			return err_usage(
				e, "\"%.60s\" is no option of ctl; it has --json", word);
		else if (w->n == CTL_WORDS_MAX)
			return err_usage(
				e, "\"%.60s\" is one word too many; leave it out", word);
		else
			w->word[w->n++] = word;
	}
	return 0;
}

static const struct ctl_command *ctl_find(const struct ctl_words *w, struct err *e)
{
	struct nearest near = {.given = w->n > 1 ? w->word[1] : ""};

	if (w->n < 2) {
		err_usage(e, "%s; give the SOCKET and a COMMAND",
			  w->n ? "there is no command" : "there is no socket");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct ctl_command *c = &commands[i];

		nearest_offer(&near, c->name);
		if (strcmp(w->word[1], c->name) != 0)
			continue;
		if (w->n - 2 >= c->least && w->n - 2 <= c->most)
			return c;
		err_usage(e, "%s %s argument; the syntax is %s", c->name,
			  w->n - 2 < c->least ? "lacks an" : "has no such", c->syntax);
		return NULL;
	}
	err_usage(e, "\"%.60s\" is not a command of ctl; %s%s%s", w->word[1],
		  near.best ? "did you mean " : "see microvm ctl --help",
		  near.best ? near.best : "", near.best ? "?" : "");
	return NULL;
}

static json_t *ctl_do(const struct ctl_command *c, const struct ctl_words *w,
		      struct err *e)
{
	json_t *request = json_pack("{ss}", "command", c->name);

	if (request && c->save) {
		json_decref(request);
		return command_save(w->word[0], w->word[2], e);
	}
	if (request && (!c->fill || c->fill(request, w, e) == 0))
		return ctl_ask(w->word[0], request, NULL, 0, NULL, e);
	json_decref(request);
	if (!e->code)
		err_set(e, ENOMEM, "no memory for the question");
	return NULL;
}

int command_ctl(int argc, char **argv, uint64_t start_ns)
{
	struct ctl_words w = {.n = 0};
	const struct ctl_command *c;
	struct err e = {0};
	json_t *result;

	(void)start_ns;
	if (ctl_read(argc, argv, &w, &e) < 0)
		return command_fail(&e);
	if (w.help) {
		command_help(command_find(2, (char *[]){argv[0], argv[0]}, &e), stdout);
		return command_flush(0);
	}
	c = ctl_find(&w, &e);
	result = c ? ctl_do(c, &w, &e) : NULL;
	if (!result)
		return command_fail(&e);
	if (w.json) {
		(void)json_dumpf(result, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		(void)printf("\n");
	} else {
		c->print(result);
	}
	json_decref(result);
	return command_flush(0);
}

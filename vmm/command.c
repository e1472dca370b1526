/* SPDX-License-Identifier: Apache-2.0 */
/* command - the table of commands, and the helpers that they share. */
#include "vmm/command.h"

#include <string.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/doctor.h"
#include "vmm/machine/exit.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/parse.h"

#define COMMAND_STUCK_MS   2000
#define COMMAND_PREFIX_MAX 80 /* "microvm NAME: " */

/* A byte that a terminal would obey (it may stem from a config file or a guest) is shown
 * as '?'.
 */
void command_complain(const char *sentence)
{
	char line[COMMAND_PREFIX_MAX + sizeof(((struct err *)0)->msg)];
	size_t n = (size_t)snprintf(line, COMMAND_PREFIX_MAX, "%s: ", log_prefix());

	while (*sentence && n < sizeof(line) - 2) {
		unsigned int control = text_control(sentence);

		line[n++] = control ? '?' : *sentence;
		sentence += MAX(control, 1U);
	}
	line[n++] = '\n';
	/* a stuck reader does not delay our end */
	(void)write_unless_stuck(STDERR_FILENO, line, n, COMMAND_STUCK_MS);
}

int command_fail(const struct err *e)
{
	static const char hint[] = "Try 'microvm --help'.\n";

	command_complain(e->msg);
	if (e->usage)
		(void)write_unless_stuck(STDERR_FILENO, hint, sizeof(hint) - 1,
					 COMMAND_STUCK_MS);
	return exit_status(e->usage ? CAUSE_USAGE : CAUSE_HOST_ERROR);
}

int command_flush(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	command_complain("cannot write to standard output");
	return exit_status(CAUSE_HOST_ERROR);
}

static int command_doctor(int argc, char **argv, uint64_t start_ns)
{
	struct err e = {0};

	(void)start_ns;
	if (argc > 1) {
		err_usage(&e, "doctor takes no options; leave \"%.60s\" out", argv[1]);
		return command_fail(&e);
	}
	return command_flush(doctor_run(stdout));
}

const struct command command_table[] = {
	{.name = NULL,
	 .usage = "--kernel PATH [OPTION...]",
	 .help = "run a machine; Ctrl-A x leaves it",
	 .run = command_machine},
	{.name = "run",
	 .usage = "run [OPTION...] ROOT [COMMAND...]",
	 .help = "a job in a machine of its own",
	 .print = command_run_help,
	 .run = command_run},
	{.name = "test",
	 .usage = "test --kernel FILE [OPTION...]",
	 .help = "a verdict on a kernel",
	 .print = command_test_help,
	 .run = command_test},
	{.name = "ctl",
	 .usage = "ctl SOCKET COMMAND [ARG...]",
	 .help = "ask a machine that runs",
	 .print = command_ctl_help,
	 .run = command_ctl},
	{.name = "images",
	 .usage = "images [VERB [IMAGE...]]",
	 .help = "images of containers, here",
	 .more = "VERB is one of:\n"
		 "  ls              those in the cache (as without a verb)\n"
		 "  import IMAGE    read one, or fetch it again: oci:DIR[:TAG], oci-archive:FILE,\n"
		 "                  docker-archive:FILE (- for stdin), docker://NAME, alpine:3.20\n"
		 "  inspect IMAGE   what its config says, and what it is made of\n"
		 "  verify [IMAGE]  read all of it, and compare it with what was written\n"
		 "  rm IMAGE        remove it, unless a machine has it\n"
		 "  prune           remove all that no machine has, and what was cut short\n"
		 "where IMAGE is four or more digits of its digest, or what it is imported by.\n"
		 "--json prints objects; --quiet says nothing of how far it is.\n"
		 "docs/images.md has more.\n",
	 .run = command_images},
	{.name = "restore",
	 .usage = "restore DIR [OPTION...]",
	 .help = "a machine that ctl save made",
	 .more = "DIR is what microvm ctl SOCKET save DIR made.  OPTIONs are a machine's; they\n"
		 "override what it was started with.  The guest's clocks go on by the time that\n"
		 "it was stored; with --keep-time they stood still, and its time of day is behind.\n",
	 .run = command_restore},
	{.name = "doctor",
	 .usage = "doctor",
	 .help = "can this host run one?",
	 .more = "Looks at this host's KVM, runs a trial guest of a few instructions, and looks\n"
		 "for what else a machine can use.  Each line has a mark: ok; no, which keeps a\n"
		 "stock kernel from booting here; or --, which is worth knowing.  The exit status\n"
		 "is 0 if no line says no, else 1.\n",
	 .run = command_doctor},
};
const unsigned int command_count = ARRAY_SIZE(command_table);

const struct command *command_find(int argc, char **argv, struct err *e)
{
	const char *word = argc > 1 ? argv[1] : "-";
	struct nearest near = {.given = word};

	if (*word == '-')
		return &command_table[0];
	for (unsigned int i = 1; i < command_count; i++) {
		if (strcmp(command_table[i].name, word) == 0)
			return &command_table[i];
		nearest_offer(&near, command_table[i].name);
	}
	if (!near.best) /* for example an option without its dashes: the option reader
			 * knows
			 */
		return &command_table[0];
	err_usage(e, "\"%.60s\" is not a command; did you mean %s?", word, near.best);
	return NULL;
}

void command_more(const struct command *c, FILE *out)
{
	if (c->print)
		c->print(out);
	else
		(void)fputs(c->more, out);
}

void command_help(const struct command *c, FILE *out)
{
	if (c->name) {
		(void)fprintf(out, "Usage: microvm %s\n\n", c->usage);
		command_more(c, out);
		return;
	}
	for (unsigned int i = 0; i < command_count; i++)
		(void)fprintf(out, "%s microvm %-25s   %s\n",
			      i ? "      " : "Usage:", command_table[i].usage,
			      command_table[i].help);
	(void)fputc('\n', out);
	cli_help(out);
}

static bool command_wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

int command_main(int argc, char **argv, uint64_t start_ns)
{
	struct err e = {0};
	const struct command *c = command_find(argc, argv, &e);

	if (!c)
		return command_fail(&e);
	/* only its reader can tell an option from an option's value, or from a job's */
	if (!c->name)
		return c->run(argc, argv, start_ns);
	if (c->print || !command_wants_help(argc - 1, argv + 1))
		return c->run(argc - 1, argv + 1, start_ns);
	command_help(c, stdout);
	return command_flush(0);
}

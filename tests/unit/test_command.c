/* SPDX-License-Identifier: Apache-2.0 */
/* the program's commands: which one a first word asks for, and what each says of itself */
#include "vmm/command.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/command_jail.h"
#include "vmm/core/unix_socket.h"
#include "vmm/core/util.h"

#define WORDS_MAX 8

static char text[8192];
static struct err e;
static char copy[256], *words[WORDS_MAX];

/* `microvm @line` as argv; its words are parted by single spaces */
static int words_of(const char *line)
{
	char *rest = copy, *word;
	int n = 0;

	(void)snprintf(copy, sizeof(copy), "microvm%s%s", *line ? " " : "", line);
	memset(words, 0, sizeof(words));
	while ((word = strsep(&rest, " ")) && n < WORDS_MAX - 1)
		words[n++] = word;
	e = (struct err){0};
	return n;
}

static const struct command *find(const char *line)
{
	return command_find(words_of(line), words, &e);
}

/* command_main() on @line; @text is what it printed on @stream.  Return: its status */
static int run(const char *line, int stream)
{
	char name[] = "/tmp/test_command.XXXXXX";
	int fd = mkstemp(name), saved = dup(stream), status;
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(name), 0);
	(void)fflush(NULL);
	ck_assert_int_eq(dup2(fd, stream), stream);
	status = command_main(words_of(line), words, monotonic_ns());
	(void)fflush(NULL);
	ck_assert_int_eq(dup2(saved, stream), stream);
	n = pread(fd, text, sizeof(text) - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(saved);
	close(fd);
	return status;
}

static void says(const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "no \"%s\" in:\n%s", what, text);
}

START_TEST(first_word_means_another_command)
{
	ck_assert_ptr_eq(find(""), &command_table[0]);
	ck_assert_ptr_eq(find("--kernel doctor"), &command_table[0]);
	ck_assert_ptr_eq(find("-h"), &command_table[0]);
	for (unsigned int i = 1; i < command_count; i++)
		ck_assert_ptr_eq(find(command_table[i].name), &command_table[i]);
	/* what is near no command is left to the reader of options */
	ck_assert_ptr_eq(find("bzImage"), &command_table[0]);
	ck_assert_ptr_eq(find("memory"), &command_table[0]);
}
END_TEST

START_TEST(near_word_is_not_offered)
{
	ck_assert_ptr_null(find("doctr"));
	ck_assert_int_eq(e.usage, 1);
	ck_assert_ptr_nonnull(strstr(e.msg, "\"doctr\" is not a command"));
	ck_assert_ptr_nonnull(strstr(e.msg, "did you mean doctor?"));
	ck_assert_ptr_null(find("doc"));
	ck_assert_int_eq(run("doctr", STDERR_FILENO), 2);
	says("did you mean doctor?\nTry 'microvm --help'.\n");
}
END_TEST

/* fits() - a screen is 80 columns wide */
static void fits(void)
{
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1)
		ck_assert_msg(end - p <= 80, "too long: %.100s", p);
}

/* Each command has a line in the help of all, and a help of its own */
START_TEST(help_omits_a_command)
{
	char line[80];

	ck_assert_int_eq(run("--help", STDOUT_FILENO), 0);
	ck_assert_int_eq(strncmp(text, "Usage: microvm --kernel PATH", 28), 0);
	for (unsigned int i = 0; i < command_count; i++) {
		(void)snprintf(line, sizeof(line), " microvm %s ",
			       command_table[i].usage);
		says(line);
		says(command_table[i].help);
	}
	fits();
	for (unsigned int i = 1; i < command_count; i++) {
		(void)snprintf(line, sizeof(line), "%s --help", command_table[i].name);
		ck_assert_int_eq(run(line, STDOUT_FILENO), 0);
		fits();
		(void)snprintf(line, sizeof(line), "Usage: microvm %s\n",
			       command_table[i].usage);
		says(line);
		if (command_table[i].print) /* -h is an option of its own */
			continue;
		says(command_table[i].more);
		(void)snprintf(line, sizeof(line), "%s -h", command_table[i].name);
		ck_assert_int_eq(run(line, STDOUT_FILENO), 0);
		says(command_table[i].more);
		for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1)
			ck_assert_msg(end - p <= 92, "too long: %.100s", p);
	}
}
END_TEST

START_TEST(doctor_takes_what_it_does_not_know)
{
	ck_assert_int_eq(run("doctor --cpus 2", STDERR_FILENO), 2);
	says("doctor takes no options; leave \"--cpus\" out");
	ck_assert_int_eq(run("doctor x", STDERR_FILENO), 2);
	says("leave \"x\" out");
}
END_TEST

START_TEST(machine_without_a_kernel_is_no_usage_error)
{
	ck_assert_int_eq(run("", STDERR_FILENO), 2);
	says("there is no kernel to boot");
	says("Try 'microvm --help'.");
	ck_assert_int_eq(run("--version", STDOUT_FILENO), 0);
	says("microvm " MICROVM_VERSION "\n");
}
END_TEST

START_TEST(report_does_not_believe_the_childs_word_for_the_mode)
{
	struct config cfg = {.jail = JAIL_STRICT};
	struct jail jail = {.mode = (enum jail_mode)0x41414141,
			    .held = UINT32_MAX}; /* shared with the child */
	struct machine_job job = {.cfg = &cfg, .jail = &jail};
	struct report r;

	command_report_jail(&job, &r);
	ck_assert_str_eq(r.jail, "strict");
	ck_assert_uint_eq(r.nlayer, JAIL_LAYERS);
}
END_TEST

/* A machine that a guest has taken over answers what a terminal would obey */
static const struct {
	const char *command, *answer;
	int status, stream;
	const char *says;
} evil[] = {
	{"status", "{\"error\":{\"message\":\"a\\u001b[31m\\u009b31mb\"}}\n", 1,
	 STDERR_FILENO, "microvm: a?[31m?31mb\n"},
	{"pause",
	 "{\"ok\":true,\"result\":{\"state\":\"a\\u001b[31m\\u009b31m\\u00e9\"}}\n", 0,
	 STDOUT_FILENO, "the machine is a?[31m?31m\u00e9\n"},
	{"report", "{\"ok\":true,\"result\":{\"a\":\"\\u001b\\u009b\"}}\n", 0,
	 STDOUT_FILENO, "\"a\": \"\\u001B\\u009B\"\n"},
	{"report --json", "{\"ok\":true,\"result\":{\"a\":\"\\u009b\"}}\n", 0,
	 STDOUT_FILENO, "{\"a\":\"\\u009B\"}\n"},
};

START_TEST(answer_is_obeyed_by_a_terminal)
{
	char path[] = "/tmp/test_command.XXXXXX", line[64];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), status;
	struct sockaddr_un a;
	pid_t pid;

	ck_assert_ptr_nonnull(mkdtemp(path));
	(void)snprintf(line, sizeof(line), "%s/s", path);
	ck_assert_int_eq(unix_address(&a, line), 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	pid = fork();
	if (pid == 0) {
		int client = accept(fd, NULL, NULL);

		_exit(read(client, line, sizeof(line)) <= 0 ||
		      write(client, evil[_i].answer, strlen(evil[_i].answer)) < 0);
	}
	(void)snprintf(line, sizeof(line), "ctl %s/s %s", path, evil[_i].command);
	ck_assert_int_eq(run(line, evil[_i].stream), evil[_i].status);
	says(evil[_i].says);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(fd);
	ck_assert_int_eq(unlink(a.sun_path), 0);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

UNIT_MAIN("command", NULL, NULL, t)
{
	tcase_add_test(t, first_word_means_another_command);
	tcase_add_test(t, near_word_is_not_offered);
	tcase_add_test(t, help_omits_a_command);
	tcase_add_test(t, doctor_takes_what_it_does_not_know);
	tcase_add_test(t, machine_without_a_kernel_is_no_usage_error);
	tcase_add_test(t, report_does_not_believe_the_childs_word_for_the_mode);
	tcase_add_loop_test(t, answer_is_obeyed_by_a_terminal, 0, ARRAY_SIZE(evil));
}

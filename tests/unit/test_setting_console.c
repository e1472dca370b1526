/* SPDX-License-Identifier: Apache-2.0 */
/* test_setting_console - --console and --port: what is understood, and what is not. */
#include <check.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/config_json.h"
#include "vmm/core/util.h"

#define WORDS_MAX 24
#define TEN       "xxxxxxxxxx"
#define LONG      TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678" /* 108 bytes */

static struct config cfg;
static struct err e;

/* cli_parse() on @line, whose words are parted by single spaces */
static int parse(const char *line)
{
	static char name[] = "microvm";
	char copy[512], *argv[WORDS_MAX] = {name}, *rest = copy, *word;
	enum cli_action action;
	int argc = 1;

	config_fini(&cfg);
	e = (struct err){0};
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	ck_assert_uint_lt(strlen(line), sizeof(copy));
	strcpy(copy, line);
	while ((word = strsep(&rest, " ")) && argc < WORDS_MAX)
		argv[argc++] = word;
	return cli_parse(argc, argv, &cfg, &action, &e);
}

static int parse_json(const char *text)
{
	config_fini(&cfg);
	e = (struct err){0};
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	return config_json_parse(&cfg, text, strlen(text), "vm.json", &e);
}

static void teardown(void)
{
	config_fini(&cfg);
}

static const struct {
	const char *line, *says, *also;
} wrong[] = {
	{"--kernel k --console pty,file=x", "--console: file:", "somewhere else"},
	{"--kernel k --console unix=a,pty", "--console: pty:", "somewhere else"},
	{"--kernel k --console none,pty", "--console: there is no console",
	 "instead of none"},
	{"--kernel k --console virtio,pty=maybe", "--console: pty: \"maybe\"",
	 "on nor off"},
	{"--kernel k --console file=", "--console: file has no value", "give one"},
	{"--kernel k --console unix=" LONG, "too long for a socket", "at most 107"},
	{"--kernel k --console unix=web_2", "--console: unix: \"web_2\"", "--vsock web"},
	{"--kernel k --port a,unix=d/w_70", "--port: unix: \"d/w_70\"", "to port 70"},
	{"--kernel k --console pty --console pty", "--console is given twice", "once"},
	{"--kernel k --port agent", "--port: port \"agent\" goes nowhere", "unix=PATH"},
	{"--kernel k --port pty=on", "--port: there is no name", "agent"},
	{"--kernel k --port a/b,pty", "--port: name: \"a/b\"", "cannot name a port"},
	{"--kernel k --port ..,pty", "--port: name: \"..\"", "cannot name a port"},
	{"--kernel k --port " LONG ",pty", "--port: name:", "at most 63"},
	{"--kernel k --port a,unix=" LONG, "--port: unix:", "at most 107"},
	{"--kernel k --port a,pty --port a,file=x", "two ports are named \"a\"",
	 "its own"},
	{"--kernel k --port a,stdio", "\"a\" and the console both go to stdio",
	 "its own"},
	{"--kernel k --console file=x --port a,unix=x", "the console both go to x",
	 "its own"},
	{"--kernel k --port a,file=x --port b,unix=x", "\"a\" and \"b\" both go to x",
	 "its own"},
	/* by whatever name, whether it is there or not */
	{"--kernel k --port a,file=x --port b,unix=./x", "\"a\" and \"b\" both go to ./x",
	 "its own"},
	{"--kernel k --console unix=/tmp/../tmp/x --port a,unix=/tmp/x",
	 "the console both go to /tmp/x", "its own"},
	{"--kernel k --port a,file=/proc/self/exe --port b,file=/proc/thread-self/exe",
	 "\"a\" and \"b\" both go to /proc/thread-self/exe", "its own"},
	{"--kernel k --console seral", "--console: device: \"seral\" is not a console;",
	 "did you mean serial?"},
	{"--kernel k --console tty", "\"tty\" is not a console", "did you mean pty?"},
	{"--kernel k --console graphic", "\"graphic\" is not a console",
	 "give serial, virtio or none"},
	{"--kernel k --console none --port a,stdio --port b,stdio",
	 "\"a\" and \"b\" both go to stdio", "its own"},
	{"--kernel k --console fd=2", "--console: fd: \"2\" is not", "3 or more"},
	{"--kernel k --port a,fd=x", "--port: fd: \"x\" is not the number", "3 or more"},
	{"--kernel k --console fd=3,pty", "--console: pty:", "somewhere else"},
	{"--kernel k --console fd=3 --port a,fd=3", "fd=3 is given twice", "its own"},
	{"--kernel k --port b,fd=7 --net fd=7", "fd=7 is given twice", "its own"},
	{"--kernel k --console fd=3,file-size=1M", "--console: there is no file",
	 "file="},
	{"--kernel k --console file=x,file-size=1K", "--console: file-size: \"1K\"",
	 "64K or more"},
	{"--kernel k --console pty,file-size=1M", "--console: there is no file", "file="},
	{"--kernel k --port a,unix=x,file-size=0", "--port: there is no file", "file="},
	{"--kernel k --port 0,pty --port 1,pty --port 2,pty --port 3,pty --port 4,pty "
	 "--port 5,pty --port 6,pty --port 7,pty --port 8,pty",
	 "one too many", "at most 8"},
};

START_TEST(wrong_line_gets_another_sentence)
{
	ck_assert_msg(parse(wrong[_i].line) < 0, "%s: accepted", wrong[_i].line);
	ck_assert_int_eq(e.usage, 1);
	ck_assert_msg(strstr(e.msg, wrong[_i].says), "%s: %s", wrong[_i].line, e.msg);
	ck_assert_msg(strstr(e.msg, wrong[_i].also), "%s: %s", wrong[_i].line, e.msg);
}
END_TEST

static void console_is(const char *line, enum config_console device,
		       enum config_end_kind kind, const char *path)
{
	ck_assert_msg(parse(line) == 0, "%s: %s", line, e.msg);
	ck_assert_int_eq(cfg.console, device);
	ck_assert_int_eq(cfg.console_end.kind, kind);
	if (path)
		ck_assert_str_eq(cfg.console_end.path, path);
	else
		ck_assert_ptr_null(cfg.console_end.path);
}

START_TEST(console_is_another)
{
	console_is("--kernel k", CONSOLE_SERIAL, END_STDIO, NULL);
	console_is("--kernel k --console serial", CONSOLE_SERIAL, END_STDIO, NULL);
	console_is("--kernel k --console virtio", CONSOLE_VIRTIO, END_STDIO, NULL);
	console_is("--kernel k --console none", CONSOLE_NONE, END_STDIO, NULL);
	console_is("--kernel k --console pty", CONSOLE_SERIAL, END_PTY, NULL);
	console_is("--kernel k --console stdio", CONSOLE_SERIAL, END_STDIO, NULL);
	console_is("--kernel k --console virtio,pty", CONSOLE_VIRTIO, END_PTY, NULL);
	console_is("--kernel k --console unix=a=b", CONSOLE_SERIAL, END_UNIX, "a=b");
	console_is("--kernel k --console virtio,file=a,,b", CONSOLE_VIRTIO, END_FILE,
		   "a,b");
	console_is("--kernel k --console device=virtio,unix=s", CONSOLE_VIRTIO, END_UNIX,
		   "s");
}
END_TEST

START_TEST(descriptor_is_another)
{
	console_is("--kernel k --console virtio,fd=12 --port a,fd=13", CONSOLE_VIRTIO,
		   END_FD, NULL);
	ck_assert_int_eq(cfg.console_end.fd, 12);
	ck_assert_int_eq(cfg.port[0].end.kind, END_FD);
	ck_assert_int_eq(cfg.port[0].end.fd, 13);
	ck_assert_int_eq(parse_json("{\"console\": {\"fd\": 12}}"), 0);
	ck_assert_int_eq(cfg.console_end.fd, 12);
	/* anybody may be there: what the guest prints is not made for one kind of reader */
	config_console_reader(&cfg, true, true);
	ck_assert_int_eq(cfg.console_reader, READER_UNKNOWN);
}
END_TEST

START_TEST(ports_are_others)
{
	ck_assert_int_eq(parse("--kernel k --port agent,unix=a.sock --port p.1,pty "
			       "--port name=log,file=l --console pty --port in,stdio"),
			 0);
	ck_assert_uint_eq(cfg.nport, 4);
	ck_assert_str_eq(cfg.port[0].name, "agent");
	ck_assert_int_eq(cfg.port[0].end.kind, END_UNIX);
	ck_assert_str_eq(cfg.port[0].end.path, "a.sock");
	ck_assert_int_eq(cfg.port[1].end.kind, END_PTY);
	ck_assert_str_eq(cfg.port[2].name, "log");
	ck_assert_int_eq(cfg.port[2].end.kind, END_FILE);
	ck_assert_int_eq(cfg.port[3].end.kind, END_STDIO);
	/* without a console a port may have the terminal */
	ck_assert_int_eq(parse("--kernel k --console none --port in,stdio"), 0);
}
END_TEST

/* What a kernel says has a limit unless it is told not to; what a port carries is data */
START_TEST(files_have_a_size)
{
	ck_assert_int_eq(parse("--kernel k --console file=x --port a,file=y"), 0);
	ck_assert_uint_eq(cfg.console_end.file_size, 256 * MIB);
	ck_assert_uint_eq(cfg.port[0].end.file_size, 0);
	ck_assert_int_eq(parse("--kernel k --console virtio,file-size=64K,file=x --port "
			       "a,file=y,file-size=3M"),
			 0);
	ck_assert_uint_eq(cfg.console_end.file_size, 64 * KIB);
	ck_assert_uint_eq(cfg.port[0].end.file_size, 3 * MIB);
	ck_assert_int_eq(parse("--kernel k --console file=x,file-size=0"), 0);
	ck_assert_uint_eq(cfg.console_end.file_size, 0);
	ck_assert_int_eq(parse_json("{\"console\": {\"file\": \"x\", \"file-size\": "
				    "\"1M\"}}"),
			 0);
	ck_assert_uint_eq(cfg.console_end.file_size, MIB);
}
END_TEST

START_TEST(json_means_another_machine)
{
	ck_assert_int_eq(parse_json("{\"console\": {\"device\": \"virtio\", \"unix\": "
				    "\"a,b\"}, \"port\": [{\"name\": \"x\", "
				    "\"pty\": true}, {\"name\": \"y\", \"file\": "
				    "\"f\", \"pty\": false}]}"),
			 0);
	ck_assert_int_eq(cfg.console, CONSOLE_VIRTIO);
	ck_assert_str_eq(cfg.console_end.path, "a,b");
	ck_assert_uint_eq(cfg.nport, 2);
	ck_assert_int_eq(cfg.port[0].end.kind, END_PTY);
	ck_assert_int_eq(cfg.port[1].end.kind, END_FILE);
	ck_assert_int_eq(parse_json("{\"console\": \"pty\"}"), 0);
	ck_assert_int_eq(cfg.console_end.kind, END_PTY);
	ck_assert_int_lt(parse_json("{\"port\": [{\"name\": \"x\"}]}"), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "port[0]: port \"x\" goes nowhere"));
}
END_TEST

UNIT_MAIN("setting_console", NULL, teardown, t)
{
	tcase_add_loop_test(t, wrong_line_gets_another_sentence, 0,
			    (int)ARRAY_SIZE(wrong));
	tcase_add_test(t, console_is_another);
	tcase_add_test(t, descriptor_is_another);
	tcase_add_test(t, ports_are_others);
	tcase_add_test(t, files_have_a_size);
	tcase_add_test(t, json_means_another_machine);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* settings said again: what config_say() prints is read as the same config, for every setting */
#include "vmm/settings/config_say.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_json.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/setting.h"

#define WORDS_MAX 64

static struct config cfg, again;
static struct err e;

/* Of each setting what an operator may write: a new row without an example here fails, and so does a
 * new part of one
 */
static const struct example {
	const char *row;
	const char
		*value[8]; /* each a machine's; of a row that repeats also all together */
} examples[] = {
	{"kernel", {"/boot/vmlinuz,6=1"}},
	{"initrd", {"/a", "/b"}},
	{"append", {"quiet \"a b\"\tc=\xc3\xa9,,", ""}},
	{"cmdline", {"console=ttyS0 acpi=off", ""}},
	{"disk",
	 {"/a,,b.img",
	  "path=/serial=1,ro,id=root,serial=S 1,direct,block-size=4096,io=sync",
	  "/c,format=vhd,backing=on,readonly=off,direct=off,cache=writethrough",
	  "/d,overlay=/d.cow,bps=100M,bps-burst=2M,iops=0500,iops-burst=9,io=uring",
	  "vhost-user=/run/d.sock,id=last"}},
	{"net",
	 {"user,publish=8080:80,host=on,id=lan,publish=127.0.0.1:53:53/udp,mtu=1500",
	  "tap=t0,netns=/run/netns/a,mac=52:54:00:12:34:56,vhost", "fd=7,vhost=off",
	  "tap=t1,rx-bps=1M,rx-bps-burst=1K,rx-iops=5,rx-iops-burst=6,tx-bps=2M,"
	  "tx-bps-burst=2048,tx-iops=7,tx-iops-burst=8",
	  "vhost-user=/run/n.sock,user=off"}},
	{"vsock", {"/v.sock,cid=4294967294", "/v=w"}},
	{"share", {"/srv,ro,tag=a=b?", "/srv2", "socket=/s.sock"}},
	{"cpus", {"4", "0016"}},
	{"memory", {"512M", "1G,hugepages=on", "size=536870912"}},
	{"pmem", {"/p,ro", "path=/q,readonly=off"}},
	{"balloon", {"64M,reporting=off,deflate-on-oom=off", "0"}},
	{"console",
	 {"virtio,file=/log,file-size=1M", "pty", "none", "device=serial,stdio",
	  "virtio,pty", "unix=/c.sock,pty=off", "fd=8"}},
	{"port",
	 {"a,unix=/a.sock", "b,pty", "c,file=/c,file-size=64K",
	  "name=d,stdio=off,file=/d", "f,pty=off,file=/f", "g,fd=9"}},
	{"acpi", {"off", "on"}},
	{"exit-port", {"0xf4,good=16", "port=1281"}},
	{"name", {"web-1"}},
	{"timeout", {"90s", "5"}},
	{"stop-timeout", {"0", "500ms"}},
	{"pidfile", {"/run/pid"}},
	{"report", {"/dev/stderr"}},
	{"control", {"/run/control.sock"}},
	{"dump-dtb", {"/dtb"}},
	{"dtb-overlay", {"/dtbo"}},
	{"jail", {"strict", "off"}},
	{"cgroup", {"own", "off", "/sys/fs/cgroup/m"}},
	{"cpu-limit", {"1.5", "2"}},
	{"early", {"on", "off"}},
	{"log-level", {"debug"}},
};

static const struct example *example_of(const char *row)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(examples); i++)
		if (strcmp(examples[i].row, row) == 0)
			return &examples[i];
	ck_abort_msg("give --%s an example", row);
	return NULL;
}

/* Every pointer in a config, a string unless it is left out below */
static void strings(struct config *c, char **at[], unsigned int *n)
{
	*n = 0;
#define STRING(p) at[(*n)++] = &(p)
	STRING(c->kernel);
	STRING(c->append);
	STRING(c->cmdline);
	STRING(c->vsock.path);
	STRING(c->console_end.path);
	STRING(c->name);
	STRING(c->pidfile);
	STRING(c->report);
	STRING(c->control);
	STRING(c->cgroup);
	STRING(c->dump_dtb);
	STRING(c->dtb_overlay);
	for (unsigned int i = 0; i < CONFIG_INITRDS_MAX; i++)
		STRING(c->initrd[i]);
	for (unsigned int i = 0; i < CONFIG_DISKS_MAX; i++) {
		STRING(c->disk[i].path);
		STRING(c->disk[i].vhost_user);
		STRING(c->disk[i].serial);
		STRING(c->disk[i].overlay);
	}
	for (unsigned int i = 0; i < CONFIG_NETS_MAX; i++) {
		STRING(c->net[i].tap);
		STRING(c->net[i].vhost_user);
		STRING(c->net[i].netns);
	}
	for (unsigned int i = 0; i < CONFIG_SHARES_MAX; i++) {
		STRING(c->share[i].path);
		STRING(c->share[i].socket);
		STRING(c->share[i].tag);
	}
	for (unsigned int i = 0; i < CONFIG_PMEMS_MAX; i++)
		STRING(c->pmem[i].path);
	for (unsigned int i = 0; i < CONFIG_PORTS_MAX; i++) {
		STRING(c->port[i].name);
		STRING(c->port[i].end.path);
	}
#undef STRING
}

/* All bytes of both, strings by what they say.  A pointer that strings() does not know differs, so it
 * cannot be forgotten there.
 */
static bool equal(struct config *a, struct config *b)
{
	static struct config x, y;
	static char **sa[256], **sb[256];
	unsigned int n;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	strings(&x, sa, &n);
	strings(&y, sb, &n);
	for (unsigned int i = 0; i < n; i++) {
		if (!*sa[i] != !*sb[i] || (*sa[i] && strcmp(*sa[i], *sb[i]) != 0))
			return false;
		*sa[i] = *sb[i] = NULL;
	}
	x.said = y.said = NULL;
	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void begin(struct config *c)
{
	config_fini(c);
	memset(c, 0, sizeof(*c));
	ck_assert_int_eq(config_init(c, &e), 0);
}

/* The config of a command line.  `--kernel` is there already unless @argv has it */
static void parse(char **argv, int argc)
{
	enum cli_action action;

	begin(&cfg);
	ck_assert_msg(cli_parse(argc, argv, &cfg, &action, &e) == 0, "%s", e.msg);
}

/* What config_say() says of @cfg, as text to be freed */
static char *say(void)
{
	json_t *o = config_say(&cfg, &e);
	char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;

	ck_assert_msg(text != NULL, "%s", e.msg);
	json_decref(o);
	return text;
}

/* Read @text, of a config file */
static void read_again(const char *text)
{
	begin(&again);
	ck_assert_msg(config_json_parse(&again, text, strlen(text), "said", &e) == 0,
		      "%s in:\n%s", e.msg, text);
	ck_assert_msg(config_validate(&again, &e) == 0, "%s in:\n%s", e.msg, text);
}

/* Say it, read that */
static void say_and_read(void)
{
	char *text = say();

	read_again(text);
	free(text);
}

static void same_again(const char *what)
{
	char *text = say();

	read_again(text);
	ck_assert_msg(equal(&cfg, &again), "%s is not the same after:\n%s", what, text);
	free(text);
}

static char *word(const char *s)
{
	return (char *)(uintptr_t)s;
}

static bool can_be_here(const struct setting *s)
{
	return s->role == ROLE_MACHINE && (!s->arch || strcmp(s->arch, arch_name) == 0);
}

/* `microvm --kernel /k --@row @value...`, all of @ex if @i is negative */
static void parse_example(const struct setting *s, const struct example *ex, int i)
{
	char option[40], *argv[WORDS_MAX] = {word("microvm")};
	int argc = 1;

	(void)snprintf(option, sizeof(option), "--%s", s->name);
	if (strcmp(s->name, "kernel") != 0) {
		argv[argc++] = word("--kernel");
		argv[argc++] = word("/k");
	}
	if (strcmp(s->name, "port") == 0) { /* or it has our terminal */
		argv[argc++] = word("--console");
		argv[argc++] = word("none");
	}
	if (strcmp(s->name, "jail") != 0) { /* a sanitizer's build has none unasked */
		argv[argc++] = word("--jail");
		argv[argc++] = word("auto");
	}
	for (int k = i < 0 ? 0 : i; ex->value[k] && (i < 0 || k == i); k++) {
		argv[argc++] = option;
		argv[argc++] = word(ex->value[k]);
	}
	parse(argv, argc);
}

START_TEST(setting_is_another_when_said_again)
{
	for (unsigned int r = 0; r < setting_count; r++) {
		const struct setting *s = &setting_table[r];
		const struct example *ex;

		if (!can_be_here(s))
			continue;
		ex = example_of(s->name);
		for (int i = 0; ex->value[i]; i++) {
			parse_example(s, ex, i);
			same_again(s->name);
		}
		if (s->repeats) {
			parse_example(s, ex, -1);
			same_again(s->name);
		}
	}
}
END_TEST

/* Is "@name" a key of an object in @text? */
static bool has_key(const char *text, const char *name)
{
	char key[64];

	(void)snprintf(key, sizeof(key), "\"%s\": ", name);
	return strstr(text, key) != NULL;
}

START_TEST(part_has_no_example)
{
	for (unsigned int r = 0; r < setting_count; r++) {
		const struct setting *s = &setting_table[r];
		const struct example *ex;
		char all[8192] = "";

		if (!can_be_here(s) || !s->parts)
			continue;
		ex = example_of(s->name);
		for (int i = 0; ex->value[i]; i++) {
			char *text;

			parse_example(s, ex, i);
			text = say();
			ck_assert_uint_lt(strlen(all) + strlen(text), sizeof(all));
			strcat(all, text);
			free(text);
		}
		for (unsigned int p = 0; p < s->parts->n; p++)
			ck_assert_msg(has_key(all, s->parts->part[p].name),
				      "no example has --%s %s=", s->name,
				      s->parts->part[p].name);
	}
}
END_TEST

static bool is_one_of(const char *arg, const char *a, const char *b)
{
	return arg && (strcmp(arg, a) == 0 || strcmp(arg, b) == 0);
}

/* Is a setting of @type right for what the manual calls @arg?  A path that is text would be said
 * relative
 */
static bool has_type(enum setting_type type, const char *arg)
{
	bool path = is_one_of(arg, "FILE", "DIR") || is_one_of(arg, "PATH", "PATH");

	return path == (type == SETTING_PATH) &&
	       is_one_of(arg, "SOCKET", "SOCKET") == (type == SETTING_SOCKET);
}

START_TEST(path_has_the_type_of_a_text)
{
	for (unsigned int r = 0; r < setting_count; r++) {
		const struct setting *s = &setting_table[r];

		if (s->role != ROLE_MACHINE)
			continue;
		ck_assert_msg(s->parts || has_type(s->type, s->arg), "--%s", s->name);
		for (unsigned int p = 0; s->parts && p < s->parts->n; p++)
			ck_assert_msg(
				has_type(s->parts->part[p].type, s->parts->part[p].arg),
				"--%s %s=", s->name, s->parts->part[p].name);
	}
}
END_TEST

/* All settings at once, those that exclude each other left out */
START_TEST(machine_is_another_when_said_again)
{
	char option[64][40], *argv[WORDS_MAX] = {word("microvm")};
	int argc = 1;

	for (unsigned int r = 0; r < setting_count; r++) {
		const struct setting *s = &setting_table[r];

		if (!can_be_here(s) || strcmp(s->name, "cmdline") == 0)
			continue;
		(void)snprintf(option[r], sizeof(option[r]), "--%s", s->name);
		argv[argc++] = option[r];
		argv[argc++] = word(example_of(s->name)->value[0]);
	}
	parse(argv, argc);
	same_again("all of it");
}
END_TEST

START_TEST(machine_without_settings_says_some)
{
	char *text;

	begin(&cfg);
	text = say();
	ck_assert_str_eq(text, "{}");
	free(text);
}
END_TEST

/* The command line replaces a file's values and empties its lists: so it is said */
START_TEST(file_is_said_beside_what_replaced_it)
{
	static const char file[] =
		"{\"cpus\": 2, \"memory\": {\"size\": \"1G\", "
		"\"hugepages\": true}, \"disk\": [{\"path\": \"/a\"}], "
		"\"net\": [{\"tap\": \"t0\"}], \"balloon\": \"64M\"}";
	char *argv[] = {word("microvm"), word("--kernel"),    word("/k"),
			word("--cpus"),  word("3"),           word("--memory"),
			word("2G"),      word("--disk"),      word("/b"),
			word("--net"),   word("none"),        word("--balloon"),
			word("none"),    word("--log-level"), word("info")};
	enum cli_action action;
	char *text;

	begin(&cfg);
	ck_assert_int_eq(config_json_parse(&cfg, file, strlen(file), "f", &e), 0);
	ck_assert_int_eq(cli_parse(ARRAY_SIZE(argv), argv, &cfg, &action, &e), 0);
	text = say();
	ck_assert(!has_key(text, "net") && !has_key(text, "balloon"));
	ck_assert(!has_key(text, "hugepages"));
	free(text);
	same_again("what replaced it");
	ck_assert_uint_eq(again.ncpu, 3);
	ck_assert_uint_eq(again.ndisk, 2);
}
END_TEST

START_TEST(path_is_said_as_seen_from_here)
{
	char *argv[] = {word("microvm"), word("--kernel"),         word("k"),
			word("--disk"),  word("d/e,overlay=../o"), word("--report"),
			word("/r"),      word("--vsock"),          word("v.sock")};
	char dir[] = "/tmp/config_say.XXXXXX", want[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	parse(argv, ARRAY_SIZE(argv));
	say_and_read();
	(void)snprintf(want, sizeof(want), "%s/k", dir);
	ck_assert_str_eq(again.kernel, want);
	(void)snprintf(want, sizeof(want), "%s/d/e", dir);
	ck_assert_str_eq(again.disk[0].path, want);
	(void)snprintf(want, sizeof(want), "%s/../o", dir);
	ck_assert_str_eq(again.disk[0].overlay, want);
	(void)snprintf(want, sizeof(want), "%s/v.sock", dir);
	ck_assert_str_eq(again.vsock.path, want);
	ck_assert_str_eq(again.report, "/r");
	ck_assert_int_eq(chdir("/"), 0);
	say_and_read();
	ck_assert_str_eq(again.kernel, "/k");
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* An absolute path that no socket can have would be refused: it stays as it is */
START_TEST(socket_is_said_too_long)
{
	char *argv[] = {word("microvm"), word("--kernel"), word("k"), word("--port"),
			word("a,unix=s.sock")};
	char dir[] = "/tmp/config_say.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(mkdir("0123456789012345678901234567890123456789", 0700),
				 0);
		ck_assert_int_eq(chdir("0123456789012345678901234567890123456789"), 0);
	}
	parse(argv, ARRAY_SIZE(argv));
	say_and_read();
	ck_assert_str_eq(again.port[0].end.path, "s.sock");
	ck_assert_int_eq(again.kernel[0], '/');
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_int_eq(chdir(".."), 0);
		ck_assert_int_eq(rmdir("0123456789012345678901234567890123456789"), 0);
	}
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(what_json_cannot_have_is_said)
{
	char *argv[] = {word("microvm"), word("--kernel"), word("/\xff")};

	parse(argv, ARRAY_SIZE(argv));
	ck_assert_ptr_null(config_say(&cfg, &e));
	ck_assert_ptr_nonnull(strstr(e.msg, "kernel: the value is no UTF-8"));
}
END_TEST

static void teardown(void)
{
	config_fini(&cfg);
	config_fini(&again);
}

UNIT_MAIN("config_say", NULL, teardown, t)
{
	tcase_add_test(t, setting_is_another_when_said_again);
	tcase_add_test(t, part_has_no_example);
	tcase_add_test(t, path_has_the_type_of_a_text);
	tcase_add_test(t, machine_is_another_when_said_again);
	tcase_add_test(t, machine_without_settings_says_some);
	tcase_add_test(t, file_is_said_beside_what_replaced_it);
	tcase_add_test(t, path_is_said_as_seen_from_here);
	tcase_add_test(t, socket_is_said_too_long);
	tcase_add_test(t, what_json_cannot_have_is_said);
}

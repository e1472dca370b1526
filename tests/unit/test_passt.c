/* SPDX-License-Identifier: Apache-2.0 */
/* Starting passt, with a script in its place: what it is told, and what is said of its end. */
#include "devices/backend/passt.h"

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

static char dir[] = "/tmp/test-passt.XXXXXX";
static struct err err;

static const char *in_dir(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void setup(void)
{
	log_threshold = LOG_ERROR;
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("PATH", dir, 1), 0);
}

static void teardown(void)
{
	(void)unlink(in_dir("passt"));
	(void)unlink(in_dir("args"));
	(void)rmdir(dir);
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
}

static void passt_is(const char *script)
{
	const char *path = in_dir("passt");
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_gt(fprintf(f, "#!/bin/sh\n%s\n", script), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, 0700), 0);
}

static unsigned int open_fds(void)
{
	DIR *fds = opendir("/proc/self/fd");
	unsigned int n = 0;

	ck_assert_ptr_nonnull(fds);
	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

static void refused(const struct config_net *c, const char *word)
{
	unsigned int before = open_fds();

	ck_assert_int_lt(passt_start(c, JAIL_AUTO, &err), 0);
	ck_assert_msg(strstr(err.msg, word) != NULL, "%s", err.msg);
	ck_assert_uint_eq(open_fds(), before);
}

START_TEST(ready_passt_costs_one_descriptor)
{
	struct config_net c = {.user = true, .npublish = 1};
	const struct config_publish p = {.spec = "127.0.0.1/0:80", .udp = true};
	unsigned int before = open_fds();
	char script[128], args[128] = "";
	FILE *f;
	int fd;

	c.publish[0] = p;
	(void)snprintf(script, sizeof(script), "echo \"$@\" >%s", in_dir("args"));
	passt_is(script);
	fd = passt_start(&c, JAIL_AUTO, &err);
	ck_assert_msg(fd >= 0, "%s", err.msg);
	ck_assert_uint_eq(open_fds(), before + 1);
	close(fd);
	f = fopen(in_dir("args"), "re");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(args, sizeof(args), f));
	(void)fclose(f);
	ck_assert_ptr_nonnull(strstr(args, "--fd 3"));
	ck_assert_ptr_nonnull(strstr(args, "-u 127.0.0.1/0:80"));
}
END_TEST

/* The program itself, if it is installed: the port that it is told of is open, and no other */
START_TEST(passt_itself_opens_the_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct config_net c = {.user = true, .npublish = 1, .mtu = 1400};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	if (access("/usr/bin/passt", X_OK) < 0)
		return;
	ck_assert_int_eq(setenv("PATH", "/usr/bin", 1), 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&a, sizeof(a)), 0); /* a free one */
	ck_assert_int_eq(getsockname(s, (struct sockaddr *)&a, &len), 0);
	close(s);
	c.publish[0].port = ntohs(a.sin_port);
	c.publish[0].address = a.sin_addr.s_addr;
	(void)snprintf(c.publish[0].spec, sizeof(c.publish[0].spec), "127.0.0.1/%u:80",
		       c.publish[0].port);
	fd = passt_start(&c, JAIL_AUTO, &err);
	if (fd < 0 && strstr(err.msg, "namespace"))
		return; /* a container that allows none */
	ck_assert_msg(fd >= 0, "%s", err.msg);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
	close(s);
	close(fd);
}
END_TEST

START_TEST(missing_passt_is_said_with_its_package)
{
	refused(&(struct config_net){.user = true}, "apt install passt");
}
END_TEST

START_TEST(passt_that_fails_is_quoted)
{
	passt_is("echo no such luck >&2; exit 1");
	refused(&(struct config_net){.user = true},
		"passt ended with status 1: no such luck; run `passt -f` to see why, or");
}
END_TEST

/* What Debian 12's says, as root and without a logger; its beginning was cut off */
START_TEST(passt_that_refuses_gets_cause_and_cure)
{
	static const struct {
		const char *last, *cause, *cure;
	} said[] = {
		{"External interface not usable", "no route to any other network",
		 "give the host a default route"},
		{"Couldn't create user namespace: Operation not permitted",
		 "this host allows it none", "sysctl kernel.unprivileged_userns_clone=1"},
		{"Failed to sandbox process, exiting", "cannot lock itself up",
		 "allow them to this container"},
		{"Failed to bind any port for '-t 80:80', exiting", "may not open a port",
		 "from 1024 on"},
		{"Can't set UID to 65534: Operation not permitted", "nobody",
		 "CAP_SETUID"},
		{"Can't set GID to 65534: Operation not permitted", "nobody",
		 "CAP_SETUID"},
	};
	char script[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(said); i++) {
		(void)snprintf(
			script, sizeof(script),
			"exec >&2; n='Failed to send 46 bytes to syslog'; echo $n; echo "
			"\"Don't run as root. Changing to nobody...\"; echo $n; echo "
			"\"No external routable interface for IPv4\"; echo $n; echo \"%s\"; "
			"echo $n; exit 1",
			said[i].last);
		passt_is(script);
		refused(&(struct config_net){.user = true}, said[i].cause);
		ck_assert_msg(strstr(err.msg, said[i].cure) != NULL, "%s", err.msg);
		ck_assert_ptr_null(strstr(err.msg, "syslog"));
		ck_assert_uint_lt(strlen(err.msg), sizeof(err.msg) - 1);
	}
}
END_TEST

START_TEST(noise_is_quoted)
{
	passt_is(
		"exec >&2; for i in 1 2 3 4 5 6 7 8 9; do echo Failed to send 46 bytes to "
		"syslog; done; echo alas; echo Failed to send 4 bytes to syslog; exit 3");
	refused(&(struct config_net){.user = true}, "status 3: alas; run");
}
END_TEST

/* Held by a program on IPv4 alone, passt would be content with IPv6 */
START_TEST(port_that_is_taken_is_said_before_passt_starts)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct config_net c = {.user = true, .npublish = 1};
	int held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(held, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(held, 1), 0);
	ck_assert_int_eq(getsockname(held, (struct sockaddr *)&a, &len), 0);
	passt_is("exit 0");
	c.publish[0].port = ntohs(a.sin_port); /* at all addresses */
	refused(&c, "is not to be had");
	close(held);
}
END_TEST

UNIT_MAIN("passt", setup, teardown, t)
{
	tcase_add_test(t, ready_passt_costs_one_descriptor);
	tcase_add_test(t, passt_itself_opens_the_port);
	tcase_add_test(t, missing_passt_is_said_with_its_package);
	tcase_add_test(t, passt_that_fails_is_quoted);
	tcase_add_test(t, passt_that_refuses_gets_cause_and_cure);
	tcase_add_test(t, noise_is_quoted);
	tcase_add_test(t, port_that_is_taken_is_said_before_passt_starts);
}

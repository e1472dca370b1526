/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs - a shared directory, and which virtiofsd there is: scripts in its place that take
 * the options of one kind.  The back end behind them is this program.
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/namespaces.h"
#include "tests/lib/unit.h"
#include "tests/lib/vhost_peer.h"
#include "vmm/core/subids.h"
#include "vmm/core/util.h"

static struct driver d;
static char dir[32], file[64], args[64], share0[] = "share0";

#define OLD_HELP "  -o source=PATH  shared tree\n  --socket-path=PATH\n  --fd=FDNUM\n"
#define NEW_HELP \
	"  --shared-dir <DIR>\n  --socket-path <PATH>\n  --fd <FD>\n  --sandbox <BOX>\n"

static void setup(void)
{
	driver_init_shared(&d, MIB);
	d.cfg.ncpu = 1;
	(void)snprintf(dir, sizeof(dir), "/tmp/test-fs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(file, sizeof(file), "%s/virtiofsd", dir);
	(void)snprintf(args, sizeof(args), "%s/args", dir);
	d.cfg.share[0].path = dir;
	d.cfg.share[0].tag = share0;
	d.cfg.nshare = 1;
	setenv("PATH", dir, 1);
}

static void teardown(void)
{
	driver_fini(&d);
	unlink(file);
	unlink(args);
	rmdir(dir);
}

/* A virtiofsd that explains itself by @help, serves if its words are @takes and where they
 * say is the directory, and ends saying @says otherwise
 */
static void install(const char *help, const char *takes, const char *says)
{
	char us[PATH_MAX] = "";
	FILE *f = fopen(file, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_gt(readlink("/proc/self/exe", us, sizeof(us) - 1), 0);
	(void)fprintf(f,
		      "#!/bin/sh\necho \"$*\" >>%s/args\n"
		      "case \"$*\" in\n--help) echo '%s'; exit ;;\n"
		      "\"%s\") ;;\n*) echo '%s' >&2; exit 2 ;;\nesac\n"
		      "case \"$*\" in\n*=/sys[,\\ ]*) at=/sys ;;\n"
		      "*=/proc/self/fd/4/[,\\ ]*) at=/proc/self/fd/4/ ;;\nesac\n"
		      "[ $at/args -ef %s/args ] && exec '%s' serve\n"
		      "echo \"$at is another directory\" >&2\nexit 3\n",
		      dir, help, takes, says, dir, us);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(file, 0755), 0);
}

/* How often it was started */
static unsigned int starts(void)
{
	FILE *f = fopen(args, "re");
	unsigned int n = 0;
	int c;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f)
		(void)fclose(f);
	return n;
}

/* @n starts, of which the first, and of more than three the fourth, would be in a namespace */
static unsigned int started(unsigned int n)
{
	return namespaces_allowed() ? n : n - (n > 3 ? 2 : 1);
}

static void must_serve(unsigned int after)
{
	driver_plug(&d, fs_create(&d.env, 0, &d.err));
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(!driver_broken(&d));
	ck_assert_uint_eq(starts(), started(after));
}

static void must_fail(const char *why)
{
	ck_assert_ptr_null(fs_create(&d.env, 0, &d.err));
	ck_assert_msg(strstr(d.err.msg, why) != NULL, "%s", d.err.msg);
	ck_assert_msg(strstr(d.err.msg, dir) != NULL, "%s", d.err.msg);
}

START_TEST(older_kind_is_started_at_once)
{
	if (!namespaces_allowed())
		return;
	install(OLD_HELP, "--fd=3 -o source=/sys,sandbox=namespace,cache=auto", "");
	must_serve(1);
}
END_TEST

START_TEST(older_kind_in_a_container)
{
	install(OLD_HELP, "--fd=3 -o source=/proc/self/fd/4/,sandbox=chroot,cache=auto",
		"");
	must_serve(2);
}
END_TEST

/* What a warning says otherwise */
START_TEST(strict_jail_takes_no_weaker_sandbox)
{
	d.cfg.jail = JAIL_STRICT;
	install(OLD_HELP, "--fd=3 -o source=/proc/self/fd/4/,sandbox=chroot,cache=auto",
		"no namespaces");
	must_fail("also chroot(2): virtiofsd ended with status 2: no namespaces");
}
END_TEST

/* What is read-only is a mount, which a descriptor from outside would go past */
START_TEST(older_kind_in_a_container_and_readonly)
{
	if (!namespaces_allowed())
		return;
	d.cfg.share[0].readonly = true;
	install(OLD_HELP, "--fd=3 -o source=/sys,sandbox=chroot,cache=auto", "");
	must_serve(2);
}
END_TEST

START_TEST(newer_kind_without_the_older_ones_options)
{
	if (!namespaces_allowed())
		return;
	install(NEW_HELP, "--fd=3 --shared-dir=/sys --sandbox=namespace --cache=auto",
		"error: unexpected argument -o found");
	must_serve(4);
}
END_TEST

START_TEST(newer_kind_in_a_container)
{
	install(NEW_HELP,
		"--fd=3 --shared-dir=/proc/self/fd/4/ --sandbox=chroot --cache=auto",
		"error: unexpected argument -o found");
	must_serve(5);
}
END_TEST

START_TEST(kind_that_takes_no_socket_from_us)
{
	install("  -o source=PATH\n  --socket-path=PATH", "never", "unknown option");
	must_fail("virtiofsd is too old, it has no --fd; shared directories need it: "
		  "apt install virtiofsd");
	ck_assert_uint_eq(starts(), started(3));
}
END_TEST

START_TEST(newer_kind_that_dies_is_quoted)
{
	install(NEW_HELP, "never", "no luck with this one");
	must_fail("virtiofsd ended with status 2: no luck with this one");
	ck_assert_uint_eq(starts(), started(5));
}
END_TEST

START_TEST(one_that_explains_nothing_is_quoted)
{
	install("alas", "never", "no luck today");
	must_fail("virtiofsd ended with status 2: no luck today");
	ck_assert_uint_eq(starts(), started(3));
}
END_TEST

START_TEST(endless_help)
{
	install("'; while :; do echo --shared-dir --fd; done; echo '", "never",
		"no luck");
	must_fail("virtiofsd ended with status 2: no luck");
	ck_assert_uint_eq(starts(), started(5));
}
END_TEST

/* A share of @dir with @after after it: the sentence has @before, @dir and @rest in a row */
static void mount_point(const char *after, const char *before, const char *rest)
{
	static char path[64];
	char want[256];

	(void)snprintf(path, sizeof(path), "%s%s", dir, after);
	(void)snprintf(want, sizeof(want), "%s%s%s", before, dir, rest);
	d.cfg.share[0].path = path;
	must_fail(want);
}

/* DIR:MOUNTPOINT, as containers have it */
START_TEST(mount_point_of_a_container)
{
	char there[64];

	mount_point(":/mnt", "give --share ",
		    ", and in the guest: mount -t virtiofs share0 /mnt");
	ck_assert_ptr_null(strstr(d.err.msg, "mkdir"));
	mount_point(":/mnt:ro", "give --share ",
		    ",ro, and in the guest: mount -t virtiofs share0 /mnt");
	mount_point("/no:/mnt", "give --share ", "/no, and in");
	/* no mount point: what is missing is that directory */
	mount_point(":mnt", "mkdir ", ":mnt");
	/* nor below a directory of such a name */
	(void)snprintf(there, sizeof(there), "%s:", dir);
	ck_assert_int_eq(mkdir(there, 0700), 0);
	mount_point(":/no", "mkdir ", ":/no");
	ck_assert_int_eq(rmdir(there), 0);
}
END_TEST

/* Not as root, and not all of it */
START_TEST(hosts_root_is_read_as_root)
{
	static char root[] = "/";
	struct subids_range all;

	if (geteuid() != 0 || !user_namespaces_allowed() ||
	    !subids_mapped("/proc/self/uid_map", &all) || all.count != UINT32_MAX)
		return; /* where the number is another */
	ck_assert_int_eq(chmod(dir, 0755), 0);
	d.cfg.share[0] = (struct config_share){
		.path = root, .tag = share0, .readonly = true, .host = true};
	install(OLD_HELP, "never",
		"'$(read x user x </proc/self/uid_map; set -- /sys/root/*; echo $user $1)'");
	ck_assert_ptr_null(fs_create(&d.env, 0, &d.err));
	ck_assert_msg(strstr(d.err.msg, "--root host: virtiofsd ended with") &&
			      strstr(d.err.msg, "2046885888 /sys/root/*"),
		      "%s", d.err.msg);
}
END_TEST

START_TEST(none_is_installed)
{
	if (access("/usr/libexec/virtiofsd", F_OK) == 0 ||
	    access("/usr/lib/qemu/virtiofsd", F_OK) == 0)
		return; /* it would be found */
	must_fail("virtiofsd is not installed; shared directories need it: apt install");
}
END_TEST

/* What the scripts become: a back end at descriptor 3 */
static int serve(void)
{
	static struct peer peer;

	peer_init(&peer);
	peer.listener = 3;
	(void)peer_run(&peer);
	pause();
	return 0;
}

static void add_tests(Suite *suite, TCase *t)
{
	(void)suite;
	tcase_add_test(t, older_kind_is_started_at_once);
	tcase_add_test(t, older_kind_in_a_container);
	tcase_add_test(t, strict_jail_takes_no_weaker_sandbox);
	tcase_add_test(t, older_kind_in_a_container_and_readonly);
	tcase_add_test(t, newer_kind_without_the_older_ones_options);
	tcase_add_test(t, newer_kind_in_a_container);
	tcase_add_test(t, kind_that_takes_no_socket_from_us);
	tcase_add_test(t, newer_kind_that_dies_is_quoted);
	tcase_add_test(t, one_that_explains_nothing_is_quoted);
	tcase_add_test(t, endless_help);
	tcase_add_test(t, mount_point_of_a_container);
	tcase_add_test(t, hosts_root_is_read_as_root);
	tcase_add_test(t, none_is_installed);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve();
	return unit_run("fs", setup, teardown, add_tests);
}

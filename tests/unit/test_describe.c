/* SPDX-License-Identifier: Apache-2.0 */
/* --dry-run: what it says of the disks, cards and shares of a command line */
#include "vmm/machine/machine.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/settings/cli.h"
#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"

static struct config cfg;
static char text[8192];

/* What is printed for a machine of @line, the words of which single spaces part */
static void describe(const char *line)
{
	static struct machine m;
	char copy[512], *argv[24] = {NULL}, *rest = copy, *word, cmdline[] = "quiet";
	enum cli_action action;
	struct err e = {0};
	int argc = 0;
	FILE *f;

	config_fini(&cfg);
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	(void)snprintf(copy, sizeof(copy), "microvm --kernel k --dry-run %s", line);
	while ((word = strsep(&rest, " ")) && argc < 23)
		argv[argc++] = word;
	ck_assert_msg(cli_parse(argc, argv, &cfg, &action, &e) == 0, "%s", e.msg);
	m = (struct machine){.cfg = &cfg};
	m.boot.protocol = "a";
	m.boot.cmdline = cmdline;
	f = fmemopen(text, sizeof(text), "w");
	ck_assert_ptr_nonnull(f);
	machine_describe(&m, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* @line is one of those that were printed, whole */
static void says(const char *line)
{
	char want[256];

	(void)snprintf(want, sizeof(want), "\n%s\n", line);
	ck_assert_msg(strstr(text, want) != NULL, "no \"%s\" in:\n%s", line, text);
}

static void teardown(void)
{
	config_fini(&cfg);
}

START_TEST(disk_without_its_path_format_or_mode)
{
	describe(
		"--disk a.img --disk b.vdi,ro --disk c,format=vhd,serial=S1,direct,block-size=4096 "
		"--disk base.img,overlay=vm1.cow,cache=writethrough "
		"--disk vhost-user=d.sock");
	says("disk blk0: a.img, raw, writable");
	says("disk blk1: b.vdi, vdi, read-only");
	says("disk blk2: c, vpc, writable, sectors of 4096 bytes, serial S1, direct");
	says("disk blk3: base.img, raw, never written, what changes goes to overlay "
	     "vm1.cow, writethrough");
	says("disk blk4: served at vhost-user socket d.sock");
}
END_TEST

START_TEST(console_without_its_end)
{
	describe("--console virtio,fd=7 --port a,unix=a.sock --port b,fd=8");
	says("console: virtio on inherited descriptor 7");
	says("port a: unix socket a.sock");
	says("port b: inherited descriptor 8");
}
END_TEST

START_TEST(id_is_not_the_name)
{
	describe("--disk a.img,id=root --disk b.img --net user,id=lan --net tap=t0");
	says("disk root: a.img, raw, writable");
	says("disk blk1: b.img, raw, writable");
	says("card lan: user network (passt)");
	says("card net1: tap t0");
}
END_TEST

START_TEST(format_that_content_decides)
{
	char file[] = "/tmp/test_describe.XXXXXX", line[64];
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "QFI\xfb", 4), 4);
	ck_assert_int_eq(close(fd), 0);
	(void)snprintf(line, sizeof(line), "--disk %s,format=auto", file);
	describe(line);
	(void)unlink(file);
	(void)snprintf(line, sizeof(line), "disk blk0: %s, qcow2, writable", file);
	says(line);
}
END_TEST

START_TEST(card_without_its_kind)
{
	describe("--net user,publish=127.0.0.1:8080:80,publish=53:53/udp,host --net "
		 "tap=t0,netns=/run/n,vhost,mac=52:54:00:12:34:56 --net fd=7 --net "
		 "vhost-user=n.sock");
	says("card net0: user network (passt), publishes 127.0.0.1:8080:80, publishes "
	     "53:53/udp, reaches this host's loopback");
	says("card net1: tap t0 in network namespace /run/n, served by the kernel "
	     "(vhost), MAC 52:54:00:12:34:56");
	says("card net2: tap that is open as fd 7");
	says("card net3: served at vhost-user socket n.sock");
	describe("--net none");
	ck_assert_ptr_null(strstr(text, "card "));
}
END_TEST

START_TEST(share_socket_or_pmem_is_left_out)
{
	describe(
		"--share src,ro --share out,tag=out --share socket=s.sock --pmem p.img,ro "
		"--vsock v.sock,cid=9");
	says("share share0: src, read-only");
	says("share out: out, writable");
	says("share share2: served at vhost-user socket s.sock");
	says("pmem pmem0: p.img, read-only");
	says("vsock: unix socket v.sock, the guest's CID is 9");
}
END_TEST

UNIT_MAIN("describe", NULL, teardown, t)
{
	tcase_add_test(t, disk_without_its_path_format_or_mode);
	tcase_add_test(t, console_without_its_end);
	tcase_add_test(t, id_is_not_the_name);
	tcase_add_test(t, format_that_content_decides);
	tcase_add_test(t, card_without_its_kind);
	tcase_add_test(t, share_socket_or_pmem_is_left_out);
}

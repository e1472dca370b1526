/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernel_config - the configuration beside a kernel, and what a machine misses in it. */
#include "vmm/machine/kernel_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "tests/unit/ikconfig.h"

#define HEAD "#\n# Linux/x86 6.1.0 Kernel Configuration\n#\n"

static char dir[32];

static void setup(void)
{
	strcpy(dir, "/tmp/kconfig.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static void teardown(void)
{
	char command[64];

	ck_assert_int_eq(chdir("/"), 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* The line of the configuration that is found for that kernel */
static void found(const char *kernel, const char *line)
{
	char *text = kernel_config_read(kernel);

	if (!line) {
		ck_assert_msg(!text, "%s: %s", kernel, text);
		return;
	}
	ck_assert_msg(text && strstr(text, line), "%s: no %s", kernel, line);
	free(text);
}

START_TEST(the_one_of_its_version_comes_first)
{
	put("config-6.1.0-9-amd64", HEAD "CONFIG_A=y\n");
	put("config", HEAD "CONFIG_B=y\n");
	found("vmlinuz-6.1.0-9-amd64", "CONFIG_A=y");
	found("vmlinuz", "CONFIG_B=y");
	found("./vmlinuz-7", "CONFIG_B=y");
}
END_TEST

START_TEST(a_kernel_in_its_source_tree_is_known)
{
	ck_assert_int_eq(mkdir("arch", 0755) | mkdir("arch/x86", 0755) |
				 mkdir("arch/x86/boot", 0755),
			 0);
	put(".config", HEAD "CONFIG_C=y\n");
	found("vmlinux", "CONFIG_C=y");
	found("arch/x86/boot/bzImage", "CONFIG_C=y");
}
END_TEST

START_TEST(what_is_no_kernel_configuration_says_nothing)
{
	put("config", "[core]\n\tbare = false\n");
	found("bzImage", NULL);
	put("config", "");
	found("bzImage", NULL);
	ck_assert_int_eq(remove("config") | mkfifo("config", 0600), 0);
	found("bzImage", NULL);
}
END_TEST

START_TEST(the_one_inside_is_read_if_it_is_one)
{
	struct ikc ikc = ikc_of(IKC_TEXT, strlen(IKC_TEXT));
	struct kernel_file k;
	struct err e;
	char *text;
	FILE *f = fopen("vmlinux", "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(ikc.bytes, 1, ikc.len, f), ikc.len);
	ck_assert_int_eq(fclose(f), 0);
	found("vmlinux", NULL);
	ck_assert_int_eq(kernel_open(&k, "vmlinux", &e), 0);
	text = kernel_config_inside(&k);
	kernel_close(&k);
	ck_assert_str_eq(text, IKC_TEXT);
	free(text);
	ikc = ikc_of("#!/bin/sh\n", 10);
	f = fopen("vmlinux", "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(ikc.bytes, 1, ikc.len, f), ikc.len);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(kernel_open(&k, "vmlinux", &e), 0);
	ck_assert_ptr_null(kernel_config_inside(&k));
	kernel_close(&k);
}
END_TEST

/* What @cfg misses in @text, as "OPTION SETTING," */
static void lacks(const struct config *cfg, const char *text, const char *want)
{
	struct kernel_lack lack;
	unsigned int next = 0;
	char got[256] = "";

	while (kernel_config_lacks(cfg, text, &next, &lack)) {
		size_t n = strlen(got);

		(void)snprintf(got + n, sizeof(got) - n, "%s %s,", lack.option,
			       lack.setting);
	}
	ck_assert_str_eq(got, want);
}

START_TEST(what_a_share_needs_is_named)
{
	struct config cfg = {.nshare = 1, .ncpu = 1, .acpi = true};

	lacks(&cfg, HEAD "CONFIG_ACPI=y\nCONFIG_FUSE_FS=m\nCONFIG_VIRTIO_FS=y\n", "");
	lacks(&cfg, HEAD "CONFIG_ACPI=y\nCONFIG_VIRTIO_FS=y\n", "FUSE_FS --share,");
	lacks(&cfg,
	      HEAD "CONFIG_ACPI=y\n# CONFIG_FUSE_FS is not set\nCONFIG_VIRTIO_FS_X=y\n",
	      "FUSE_FS --share,VIRTIO_FS --share,");
}
END_TEST

START_TEST(what_nobody_asked_for_is_not_missed)
{
	struct config cfg = {.ncpu = 1, .acpi = true};

	lacks(&cfg, HEAD "CONFIG_ACPI=y\n", "");
	cfg.ncpu = 2;
	cfg.nport = 1;
	cfg.vsock.path = dir;
	lacks(&cfg, HEAD "CONFIG_ACPI=y\n",
	      "VIRTIO_VSOCKETS --vsock,VIRTIO_CONSOLE --port,SMP --cpus,");
}
END_TEST

START_TEST(a_module_for_the_root_wants_an_initrd)
{
	const char *text = HEAD "CONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_BLK=m\n";
	struct config cfg = {.ndisk = 1, .ncpu = 1};

	ck_assert_str_eq(kernel_config_module(&cfg, text), "VIRTIO_BLK");
	ck_assert_ptr_null(kernel_config_module(
		&cfg, HEAD "CONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_BLK=y\n"));
	cfg.ninitrd = 1;
	ck_assert_ptr_null(kernel_config_module(&cfg, text));
	cfg.ninitrd = cfg.ndisk = 0;
	ck_assert_ptr_null(kernel_config_module(&cfg, text));
}
END_TEST

START_TEST(the_button_of_a_stop_that_somebody_asked_for_is_missed)
{
	struct config cfg = {.ncpu = 1, .stop_timeout_ns = 60 * UINT64_C(1000000000)};

	lacks(&cfg, HEAD "CONFIG_A=y\n",
	      "INPUT_EVDEV --stop-timeout,VIRTIO_INPUT --stop-timeout,");
	lacks(&cfg, HEAD "CONFIG_INPUT_EVDEV=m\nCONFIG_VIRTIO_INPUT=m\n", "");
	cfg.stop_timeout_ns = CONFIG_STOP_NS; /* nobody said anything */
	lacks(&cfg, HEAD "CONFIG_A=y\n", "");
	cfg.stop_timeout_ns = 0;
	lacks(&cfg, HEAD "CONFIG_A=y\n", "");
}
END_TEST

UNIT_MAIN("kernel_config", setup, teardown, t)
{
	tcase_add_test(t, the_one_of_its_version_comes_first);
	tcase_add_test(t, a_kernel_in_its_source_tree_is_known);
	tcase_add_test(t, what_is_no_kernel_configuration_says_nothing);
	tcase_add_test(t, what_a_share_needs_is_named);
	tcase_add_test(t, a_module_for_the_root_wants_an_initrd);
	tcase_add_test(t, what_nobody_asked_for_is_not_missed);
	tcase_add_test(t, the_button_of_a_stop_that_somebody_asked_for_is_missed);
	tcase_add_test(t, the_one_inside_is_read_if_it_is_one);
}

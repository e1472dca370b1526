/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_kernel - a directory stands for the kernel in it. */
#include "vmm/settings/config_kernel.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/arch.h"
#include "vmm/settings/config_life.h"

static char dir[] = "/tmp/test_config_kernel.XXXXXX";
static struct config cfg;
static struct err e;

static void remove_all(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void setup(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	cfg = (struct config){.kernel = strdup(dir)};
}

static void teardown(void)
{
	free(cfg.kernel);
	remove_all();
}

/* A file in @dir, and the directories above it */
static void make(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *at = path + strlen(dir) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void takes(const char *name)
{
	free(cfg.kernel);
	cfg.kernel = strdup(dir);
	ck_assert_int_eq(config_find_kernel(&cfg, &e), 0);
	ck_assert_int_eq(strncmp(cfg.kernel, dir, strlen(dir)), 0);
	ck_assert_str_eq(cfg.kernel + strlen(dir) + 1, name);
}

START_TEST(the_newest_of_boot_is_taken_if_there_is_no_other)
{
	make("boot/vmlinuz-6.1.0-9");
	make("boot/vmlinuz-6.1.0-10");
	make("boot/vmlinuz-5.10.0-99");
	make("boot/config-6.2");
	takes("boot/vmlinuz-6.1.0-10");
	make("kernel");
	takes("kernel");
	make("vmlinuz");
	takes("vmlinuz");
	make(arch_kernel_files[0]);
	takes(arch_kernel_files[0]);
}
END_TEST

START_TEST(a_directory_without_a_kernel_is_refused)
{
	make("boot/initrd.img-6.1");
	ck_assert_int_eq(config_find_kernel(&cfg, &e), -ENOENT);
	ck_assert_int_eq(e.usage, 0);
	ck_assert_ptr_nonnull(strstr(e.msg, dir));
	ck_assert_ptr_nonnull(strstr(e.msg, arch_kernel_files[0]));
	ck_assert_ptr_nonnull(strstr(e.msg, "name its file"));
	ck_assert_str_eq(cfg.kernel, dir);
}
END_TEST

START_TEST(what_is_no_directory_stays)
{
	static const char *const paths[] = {"/nowhere/kernel", "/dev/null"};

	free(cfg.kernel);
	cfg.kernel = strdup(paths[_i]);
	ck_assert_int_eq(config_find_kernel(&cfg, &e), 0);
	ck_assert_str_eq(cfg.kernel, paths[_i]);
}
END_TEST

START_TEST(it_is_looked_for_once_all_settings_are_read)
{
	struct config whole;

	make("vmlinuz");
	ck_assert_int_eq(config_init(&whole, &e), 0);
	ck_assert_int_eq(config_string(&whole.kernel, dir, &e), 0);
	ck_assert_int_eq(config_validate(&whole, &e), 0);
	ck_assert_ptr_nonnull(strstr(whole.kernel, "/vmlinuz"));
	config_fini(&whole);
}
END_TEST

UNIT_MAIN("config_kernel", setup, teardown, t)
{
	tcase_add_test(t, the_newest_of_boot_is_taken_if_there_is_no_other);
	tcase_add_test(t, a_directory_without_a_kernel_is_refused);
	tcase_add_loop_test(t, what_is_no_directory_stays, 0, 2);
	tcase_add_test(t, it_is_looked_for_once_all_settings_are_read);
}

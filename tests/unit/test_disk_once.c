/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_disk_once - files that the operator names are opened once: another file that takes the
 * name after that is not the one that is used.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot/file.h"
#include "devices/backend/overlay.h"
#include "devices/virtio/devices.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/settings/config_life.h"
#include "vmm/settings/config_json.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define SIZE (1 << 20)

static struct driver d;
static char dir[32], base[64], top[64], other[64], *path_was;

static const struct overlay *overlay_of(const struct disk *of)
{
	return of->engine;
}

/* ---- the C library's open(), by both of its names ---- */

static const char *watched; /* a file's name */
static unsigned int opens;  /* how often it was opened */
static bool swap;           /* after the first time @other takes its place */

static int opened(const char *path, int flags, unsigned int mode)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);

	if (fd < 0 || !watched || strcmp(path, watched) != 0)
		return fd;
	opens++;
	if (swap)
		(void)rename(other, watched);
	swap = false;
	return fd;
}

int test_open(const char *path, int flags, ...) __asm__("open64");
int test_open_2(const char *path, int flags) __asm__("__open64_2");

int test_open(const char *path, int flags, ...)
{
	unsigned int mode;
	va_list ap;

	va_start(ap, flags);
	mode = va_arg(ap, unsigned int);
	va_end(ap);
	return opened(path, flags, mode);
}

int test_open_2(const char *path, int flags)
{
	return opened(path, flags, 0);
}

static void watch(const char *path)
{
	watched = path;
	opens = 0;
	swap = true;
}

/* ---- the files ---- */

static ino_t put(const char *path, const void *head, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, head, len), (ssize_t)len);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	close(fd);
	return st.st_ino;
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static ino_t inode_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

static const uint8_t qcow2[64] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};

static void setup(void)
{
	watched = NULL;
	log_threshold = LOG_ERROR;
	driver_init_shared(&d, MIB);
	d.cfg.ncpu = d.cfg.ndisk = 1;
	(void)snprintf(dir, sizeof(dir), "/tmp/test-once-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(base, sizeof(base), "%s/base", dir);
	(void)snprintf(top, sizeof(top), "%s/top", dir);
	(void)snprintf(other, sizeof(other), "%s/other", dir);
	d.cfg.disk[0] = (struct config_disk){.path = base};
	path_was = strdup(getenv("PATH"));
}

static void teardown(void)
{
	char cmd[64];

	watched = NULL;
	ck_assert_int_eq(setenv("PATH", path_was, 1), 0);
	free(path_was);
	driver_fini(&d);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- disks ---- */

START_TEST(raw_disk)
{
	ino_t was = put(base, "a", 1);
	struct disk *disk;

	(void)put(other, "b", 1);
	watch(base);
	disk = disk_open(&d.cfg, 0, &d.err);
	ck_assert_msg(disk != NULL, "%s", d.err.msg);
	ck_assert_uint_eq(opens, 1);
	ck_assert_uint_eq(inode_of(disk->fd), was);
	disk_close(disk);
}
END_TEST

/* Its base, and it itself: not there, empty, or in use already; also in a dry run */
START_TEST(overlay_and_its_base)
{
	bool of_base = _i & 1, empty = _i & 2, used = _i & 4;
	ino_t was = put(base, "a", 1);
	struct disk *disk;
	char cmd[160];

	d.cfg.disk[0].overlay = top;
	if (used || empty)
		touch(top);
	if (used)
		disk_close(disk_open(&d.cfg, 0, &d.err));
	if (used && empty)
		ck_assert_int_eq(truncate(top, 0), 0);
	/* as good a base, or top: nothing but its inode tells it */
	(void)snprintf(cmd, sizeof(cmd), "cp -p %s %s", of_base || !used ? base : top,
		       other);
	ck_assert_int_eq(system(cmd), 0);
	d.cfg.dry_run = _i & 8;
	watch(of_base ? base : top);
	disk = disk_open(&d.cfg, 0, &d.err);
	if (!of_base) { /* the name that was made is gone, and with it what has it */
		ck_assert_uint_eq(opens, d.cfg.dry_run && !used && !empty ? 0 : 1);
		if (!disk) {
			ck_assert_ptr_nonnull(strstr(d.err.msg, "removed at this"));
			return;
		}
		ck_assert(d.cfg.dry_run);
		disk_close(disk);
		return;
	}
	ck_assert_msg(disk != NULL, "%s", d.err.msg);
	ck_assert_uint_eq(opens, 1);
	ck_assert_uint_eq(inode_of(overlay_of(disk)->base->fd), was);
	disk_close(disk);
}
END_TEST

/* The file that is renamed away, and not one that is removed, is the overlay as before */
START_TEST(overlay_that_is_moved_away)
{
	struct disk *disk;
	ino_t was;
	char kept[64];

	(void)put(base, "a", 1);
	d.cfg.disk[0].overlay = top;
	touch(top);
	disk_close(disk_open(&d.cfg, 0, &d.err));
	(void)snprintf(kept, sizeof(kept), "%s/kept", dir);
	ck_assert_int_eq(link(top, kept), 0);
	(void)put(other, "an overlay of nothing", 21);
	watch(top);
	disk = disk_open(&d.cfg, 0, &d.err);
	ck_assert_msg(disk != NULL, "%s", d.err.msg);
	ck_assert_uint_eq(opens, 1);
	was = inode_of(overlay_of(disk)->top->fd);
	disk_close(disk);
	watched = NULL;
	ck_assert_int_eq(rename(kept, top), 0);
	disk = disk_open(&d.cfg, 0, &d.err);
	ck_assert_msg(disk != NULL, "%s", d.err.msg);
	ck_assert_uint_eq(inode_of(overlay_of(disk)->top->fd), was);
	disk_close(disk);
}
END_TEST

/* format=auto: what was raw when the machine was laid out is not served as raw any more */
START_TEST(disk_that_becomes_an_image)
{
	(void)put(base, "a", 1);
	(void)put(other, qcow2, sizeof(qcow2));
	d.cfg.disk[0].format = DISK_FORMAT_AUTO;
	watch(base);
	ck_assert(!blk_is_elsewhere(&d.cfg.disk[0]));
	ck_assert_ptr_null(disk_open(&d.cfg, 0, &d.err));
	ck_assert_ptr_nonnull(strstr(d.err.msg, "became a qcow2 image"));
}
END_TEST

/* ---- an image that another program serves ---- */

/* The case: a file that names others takes the name between our look and the start */
START_TEST(image_is_the_one_that_was_looked_at)
{
	char file[64], said[64], line[96] = "", want[32];
	uint8_t evil[sizeof(qcow2)];
	ino_t was = put(base, qcow2, sizeof(qcow2));
	FILE *f;

	memcpy(evil, qcow2, sizeof(evil));
	evil[14] = 1; /* a backing file's name */
	(void)put(other, evil, sizeof(evil));
	(void)snprintf(file, sizeof(file), "%s/qemu-storage-daemon", dir);
	(void)snprintf(said, sizeof(said), "%s/said", dir);
	f = fopen(file, "we");
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f,
		      "#!/bin/sh\nPATH='%s'\nfor word; do case $word in\n"
		      "*filename=*) stat -L -c %%i \"${word#*filename=}\" >%s ;;\n"
		      "esac; done\nexit 1\n",
		      path_was, said);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(file, 0700), 0);
	setenv("PATH", dir, 1);
	d.cfg.disk[0].format = DISK_FORMAT_QCOW2;
	d.cfg.jail = JAIL_OFF; /* a script needs more than its own files */
	watch(base);
	ck_assert_ptr_null(blk_vhost_create(&d.env, 0, &d.err));
	ck_assert_uint_eq(opens, 1);
	f = fopen(said, "re");
	ck_assert_msg(f && fgets(line, sizeof(line), f), "%s", d.err.msg);
	(void)fclose(f);
	(void)snprintf(want, sizeof(want), "%llu\n", (unsigned long long)was);
	ck_assert_str_eq(line, want);
}
END_TEST

/* ---- the others ---- */

START_TEST(kernel_or_initrd)
{
	ino_t was = put(base, "a", 1);
	struct boot_file f;

	(void)put(other, "b", 1);
	watch(base);
	ck_assert_int_eq(boot_file_open(&f, "kernel", base, &d.err), 0);
	ck_assert_uint_eq(opens, 1);
	ck_assert_uint_eq(inode_of(f.fd), was);
	boot_file_close(&f);
}
END_TEST

START_TEST(config)
{
	struct config cfg;
	struct err e = {0};
	FILE *f = fopen(base, "we");

	ck_assert_int_gt(fprintf(f, "{\"kernel\": \"a\"}"), 0);
	ck_assert_int_eq(fclose(f), 0);
	(void)put(other, "{", 1);
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	watch(base);
	ck_assert_int_eq(config_json_load(&cfg, base, &e), 0);
	ck_assert_uint_eq(opens, 1);
	config_fini(&cfg);
}
END_TEST

UNIT_MAIN("disk_once", setup, teardown, t)
{
	tcase_add_test(t, raw_disk);
	tcase_add_loop_test(t, overlay_and_its_base, 0, 16);
	tcase_add_test(t, overlay_that_is_moved_away);
	tcase_add_test(t, disk_that_becomes_an_image);
	tcase_add_test(t, image_is_the_one_that_was_looked_at);
	tcase_add_test(t, kernel_or_initrd);
	tcase_add_test(t, config);
}

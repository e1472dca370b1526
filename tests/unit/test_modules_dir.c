/* SPDX-License-Identifier: Apache-2.0 */
/* test_modules_dir - the modules that a job needs, out of where they were built or installed. */
#include "vmm/modules/modules_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/files.h"
#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"
#include "tests/unit/modules.h"
#include "tests/unit/wrapped.h"

#define RELEASE "6.1.0-9-amd64"

static char dir[64];
static struct modules *m;
static struct err e;
static struct ko ko;
static struct wrapped packed;
static uint8_t image[64 * 1024];
static size_t image_len;
static unsigned int taken;

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/test_modules_dir.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	m = calloc(1, sizeof(*m));
	modules_init(m, "--modules M", "vmlinuz", "give others");
	e = (struct err){0};
}

static void teardown(void)
{
	modules_fini(m);
	free(m);
	files_remove(dir);
}

/* A file below @dir, and the directories above it */
static void put(const char *name, const void *bytes, size_t len)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *at = path + strlen(dir) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write_full(fd, bytes, len), (long)len);
	close(fd);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static void put_ko(const char *name, const char *depends)
{
	ko_make(&ko, depends, RELEASE);
	put(name, ko.bytes, ko.len);
}

/* Those of @given become an initramfs */
static int take(const char *given)
{
	char path[256];
	cleanup_free char *found = NULL;
	int fd = memfd_create("initramfs", MFD_CLOEXEC), rc;

	(void)snprintf(path, sizeof(path), "%s%s", dir, given);
	found = modules_dir_find(path, RELEASE);
	ck_assert_msg(found != NULL, "nothing in %s", path);
	(void)snprintf(m->release, sizeof(m->release), "%s", RELEASE);
	rc = modules_dir_read(m, found, &e);
	if (rc == 0)
		rc = modules_pack(m, fd, &taken, &e);
	image_len = (size_t)MAX(pread_full(fd, image, sizeof(image), 0), 0);
	close(fd);
	return rc;
}

/* The image's /modules/groups is @text, and each that it names is there */
static void groups(const char *text)
{
	char got[4096], *rest = got, *word;
	size_t len;
	const uint8_t *p = cpio_file(image, image_len, "modules/groups", &len);

	ck_assert_msg(p && len < sizeof(got), "no groups");
	(void)snprintf(got, sizeof(got), "%.*s", (int)len, (const char *)p);
	ck_assert_str_eq(got, text);
	while ((word = strsep(&rest, " \n"))) {
		char name[128];

		(void)snprintf(name, sizeof(name), "modules/%s", word);
		if (strstr(word, ".ko"))
			ck_assert_msg(cpio_file(image, image_len, name, &len) != NULL,
				      "no %s", name);
	}
}

START_TEST(takes_what_was_built)
{
	put_text(
		"modules.order",
		"drivers/char/virtio_console.o\ndrivers/virtio/virtio.o\n"
		"drivers/virtio/virtio_ring.o\nkernel/fs/overlayfs/overlay.ko\nfs/x.o\n");
	put_text("modules.builtin", "kernel/drivers/virtio/virtio_mmio.ko\n");
	put_ko("drivers/char/virtio_console.ko", "virtio,virtio_ring");
	put_ko("drivers/virtio/virtio.ko", "virtio-ring");
	put_ko("drivers/virtio/virtio_ring.ko", "");
	put_ko("fs/overlayfs/overlay.ko", "");
	ck_assert_msg(take("") == 0, "%s", e.msg);
	ck_assert_uint_eq(taken, 4);
	groups("boot virtio_ring.ko virtio.ko virtio_console.ko\noverlay overlay.ko\n");
}
END_TEST

START_TEST(takes_what_was_installed)
{
	static const char *const where[] = {"", "/lib/modules",
					    ("/lib/modules/" RELEASE)};

	put_text(
		"lib/modules/" RELEASE "/modules.dep",
		"kernel/virtio_mmio.ko.gz: kernel/ring.ko\nextra/virtio-console.ko.zst:\n"
		"kernel/virtiofs.ko.xz:\n");
	put_text("lib/modules/6.2.0/modules.dep", "");
	ko_make(&ko, "", RELEASE);
	wrap_gzip(&packed, ko.bytes, ko.len);
	put("lib/modules/" RELEASE "/kernel/virtio_mmio.ko.gz", packed.bytes, packed.len);
	wrap_zstd(&packed, ko.bytes, ko.len);
	put("lib/modules/" RELEASE "/extra/virtio-console.ko.zst", packed.bytes,
	    packed.len);
	wrap_xz(&packed, ko.bytes, ko.len);
	put("lib/modules/" RELEASE "/kernel/virtiofs.ko.xz", packed.bytes, packed.len);
	for (size_t i = 0; i < ARRAY_SIZE(where); i++) {
		modules_fini(m);
		modules_init(m, "--modules M", "vmlinuz", "give others");
		ck_assert_msg(take(where[i]) == 0, "%s", e.msg);
		groups("boot virtio_mmio.ko virtio_console.ko\nvirtiofs virtiofs.ko\n");
	}
}
END_TEST

/* depmod did not run; the list has the names that the build had */
START_TEST(takes_packed_ones_by_the_builds_list)
{
	put_text("usr/lib/modules/" RELEASE "/modules.order",
		 "kernel/drivers/virtio/virtio_mmio.ko\n");
	ko_make(&ko, "", RELEASE);
	wrap_xz(&packed, ko.bytes, ko.len);
	put("usr/lib/modules/" RELEASE "/kernel/drivers/virtio/virtio_mmio.ko.xz",
	    packed.bytes, packed.len);
	ck_assert_msg(take("") == 0, "%s", e.msg);
	groups("boot virtio_mmio.ko\n");
}
END_TEST

START_TEST(takes_nothing_that_is_built_in)
{
	put_text("modules.order", "");
	put_text(
		"modules.builtin",
		"kernel/drivers/virtio/virtio_mmio.ko\nkernel/drivers/char/virtio_console.ko\n");
	ck_assert_msg(take("") == 0, "%s", e.msg);
	ck_assert_uint_eq(taken, 0);
	groups("");
}
END_TEST

START_TEST(depends_in_circles)
{
	put_text("modules.order", "virtio_mmio.ko\nvirtio_console.ko\n");
	put_ko("virtio_mmio.ko", "virtio_console,virtio_mmio");
	put_ko("virtio_console.ko", "virtio_mmio");
	ck_assert_msg(take("") == 0, "%s", e.msg);
	groups("boot virtio_console.ko virtio_mmio.ko\n");
}
END_TEST

static void fails(const char *words)
{
	ck_assert_int_lt(take(""), 0);
	ck_says(e, words);
	modules_fini(m);
	modules_init(m, "--modules M", "vmlinuz", "give others");
}

START_TEST(says_what_is_wrong)
{
	put_text("modules.order", "virtio_mmio.ko\n");
	fails("--modules M: its module virtio_mmio is not there, but listed as "
	      "virtio_mmio.ko; build it (make modules)");
	put_text("virtio_mmio.ko", "not that");
	fails("virtio_mmio is no module of Linux, or is damaged; fetch or build it again");
	put_ko("virtio_mmio.ko", "");
	ko_header(&ko)->e_machine = EM_SPARC;
	put("virtio_mmio.ko", ko.bytes, ko.len);
	fails("virtio_mmio is for another machine (ELF number 2), but this host is");
	ko_make(&ko, "", "5.10.0-9-amd64");
	put("virtio_mmio.ko", ko.bytes, ko.len);
	fails("its module virtio_mmio is of kernel 5.10.0-9-amd64, but vmlinuz is " RELEASE
	      "; give others");
	ko_make(&ko, "", "6.1.0-9"); /* the beginning of the other */
	put("virtio_mmio.ko", ko.bytes, ko.len);
	fails("is of kernel 6.1.0-9, but");
	wrap_xz(&packed, ko.bytes, ko.len);
	put("virtio_mmio.ko", packed.bytes, packed.len / 2);
	fails("cannot be unpacked to its end");
	put_ko("virtio_mmio.ko", "");
	put_text("modules.builtin", "kernel/drivers/virtio/virtio.ko\n");
	fails("kernel vmlinuz: has no virtio_console, neither built in nor as a module");
}
END_TEST

START_TEST(has_no_modules)
{
	char path[256];

	put_text("lib/modules/1/modules.dep", "");
	put_text("lib/modules/2/modules.dep", "");
	ck_assert_ptr_null(modules_dir_find(dir, RELEASE));
	(void)snprintf(path, sizeof(path), "%s/nothing", dir);
	ck_assert_ptr_null(modules_dir_find(path, RELEASE));
}
END_TEST

UNIT_MAIN("modules_dir", setup, teardown, t)
{
	tcase_add_test(t, takes_what_was_built);
	tcase_add_test(t, takes_what_was_installed);
	tcase_add_test(t, takes_packed_ones_by_the_builds_list);
	tcase_add_test(t, takes_nothing_that_is_built_in);
	tcase_add_test(t, depends_in_circles);
	tcase_add_test(t, says_what_is_wrong);
	tcase_add_test(t, has_no_modules);
}

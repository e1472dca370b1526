/* SPDX-License-Identifier: Apache-2.0 */
/* test_package - the kernel and the modules in a package, read by a process that is locked up. */
#include "vmm/modules/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"
#include "tests/unit/debs.h"
#include "tests/unit/modules.h"
#include "vmm/jail/broker_lock.h"

#define RELEASE "6.1.0-9-amd64"
#define LIB     "./usr/lib/modules/" RELEASE "/"

static struct deb deb;
static struct tar data, control;
static struct ko ko;
static struct err e;
static uint8_t kernel[256], image[64 * 1024];
static size_t image_len;
static long kernel_len;
static unsigned int nmodule;

static int lock(void *ctx, struct err *err)
{
	(void)ctx;
	return reader_lock_up(JAIL_AUTO, err);
}

static void setup(void)
{
	deb.len = data.len = control.len = 0;
	e = (struct err){0};
	tar_text(&control, "./control",
		 "Package: linux-image-" RELEASE "\nVersion: 6.1\nArchitecture: ");
	/* the text goes on in the same block */
	(void)strcat((char *)control.bytes + 512, arch_images);
	(void)strcat((char *)control.bytes + 512, "\nMaintainer: x\n");
}

/* The control file with what is @text in place of what setup() made */
static void control_is(const char *text)
{
	control.len = 0;
	tar_text(&control, "./control", text);
}

static void add_ko(const char *name, const char *depends, const char *release)
{
	char path[128];

	ko_make(&ko, depends, release);
	(void)snprintf(path, sizeof(path), LIB "%s", name);
	tar_add(&data, path, ko.bytes, ko.len);
}

/* As a whole package that is packed so */
static void finish(int how)
{
	deb_add(&deb, "debian-binary", "2.0\n", 4);
	deb_add_tar(&deb, "control", &control, how);
	deb_add_tar(&deb, "data", &data, how);
}

static int take(bool modules)
{
	struct package p = {.path = file_of(deb.bytes, deb.len),
			    .kernel = memfd_create("kernel", MFD_CLOEXEC),
			    .modules = modules ? memfd_create("modules", MFD_CLOEXEC)
					       : -1,
			    /* a sanitizer calls what the filter does not allow */
			    .lock = MICROVM_JAIL == JAIL_OFF ? NULL : lock};
	int rc;

	e = (struct err){0};
	ck_assert(package_is(p.path));
	rc = package_read(&p, &e);
	kernel_len = pread_full(p.kernel, kernel, sizeof(kernel), 0);
	image_len = 0;
	if (modules)
		image_len = (size_t)pread_full(p.modules, image, sizeof(image), 0);
	nmodule = p.nmodule;
	close(p.kernel);
	if (modules)
		close(p.modules);
	return rc;
}

static void ck_groups(const char *text)
{
	size_t len = 0;
	const uint8_t *p = cpio_file(image, image_len, "modules/groups", &len);

	ck_assert_msg(len == strlen(text) && memcmp(p, text, len) == 0, "%.*s", (int)len,
		      (const char *)p);
}

START_TEST(has_a_kernel_and_modules)
{
	static const int ways[] = {0, 1, 2, WRAPS}; /* no .lzma */

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		setup();
		tar_text(&data, "./boot/config-" RELEASE, "no kernel");
		tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
		add_ko("kernel/virtio_console.ko", "virtio_ring", RELEASE);
		add_ko("kernel/virtio_ring.ko", "", RELEASE);
		add_ko("kernel/unknown.ko", "", RELEASE);
		finish(ways[i]);
		ck_assert_msg(take(true) == 0, "%s", e.msg);
		ck_assert_int_eq(kernel_len, 8);
		ck_assert_int_eq(memcmp(kernel, "a kernel", 8), 0);
		ck_assert_uint_eq(nmodule, 2);
		ck_groups("boot virtio_ring.ko virtio_console.ko\n");
		ck_assert_int_eq(take(false), 0);
		ck_assert_int_eq(kernel_len, 8);
	}
}
END_TEST

/* Then it is read once more; modules may be packed */
START_TEST(has_what_a_module_needs_before_it)
{
	static struct wrapped w;

	ko_make(&ko, "", RELEASE);
	wrap_xz(&w, ko.bytes, ko.len);
	tar_add(&data, LIB "kernel/a/abc.ko.xz", w.bytes, w.len);
	add_ko("kernel/b/def.ko", "abc", RELEASE);
	add_ko("kernel/c/virtio_console.ko", "def", RELEASE);
	tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
	tar_text(&data, LIB "modules.builtin", "kernel/virtio_mmio.ko\n");
	finish(2);
	ck_assert_msg(take(true) == 0, "%s", e.msg);
	ck_assert_int_eq(kernel_len, 8);
	ck_assert_uint_eq(nmodule, 3);
	ck_groups("boot abc.ko def.ko virtio_console.ko\n");
}
END_TEST

static void fails(const char *words)
{
	finish(2);
	ck_assert_int_lt(take(true), 0);
	ck_says(e, words);
	ck_says(e, "kernel /proc/");
}

START_TEST(has_no_kernel)
{
	control_is(
		"Package: linux-image-amd64\nDepends: linux-image-6.1.0-9-amd64 (= 6)\n");
	tar_text(&data, "./usr/share/doc/x", "");
	fails("linux-image-amd64 has no kernel itself, it only depends on "
	      "linux-image-6.1.0-9-amd64 (= 6); fetch that");
	setup();
	control_is("Package: linux-image-amd64-signed-template\nDepends: make\n");
	tar_text(&data, "./usr/share/code-signing/x", "");
	fails("linux-image-amd64-signed-template has no boot/vmlinuz-*; name a "
	      "linux-image-*.deb that has a kernel");
	setup();
	deb_add(&deb, "x.o", "abc", 3);
	ck_assert_int_lt(take(true), 0);
	ck_says(e, "is an archive, but no package of Debian's");
}
END_TEST

START_TEST(is_for_another_machine)
{
	control_is("Package: linux-image-x\nArchitecture: mips64el\n");
	tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
	fails("is for mips64el, but this host is");
}
END_TEST

START_TEST(has_two_kernels)
{
	tar_text(&data, "./boot/vmlinuz-1", "a kernel");
	tar_text(&data, "./boot/vmlinuz-2", "another");
	fails("has two kernels, 1 and 2; unpack it");
}
END_TEST

/* No link in it is followed, nor is a path opened */
START_TEST(has_links)
{
	tar_add_as(&data, "./boot/vmlinuz-1", '2', "/etc/passwd", NULL, 0, 0);
	fails("boot/vmlinuz-1 is a link, not a kernel");
	setup();
	tar_add_as(&data, "./boot/vmlinuz-1", '1', "/etc/passwd", NULL, 0, 0);
	fails("boot/vmlinuz-1 is a link, not a kernel");
	setup();
	tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
	tar_add_as(&data, LIB "kernel/virtio_mmio.ko", '2', "/etc/passwd", NULL, 0, 0);
	tar_text(&data, "../../../../lib/modules/x/virtio_console.ko", "no module");
	finish(0);
	ck_assert_int_lt(take(true), 0);
	ck_says(e, "its module virtio_console is no module of Linux");
}
END_TEST

START_TEST(has_modules_of_another_kernel)
{
	tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
	add_ko("kernel/virtio_console.ko", "", RELEASE);
	add_ko("kernel/virtio_mmio.ko", "", "5.10.0");
	fails("its module virtio_mmio is of kernel 5.10.0, but ");
}
END_TEST

START_TEST(lies_about_lengths)
{
	tar_add_as(&data, "./boot/vmlinuz-1", '0', "", "abc", 3, MIB);
	fails("cannot be read to its end");
	setup();
	tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
	tar_add_as(&data, LIB "kernel/virtio_mmio.ko", '0', "", "abc", 3, 077777777777);
	fails("kernel/virtio_mmio.ko has 8589934591 bytes, which is more than we take");
}
END_TEST

START_TEST(is_cut_off)
{
	size_t whole;

	tar_text(&data, "./boot/vmlinuz-" RELEASE, "a kernel");
	add_ko("kernel/virtio_console.ko", "", RELEASE);
	finish(1);
	for (whole = deb.len; deb.len > 8; deb.len -= MIN(deb.len - 8, whole / 16)) {
		if (deb.len == whole)
			continue;
		ck_assert_int_lt(take(true), 0);
		ck_assert_uint_ne(strlen(e.msg), 0);
	}
}
END_TEST

/* What a file in a tar says is what it has: so nothing is written of one that says too much */
START_TEST(is_a_bomb)
{
	tar_add_as(&data, "./boot/vmlinuz-1", '0', "", "abc", 3, 1024 * MIB);
	fails("its kernel has 1024 MiB, and no kernel has so many");
	ck_assert_int_eq(kernel_len, 0);
}
END_TEST

/* ---- the process ---- */

static int work_hard(void *ctx, char said[READER_SAID], struct err *err)
{
	(void)ctx, (void)said, (void)err;
	for (volatile uint64_t i = 0; i < UINT64_MAX; i = i + 1)
		;
	return 0;
}

static int work_badly(void *ctx, char said[READER_SAID], struct err *err)
{
	(void)ctx, (void)err;
	(void)snprintf(said, READER_SAID, "x");
	return open("/etc/passwd", O_RDONLY) < 0 ? 0 : -1;
}

static int work_rudely(void *ctx, char said[READER_SAID], struct err *err)
{
	(void)ctx, (void)said;
	return err_set(err, 99999, "\033[2Jhello\n");
}

START_TEST(may_do_nothing_but_read)
{
	char said[READER_SAID] = "";
	struct reader r = {.what = "kernel x",
			   .fd = {0},
			   .nfd = 1,
			   .memory = GIB,
			   .file_size = MIB,
			   .seconds = 1,
			   .work = work_hard,
			   .lock = MICROVM_JAIL == JAIL_OFF ? NULL : lock};

	ck_assert_int_eq(reader_run(&r, said, &e), -E2BIG);
	ck_says(e, "kernel x: takes more than 1 seconds of a processor");
	r.work = work_rudely;
	ck_assert_int_eq(reader_run(&r, said, &e), -EIO);
	ck_assert_str_eq(e.msg, "?[2Jhello?");
	if (!r.lock)
		return;
	r.work = work_badly;
	ck_assert_int_eq(reader_run(&r, said, &e), -EIO);
	ck_says(e, "the process that reads it has ended");
	ck_says(e, "openat");
}
END_TEST

UNIT_MAIN("package", setup, NULL, t)
{
	tcase_add_test(t, has_a_kernel_and_modules);
	tcase_add_test(t, has_what_a_module_needs_before_it);
	tcase_add_test(t, has_no_kernel);
	tcase_add_test(t, is_for_another_machine);
	tcase_add_test(t, has_two_kernels);
	tcase_add_test(t, has_links);
	tcase_add_test(t, has_modules_of_another_kernel);
	tcase_add_test(t, lies_about_lengths);
	tcase_add_test(t, is_cut_off);
	tcase_add_test(t, is_a_bomb);
	tcase_add_test(t, may_do_nothing_but_read);
}

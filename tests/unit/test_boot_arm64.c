/* SPDX-License-Identifier: Apache-2.0 */
/* test_boot_arm64 - boot_load() as a whole: what an arm64 guest finds when it starts. */
#include "boot/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>

#include "boot/dtree.h"
#include "boot/fdt_arm64.h"
#include "tests/lib/unit.h"
#include "tests/unit/arm64_kernels.h"
#include "tests/unit/fdt_platform.h"
#include "tests/unit/ukis.h"

static struct img img;
static struct config cfg;
static struct platform p;
static struct gmem m;
static struct boot_result r;
static struct err e;

static void setup(void)
{
	img_init(&img);
	cfg = (struct config){.ncpu = 2, .memory = 64 * MIB, .console = CONSOLE_SERIAL};
	platform_make(&p, 2, 2, 3);
	arm64_ram_init(&m, 64);
}

static void teardown(void)
{
	free(r.cmdline);
	gmem_fini(&m);
}

static int load(void)
{
	cfg.kernel = file_of(&img, sizeof(img));
	return boot_load(&cfg, &p, &m, &r, &e);
}

/* A property in the guest's own tree, or NULL */
static const void *prop(const char *path, const char *name, int *len)
{
	const void *dtb = gmem_slice(&m, r.dtb, r.dtb_len);
	int at;

	ck_assert_ptr_nonnull(dtb);
	ck_assert_int_eq(fdt_check_full(dtb, r.dtb_len), 0);
	at = fdt_path_offset(dtb, path);
	ck_assert_int_ge(at, 0);
	return fdt_getprop(dtb, at, name, len);
}

static uint64_t prop64(const char *path, const char *name)
{
	int len;
	const void *v = prop(path, name, &len);

	ck_assert_ptr_nonnull(v);
	ck_assert_int_eq(len, 8);
	return fdt64_ld(v);
}

START_TEST(the_result_says_where_everything_is)
{
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(r.protocol, "Image");
	ck_assert_uint_eq(r.entry, LAYOUT_RAM);
	ck_assert_uint_eq(r.page_size, 4096);
	ck_assert_uint_eq(r.kernel_start, LAYOUT_RAM);
	ck_assert_uint_eq(r.kernel_end, LAYOUT_RAM + IMG_SIZE);
	ck_assert_uint_eq(r.dtb, LAYOUT_RAM + IMG_SIZE);
	ck_assert_uint_eq(r.dtb_len, fdt_totalsize(gmem_slice(&m, r.dtb, 64)));
	ck_assert_uint_eq(r.initrd_start, LAYOUT_RAM + 64 * MIB - 4096);
	ck_assert_uint_eq(r.initrd_end, r.initrd_start + 6);
	ck_assert_uint_eq(r.acpi_end, 0);
}
END_TEST

START_TEST(the_tree_has_a_block_of_its_own)
{
	img.text_offset = 0x80000;
	img.image_size = 3 * MIB + 5;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(r.dtb, LAYOUT_RAM + 4 * MIB);
}
END_TEST

START_TEST(the_guest_is_told_its_line_and_initrd)
{
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(prop("/chosen", "bootargs", NULL), r.cmdline);
	ck_assert_uint_eq(prop64("/chosen", "linux,initrd-start"), r.initrd_start);
	ck_assert_uint_eq(prop64("/chosen", "linux,initrd-end"), r.initrd_end);
}
END_TEST

START_TEST(without_an_initrd_none_is_named)
{
	ck_assert_int_eq(load(), 0);
	ck_assert_ptr_null(prop("/chosen", "linux,initrd-start", NULL));
	ck_assert_ptr_null(prop("/chosen", "linux,initrd-end", NULL));
}
END_TEST

START_TEST(seeds_differ_each_time)
{
	uint64_t kaslr;
	uint8_t rng[32];
	int len;

	ck_assert_int_eq(load(), 0);
	kaslr = prop64("/chosen", "kaslr-seed");
	memcpy(rng, prop("/chosen", "rng-seed", &len), sizeof(rng));
	ck_assert_int_eq(len, sizeof(rng));
	free(r.cmdline);
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_ne(kaslr, prop64("/chosen", "kaslr-seed"));
	ck_assert_mem_ne(rng, prop("/chosen", "rng-seed", NULL), sizeof(rng));
}
END_TEST

START_TEST(early_output_goes_where_the_console_is)
{
	ck_assert_int_eq(load(), 0);
	ck_assert_ptr_nonnull(prop("/chosen", "stdout-path", NULL));
	ck_assert_ptr_nonnull(strstr(r.cmdline, "console=ttyS0"));
	free(r.cmdline);
	cfg.console = CONSOLE_VIRTIO;
	ck_assert_int_eq(load(), 0);
	ck_assert_ptr_null(prop("/chosen", "stdout-path", NULL));
	ck_assert_ptr_nonnull(strstr(r.cmdline, "console=hvc0"));
	free(r.cmdline);
	cfg.console = CONSOLE_SERIAL;
	p.ndev = 0;
	ck_assert_int_eq(load(), 0);
	ck_assert_ptr_null(prop("/chosen", "stdout-path", NULL));
}
END_TEST

START_TEST(a_panic_is_a_warm_reset_and_nothing_of_a_pc_is_said)
{
	ck_assert_int_eq(load(), 0);
	ck_assert_ptr_nonnull(strstr(r.cmdline, " panic=-1 reboot=panic_warm"));
	ck_assert_ptr_nonnull(strstr(r.cmdline, "8250.nr_uarts=1"));
	ck_assert_ptr_null(strstr(r.cmdline, "pci"));
	ck_assert_ptr_null(strstr(r.cmdline, "acpi"));
	ck_assert_ptr_null(strstr(r.cmdline, "virtio_mmio"));
}
END_TEST

START_TEST(the_initrd_stays_within_the_kernels_window)
{
	gmem_fini(&m);
	arm64_ram_init(&m, 40 * 1024);
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(r.initrd_start, LAYOUT_RAM + 32 * GIB - 4096);
}
END_TEST

START_TEST(an_initrd_that_does_not_fit_is_told_with_the_memory_needed)
{
	size_t len = 61 * MIB;
	void *big = calloc(1, len);

	cfg.initrd[cfg.ninitrd++] = file_of(big, len);
	free(big);
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "the first 4 of the guest's 64 MiB");
	ck_says(e, "at least 65 MiB");
}
END_TEST

START_TEST(a_kernel_that_leaves_no_room_for_the_tree_is_told)
{
	img.image_size = 63 * MIB;
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "need 66 MiB");
	ck_says(e, "has 64 MiB");
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

START_TEST(a_line_longer_than_linux_takes_stops_it)
{
	char line[2049];

	memset(line, 'x', sizeof(line));
	line[2048] = '\0';
	cfg.cmdline = line;
	ck_assert_int_eq(load(), -E2BIG);
	ck_says(e, "at most 2047");
	ck_assert_ptr_null(r.cmdline);
	line[2047] = '\0';
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(prop("/chosen", "bootargs", NULL), line);
}
END_TEST

START_TEST(more_vcpus_than_a_tree_has_room_for_stop_it)
{
	p.ncpu = 65536;
	ck_assert_int_eq(load(), -E2BIG);
	ck_says(e, "fewer vCPUs");
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

START_TEST(affinities_are_kvms)
{
	ck_assert_uint_eq(fdt_arm64_mpidr(0), 0);
	ck_assert_uint_eq(fdt_arm64_mpidr(15), 15);
	ck_assert_uint_eq(fdt_arm64_mpidr(16), 0x100);
	ck_assert_uint_eq(fdt_arm64_mpidr(511), 0x1f0f);
	ck_assert_uint_eq(fdt_arm64_mpidr(0x1234), 0x12304);
	p.ncpu = 17;
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(fdt32_ld(prop("/cpus/cpu@100", "reg", NULL)), 0x100);
}
END_TEST

START_TEST(the_operators_copy_is_the_guests)
{
	static char path[] = "/proc/self/fd/12345678";
	uint8_t bytes[16384];
	char *file = file_of("", 0);
	int fd;

	cfg.dump_dtb = file;
	ck_assert_int_eq(load(), 0);
	fd = open(file, O_RDONLY);
	ck_assert_int_eq(read_full(fd, bytes, sizeof(bytes)), (long)r.dtb_len);
	ck_assert_mem_eq(bytes, gmem_slice(&m, r.dtb, r.dtb_len), r.dtb_len);
	close(fd);
	free(r.cmdline);
	cfg.dump_dtb = path;
	ck_assert_int_lt(load(), 0);
	ck_says(e, "--dump-dtb");
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

START_TEST(the_overlay_reaches_the_guest)
{
	struct dtree o;

	ck_assert_int_eq(dtree_open(&o, &e), 0);
	dtree_node(&o, "fragment@0");
	dtree_text(&o, "target-path", "/chosen");
	dtree_node(&o, "__overlay__");
	dtree_text(&o, "note", "hello");
	dtree_end(&o);
	dtree_end(&o);
	ck_assert_int_eq(dtree_close(&o, &e), 0);
	cfg.dtb_overlay = file_of(o.blob, dtree_len(&o));
	dtree_free(&o);
	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(prop("/chosen", "note", NULL), "hello");
	free(r.cmdline);
	cfg.dtb_overlay = file_of("no overlay", 10);
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

START_TEST(what_is_no_kernel_stops_it)
{
	cfg.kernel = file_of("hello\n", 6);
	ck_assert_int_eq(boot_load(&cfg, &p, &m, &r, &e), -ENOEXEC);
	ck_says(e, "text file");
	ck_says(e, "an Image");
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

/* Of an Image in zboot, as distributions make it */
START_TEST(a_unified_kernel_image_is_booted)
{
	static struct wrapped w;
	static struct uki u;

	wrap_gzip(&w, &img, sizeof(img));
	wrap_zboot(&w, "gzip");
	uki_init(&u);
	uki_add_text(&u, ".cmdline", "quiet");
	uki_add_text(&u, ".initrd", "its own initrd");
	uki_add(&u, ".linux", _i ? (void *)w.bytes : (void *)&img,
		_i ? w.len : sizeof(img));
	cfg.kernel = uki_file(&u);
	ck_assert_int_eq(boot_load(&cfg, &p, &m, &r, &e), 0);
	ck_assert_str_eq(r.protocol, _i ? "EFI zboot (gzip)" : "Image");
	ck_assert_mem_eq(gmem_slice(&m, r.kernel_start, sizeof(img)), &img, sizeof(img));
	ck_assert_mem_eq(gmem_slice(&m, r.initrd_start, 14), "its own initrd", 14);
	ck_assert_int_eq(strncmp(r.cmdline, "quiet console=", 14), 0);
}
END_TEST

UNIT_MAIN("boot_arm64", setup, teardown, t)
{
	tcase_add_loop_test(t, a_unified_kernel_image_is_booted, 0, 2);
	tcase_add_test(t, the_result_says_where_everything_is);
	tcase_add_test(t, the_tree_has_a_block_of_its_own);
	tcase_add_test(t, the_guest_is_told_its_line_and_initrd);
	tcase_add_test(t, without_an_initrd_none_is_named);
	tcase_add_test(t, seeds_differ_each_time);
	tcase_add_test(t, early_output_goes_where_the_console_is);
	tcase_add_test(t, a_panic_is_a_warm_reset_and_nothing_of_a_pc_is_said);
	tcase_add_test(t, the_initrd_stays_within_the_kernels_window);
	tcase_add_test(t, an_initrd_that_does_not_fit_is_told_with_the_memory_needed);
	tcase_add_test(t, a_kernel_that_leaves_no_room_for_the_tree_is_told);
	tcase_add_test(t, a_line_longer_than_linux_takes_stops_it);
	tcase_add_test(t, more_vcpus_than_a_tree_has_room_for_stop_it);
	tcase_add_test(t, affinities_are_kvms);
	tcase_add_test(t, the_operators_copy_is_the_guests);
	tcase_add_test(t, the_overlay_reaches_the_guest);
	tcase_add_test(t, what_is_no_kernel_stops_it);
}

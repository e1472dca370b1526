/* SPDX-License-Identifier: Apache-2.0 */
/* test_cmdline - what the kernel is told on its command line, and how long it may be. */
#include "boot/cmdline.h"

#include <errno.h>

#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"
#include "vmm/core/layout_x86.h"

static struct config cfg;
static struct platform p;
static const struct kernel_file f; /* no words of its own */
static struct gmem m;
static struct kernel k;
static struct err e;
static char *text;

static void setup(void)
{
	cfg = (struct config){.console = CONSOLE_SERIAL, .acpi = true};
	p = (struct platform){.ncpu = 1, .acpi = true, .ndev = 1};
	p.dev[0].kind = DEVICE_SERIAL;
	k = (struct kernel){.cmdline_max = 2047};
	ram_init(&m, 16);
}

static void teardown(void)
{
	free(text);
	gmem_fini(&m);
}

static void build(void)
{
	free(text);
	text = cmdline_build(&cfg, &p, &f, &m);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_null(strstr(text, "  "));
}

/* Is @words on the line, between spaces? */
static bool has(const char *words)
{
	char *line = NULL, *at;
	bool found;

	build();
	ck_assert_int_gt(asprintf(&line, " %s ", text), 0);
	at = strstr(line, words);
	found = at && at[-1] == ' ' && at[strlen(words)] == ' ';
	free(line);
	return found;
}

static void add_disk(bool readonly)
{
	cfg.ndisk = 1;
	cfg.disk[0].readonly = readonly;
}

START_TEST(the_console_is_named)
{
	ck_assert(has("console=ttyS0"));
	cfg.console = CONSOLE_VIRTIO;
	ck_assert(has("console=hvc0"));
	cfg.console = CONSOLE_NONE;
	ck_assert(!has("console=hvc0"));
	ck_assert_ptr_null(strstr(text, "console="));
}
END_TEST

START_TEST(our_init_hears_who_reads_the_console)
{
	build();
	ck_assert_ptr_null(strstr(text, "microvm.console"));
	cfg.console_reader = READER_TERMINAL;
	ck_assert(has("microvm.console=terminal"));
	cfg.console_reader = READER_PLAIN;
	ck_assert(has("microvm.console=plain"));
}
END_TEST

START_TEST(only_the_uarts_that_exist_are_looked_for)
{
	ck_assert(has("8250.nr_uarts=1"));
	p.ndev = 0;
	ck_assert(has("8250.nr_uarts=0"));
}
END_TEST

START_TEST(a_stock_kernel_starts_fast_and_without_a_stray_error)
{
	ck_assert(has("cryptomgr.notests"));
	ck_assert(has("pci=conf1,noearly"));
	p.acpi = false;
	ck_assert(has("pci=conf1,noearly"));
}
END_TEST

START_TEST(an_image_as_memory_is_the_root_if_there_is_no_disk)
{
	static char path[] = "root.img", initrd[] = "initrd.gz";

	cfg.pmem[0] = (struct config_pmem){path, true};
	cfg.npmem = 1;
	ck_assert(has("root=/dev/pmem0 ro"));
	cfg.pmem[0].readonly = false;
	ck_assert(has("root=/dev/pmem0 rw"));
	cfg.initrd[0] = initrd;
	cfg.ninitrd = 1;
	ck_assert(!has("rw"));
	ck_assert_ptr_null(strstr(text, "root="));
	cfg.ninitrd = 0;
	add_disk(false);
	ck_assert(has("root=/dev/vda rw"));
	ck_assert_ptr_null(strstr(text, "pmem"));
}
END_TEST

START_TEST(a_disk_is_the_root)
{
	ck_assert(!has("rw"));
	ck_assert_ptr_null(strstr(text, "root="));
	add_disk(false);
	ck_assert(has("root=/dev/vda rw"));
	cfg.disk[0].readonly = true;
	ck_assert(has("root=/dev/vda ro"));
}
END_TEST

START_TEST(an_initrd_finds_its_own_root)
{
	add_disk(false);
	cfg.ninitrd = 1;
	ck_assert(!has("rw"));
	ck_assert_ptr_null(strstr(text, "root="));
}
END_TEST

START_TEST(a_panic_resets_at_once_and_differs_from_a_reboot)
{
	ck_assert(has("panic=-1"));
	ck_assert(has("reboot=panic_warm,acpi"));
	p.acpi = false;
	ck_assert(has("reboot=panic_warm,kbd"));
}
END_TEST

START_TEST(bounce_buffers_are_refused_only_where_linux_would_make_them)
{
	ck_assert(!has("swiotlb=noforce"));
	ck_assert_int_eq(gmem_add(&m, LAYOUT_RAM_HIGH, MIB, &e), 0);
	ck_assert(has("swiotlb=noforce"));
}
END_TEST

START_TEST(without_acpi_devices_are_on_the_line)
{
	p.dev[1] = (struct platform_device){DEVICE_VIRTIO_MMIO, 0xd0000000, 0x1000, 5};
	p.dev[2] = (struct platform_device){DEVICE_RTC, 0x70, 2, 8};
	p.dev[3] = (struct platform_device){DEVICE_VIRTIO_MMIO, 0xd0001000, 0x1000, 7};
	p.ndev = 4;
	ck_assert(!has("acpi=off"));
	ck_assert_ptr_null(strstr(text, "virtio_mmio"));
	p.acpi = false;
	ck_assert(has("acpi=off"));
	ck_assert(has("virtio_mmio.device=0x1000@0xd0000000:5"));
	ck_assert(has("virtio_mmio.device=0x1000@0xd0001000:7"));
	ck_assert_ptr_null(strstr(text, "0x70"));
}
END_TEST

START_TEST(a_full_machine_has_room)
{
	p.acpi = false;
	p.ndev = PLATFORM_DEVICES_MAX;
	for (unsigned int i = 0; i < p.ndev; i++)
		p.dev[i] = (struct platform_device){DEVICE_VIRTIO_MMIO, UINT64_MAX - i,
						    UINT64_MAX, UINT32_MAX};
	add_disk(true);
	ck_assert(has("acpi=off"));
}
END_TEST

START_TEST(append_comes_last)
{
	static char append[] = "quiet console=tty0 -- x";

	cfg.append = append;
	ck_assert(has("console=ttyS0"));
	ck_assert_str_eq(text + strlen(text) - strlen(append), append);
	ck_assert_int_eq(text[strlen(text) - strlen(append) - 1], ' ');
}
END_TEST

START_TEST(an_empty_append_changes_nothing)
{
	static char nothing[] = "";
	char *before;

	build();
	before = strdup(text);
	cfg.append = nothing;
	build();
	ck_assert_str_eq(text, before);
	free(before);
}
END_TEST

START_TEST(cmdline_replaces_everything)
{
	static char line[] = "init=/bin/sh", append[] = "ignored";

	cfg.cmdline = line;
	cfg.append = append;
	p.acpi = false;
	build();
	ck_assert_str_eq(text, "init=/bin/sh");
}
END_TEST

START_TEST(the_longest_line_that_the_kernel_takes_is_written)
{
	char line[2049];

	memset(line, 'x', sizeof(line));
	line[2047] = '\0';
	ck_assert_int_eq(cmdline_write(&m, line, &k, &e), 0);
	ck_assert_str_eq((char *)gmem_slice(&m, LAYOUT_CMDLINE, 2048), line);
	line[2047] = 'x';
	line[2048] = '\0';
	ck_assert_int_eq(cmdline_write(&m, line, &k, &e), -E2BIG);
	ck_says(e, "2048");
	ck_says(e, "2047");
	ck_says(e, "--append");
}
END_TEST

START_TEST(a_kernel_that_takes_too_much_is_held_to_our_room)
{
	size_t len = LAYOUT_CMDLINE_MAX;
	char *line = malloc(len + 1);

	memset(line, 'x', len);
	line[len] = '\0';
	k.cmdline_max = UINT32_MAX;
	ck_assert_int_eq(cmdline_write(&m, line, &k, &e), -E2BIG);
	ck_says(e, "65535");
	line[len - 1] = '\0';
	ck_assert_int_eq(cmdline_write(&m, line, &k, &e), 0);
	ck_assert_uint_eq(*(uint8_t *)gmem_slice(&m, LAYOUT_CMDLINE + len, 1), 0);
	free(line);
}
END_TEST

START_TEST(reset_of_a_panic_is_known_by_the_line)
{
	static const struct {
		const char *line;
		bool warm;
	} t[] = {
		{"panic=-1 reboot=panic_warm,acpi", true},
		{"reboot=panic_warm reboot=acpi,force", true},
		{"reboot=k reboot=panic_w", true},
		{"reboot=panic_warm reboot=w", false}, /* as any reset */
		{"reboot=panic_warm,warm", false},
		{"reboot=panic_warm reboot=panic_cold", false},
		{"reboot=panic_cold reboot=panic_warm", true},
		{"reboot=warm reboot=panic_warm reboot=hard", true},
		{"reboot=warm", false},
		{"reboot=", false},
		{"reboot=,", false},
		{"reboot=panic_", false},
		{"xreboot=panic_warm", false},
		{"a=\"b reboot=panic_warm\"", false},
		{"quiet", false},
		{"", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		ck_assert_msg(cmdline_panic_is_warm(t[i].line) == t[i].warm, "%s",
			      t[i].line);
}
END_TEST

UNIT_MAIN("cmdline", setup, teardown, t)
{
	tcase_add_test(t, the_console_is_named);
	tcase_add_test(t, our_init_hears_who_reads_the_console);
	tcase_add_test(t, only_the_uarts_that_exist_are_looked_for);
	tcase_add_test(t, a_stock_kernel_starts_fast_and_without_a_stray_error);
	tcase_add_test(t, an_image_as_memory_is_the_root_if_there_is_no_disk);
	tcase_add_test(t, a_disk_is_the_root);
	tcase_add_test(t, an_initrd_finds_its_own_root);
	tcase_add_test(t, a_panic_resets_at_once_and_differs_from_a_reboot);
	tcase_add_test(t, bounce_buffers_are_refused_only_where_linux_would_make_them);
	tcase_add_test(t, without_acpi_devices_are_on_the_line);
	tcase_add_test(t, a_full_machine_has_room);
	tcase_add_test(t, append_comes_last);
	tcase_add_test(t, an_empty_append_changes_nothing);
	tcase_add_test(t, cmdline_replaces_everything);
	tcase_add_test(t, the_longest_line_that_the_kernel_takes_is_written);
	tcase_add_test(t, reset_of_a_panic_is_known_by_the_line);
	tcase_add_test(t, a_kernel_that_takes_too_much_is_held_to_our_room);
}

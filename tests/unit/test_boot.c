/* SPDX-License-Identifier: Apache-2.0 */
/* test_boot - boot_load() as a whole: what a guest finds in memory when it starts. */
#include "boot/boot.h"

#include <errno.h>

#include "boot/e820.h"
#include "tests/lib/unit.h"
#include "tests/unit/x86_kernels.h"
#include "vmm/core/layout_x86.h"

static struct bz *b;
static struct ek *x;
static struct config cfg;
static struct platform p;
static struct gmem m;
static struct boot_result r;
static struct err e;

static void setup(void)
{
	b = bz_new();
	x = ek_new();
	cfg = (struct config){.ncpu = 1, .memory = 64 * MIB, .console = CONSOLE_SERIAL};
	p = (struct platform){.ncpu = 1};
	ram_init(&m, 64);
}

static void teardown(void)
{
	free(b);
	free(x);
	free(r.cmdline);
	gmem_fini(&m);
}

static int load(char *kernel)
{
	cfg.kernel = kernel;
	return boot_load(&cfg, &p, &m, &r, &e);
}

static const struct boot_params *zero_page(void)
{
	ck_assert_uint_eq(r.rsi, LAYOUT_ZERO_PAGE);
	return gmem_slice(&m, r.rsi, sizeof(struct boot_params));
}

static void check_e820(const struct boot_params *bp, unsigned int i, uint64_t at,
		       uint64_t end, uint32_t type)
{
	ck_assert_uint_lt(i, bp->e820_entries);
	ck_assert_uint_eq(bp->e820_table[i].addr, at);
	ck_assert_uint_eq(bp->e820_table[i].size, end - at);
	ck_assert_uint_eq(bp->e820_table[i].type, type);
}

START_TEST(a_bzimage_gets_its_header_back_with_ours_filled_in)
{
	struct setup_header want = *bz_header(b);
	const struct boot_params *bp;

	bz_header(b)->setup_data = 0xdeadbeef; /* not to be believed */
	bz_header(b)->loadflags |= KASLR_FLAG;
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	ck_assert_int_eq(load(bz_file(b)), 0);
	bp = zero_page();
	want.type_of_loader = 0xff;
	want.vid_mode = 0xffff;
	want.code32_start = 0x1000000;
	want.cmd_line_ptr = LAYOUT_CMDLINE;
	want.ramdisk_image = 64 * MIB - 4096;
	want.ramdisk_size = 6;
	want.setup_data = LAYOUT_SETUP_DATA;
	ck_assert_mem_eq(&bp->hdr, &want, 0x26c - 0x1f1);
	ck_assert_uint_eq(bp->sentinel, 0);
	ck_assert_uint_eq(bp->acpi_rsdp_addr, 0);
	ck_assert_str_eq((char *)gmem_slice(&m, LAYOUT_CMDLINE, 2048), r.cmdline);
	ck_assert_mem_eq(gmem_slice(&m, 64 * MIB - 4096, 8), "initrd\0\0", 8);
}
END_TEST

START_TEST(the_result_says_where_everything_is)
{
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	ck_assert_int_eq(load(bz_file(b)), 0);
	ck_assert_int_eq(r.mode, BOOT_LONG64);
	ck_assert_uint_eq(r.entry, 0x1000200);
	ck_assert_uint_eq(r.kernel_start, 0x1000000);
	ck_assert_uint_eq(r.kernel_end, 0x1800000);
	ck_assert_uint_eq(r.initrd_start, 64 * MIB - 4096);
	ck_assert_uint_eq(r.initrd_end, 64 * MIB - 4090);
	ck_assert_uint_eq(r.acpi_start, r.acpi_end);
	ck_assert_uint_eq(r.rbx, 0);
	ck_assert_uint_eq(r.stack, LAYOUT_STACK);
}
END_TEST

START_TEST(a_seed_is_given_and_differs_each_time)
{
	const struct setup_data *d;
	uint8_t first[32];

	ck_assert_int_eq(load(bz_file(b)), 0);
	d = gmem_slice(&m, zero_page()->hdr.setup_data, sizeof(*d) + 32);
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->next, 0);
	ck_assert_uint_eq(d->type, SETUP_RNG_SEED);
	ck_assert_uint_eq(d->len, 32);
	memcpy(first, d->data, 32);
	free(r.cmdline);
	ck_assert_int_eq(load(bz_file(b)), 0);
	ck_assert_mem_ne(first, d->data, 32);
}
END_TEST

START_TEST(a_kernel_before_2_09_is_given_no_setup_data)
{
	bz_header(b)->version = 0x0208;
	ck_assert_int_eq(load(bz_file(b)), 0);
	ck_assert_int_eq(r.mode, BOOT_PROT32);
	ck_assert_uint_eq(zero_page()->hdr.setup_data, 0);
}
END_TEST

START_TEST(the_memory_map_is_the_ram)
{
	const struct boot_params *bp;

	ck_assert_int_eq(load(bz_file(b)), 0);
	bp = zero_page();
	ck_assert_uint_eq(bp->e820_entries, 2);
	check_e820(bp, 0, 0, LAYOUT_EBDA, E820_RAM);
	check_e820(bp, 1, 0x100000, 64 * MIB, E820_RAM);
}
END_TEST

START_TEST(the_memory_map_leaves_out_the_hole)
{
	const struct boot_params *bp;

	gmem_fini(&m);
	ram_init(&m, 3072);
	ck_assert_int_eq(gmem_add(&m, LAYOUT_RAM_HIGH, 2 * GIB, &e), 0);
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	ck_assert_int_eq(load(bz_file(b)), 0);
	bp = zero_page();
	ck_assert_uint_eq(bp->e820_entries, 3);
	check_e820(bp, 1, 0x100000, LAYOUT_RAM_HOLE, E820_RAM);
	check_e820(bp, 2, 4 * GIB, 6 * GIB, E820_RAM);
	ck_assert_uint_eq(r.initrd_start, 2 * GIB - 4096);
}
END_TEST

START_TEST(acpi_is_in_the_map_and_in_the_zero_page)
{
	const struct boot_params *bp;

	p.acpi = true;
	ck_assert_int_eq(load(bz_file(b)), 0);
	bp = zero_page();
	ck_assert_uint_eq(bp->e820_entries, 3);
	ck_assert_uint_eq(r.acpi_start, LAYOUT_ACPI);
	check_e820(bp, 1, LAYOUT_ACPI, ALIGN_UP(r.acpi_end, PAGE_SIZE), E820_ACPI);
	ck_assert_uint_ge(bp->acpi_rsdp_addr, r.acpi_start);
	ck_assert_uint_lt(bp->acpi_rsdp_addr, r.acpi_end);
	ck_assert_mem_eq(gmem_slice(&m, bp->acpi_rsdp_addr, 8), "RSD PTR ", 8);
}
END_TEST

START_TEST(an_elf_without_a_note_gets_a_plain_zero_page)
{
	const struct boot_params *bp;

	ck_assert_int_eq(load(ek_file(x)), 0);
	ck_assert_int_eq(r.mode, BOOT_LONG64);
	bp = zero_page();
	ck_assert_uint_eq(bp->hdr.boot_flag, 0xaa55);
	ck_assert_uint_eq(bp->hdr.header, 0x53726448);
	ck_assert_uint_eq(bp->hdr.type_of_loader, 0xff);
	ck_assert_uint_eq(bp->hdr.cmd_line_ptr, LAYOUT_CMDLINE);
	ck_assert_uint_eq(bp->hdr.setup_data, LAYOUT_SETUP_DATA);
	check_e820(bp, 0, 0, LAYOUT_EBDA, E820_RAM);
}
END_TEST

/* Offsets as in Xen's start_info.h, not as in our own struct */
START_TEST(a_pvh_kernel_gets_a_start_info)
{
	const uint8_t *i;
	uint32_t u[4];
	uint64_t modlist[2], map[3];
	uint64_t q[5];

	x->pvh.nh.n_type = 18;
	cfg.initrd[cfg.ninitrd++] = file_of("initrd", 6);
	p.acpi = true;
	ck_assert_int_eq(load(ek_file(x)), 0);
	ck_assert_int_eq(r.mode, BOOT_PROT32);
	ck_assert_uint_eq(r.rsi, 0);
	ck_assert_uint_eq(r.entry, 0x1000020);
	i = gmem_slice(&m, r.rbx, 56);
	ck_assert_ptr_nonnull(i);
	memcpy(u, i, 16);
	ck_assert_uint_eq(u[0], 0x336ec578);
	ck_assert_uint_eq(u[1], 1);
	ck_assert_uint_eq(u[3], 1);
	memcpy(q, i + 16, 40);
	ck_assert_int_eq(gmem_read(&m, q[0], modlist, 16), 0);
	ck_assert_uint_eq(modlist[0], r.initrd_start);
	ck_assert_uint_eq(modlist[1], 6);
	ck_assert_uint_eq(q[1], LAYOUT_CMDLINE);
	ck_assert_uint_eq(q[2], LAYOUT_ACPI);
	ck_assert_uint_eq((uint32_t)q[4], 3);
	ck_assert_int_eq(gmem_read(&m, q[3] + 48, map, 24), 0);
	ck_assert_uint_eq(map[0], 0x100000);
	ck_assert_uint_eq(map[1], 63 * MIB);
	ck_assert_uint_eq(map[2], E820_RAM);
}
END_TEST

/* Walk the tables as a processor would.  Return: the physical address, or -1 */
static uint64_t walk(uint64_t va)
{
	uint64_t at = r.cr3, entry;

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		ck_assert_int_eq(gmem_read(&m, at + (va >> shift & 511) * 8, &entry, 8),
				 0);
		if (!(entry & 1))
			return UINT64_MAX;
		ck_assert(entry & 2);
		if (entry & 0x80)
			return (entry & ~0x1fffffULL) + (va & ((1ULL << shift) - 1));
		at = entry & ~0xfffULL;
	}
	return UINT64_MAX;
}

START_TEST(ram_and_device_space_are_mapped)
{
	static const uint64_t at[] = {0,
				      LAYOUT_CMDLINE,
				      0x1000200,
				      64 * MIB - 1,
				      LAYOUT_VIRTIO,
				      LAYOUT_LAPIC,
				      4 * GIB - 1};

	ck_assert_int_eq(load(bz_file(b)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		ck_assert_uint_eq(walk(at[i]), at[i]);
	ck_assert_uint_eq(walk(GIB), UINT64_MAX);
	ck_assert_uint_eq(walk(4 * GIB), UINT64_MAX);
}
END_TEST

START_TEST(all_low_ram_is_mapped)
{
	gmem_fini(&m);
	ram_init(&m, 3072);
	ck_assert_int_eq(load(bz_file(b)), 0);
	for (uint64_t at = 0; at < 4 * GIB; at += 511 * MIB)
		ck_assert_uint_eq(walk(at), at);
	ck_assert_int_eq(r.cmdline[0], 'c'); /* the tables did not run into it */
	ck_assert_str_eq((char *)gmem_slice(&m, LAYOUT_CMDLINE, 2048), r.cmdline);
}
END_TEST

START_TEST(the_gdt_is_flat_and_fits_the_mode)
{
	uint64_t gdt[4];

	ck_assert_int_eq(load(bz_file(b)), 0);
	ck_assert_int_eq(gmem_read(&m, r.gdt, gdt, 32), 0);
	ck_assert_uint_eq(gdt[0], 0);
	ck_assert_uint_eq(gdt[1], 0);
	ck_assert_uint_eq(gdt[2], 0x00af9b000000ffff);
	ck_assert_uint_eq(gdt[3], 0x00cf93000000ffff);
	bz_header(b)->xloadflags = 0;
	free(r.cmdline);
	ck_assert_int_eq(load(bz_file(b)), 0);
	ck_assert_int_eq(gmem_read(&m, r.gdt, gdt, 32), 0);
	ck_assert_uint_eq(gdt[2], 0x00cf9b000000ffff);
}
END_TEST

START_TEST(a_line_longer_than_the_kernel_takes_stops_it)
{
	static char append[] = "longer than that";

	cfg.append = append;
	bz_header(b)->cmdline_size = 15;
	ck_assert_int_eq(load(bz_file(b)), -E2BIG);
	ck_says(e, "at most 15");
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

START_TEST(what_is_no_kernel_stops_it)
{
	ck_assert_int_eq(load(file_of("hello\n", 6)), -ENOEXEC);
	ck_says(e, "text file");
	ck_assert_ptr_null(r.cmdline);
}
END_TEST

START_TEST(a_machine_without_memory_is_refused)
{
	gmem_fini(&m);
	ram_init(&m, 1);
	ck_assert_int_eq(load(bz_file(b)), -ENOMEM);
	ck_says(e, "--memory");
}
END_TEST

UNIT_MAIN("boot", setup, teardown, t)
{
	tcase_add_test(t, a_bzimage_gets_its_header_back_with_ours_filled_in);
	tcase_add_test(t, the_result_says_where_everything_is);
	tcase_add_test(t, a_seed_is_given_and_differs_each_time);
	tcase_add_test(t, a_kernel_before_2_09_is_given_no_setup_data);
	tcase_add_test(t, the_memory_map_is_the_ram);
	tcase_add_test(t, the_memory_map_leaves_out_the_hole);
	tcase_add_test(t, acpi_is_in_the_map_and_in_the_zero_page);
	tcase_add_test(t, an_elf_without_a_note_gets_a_plain_zero_page);
	tcase_add_test(t, a_pvh_kernel_gets_a_start_info);
	tcase_add_test(t, ram_and_device_space_are_mapped);
	tcase_add_test(t, all_low_ram_is_mapped);
	tcase_add_test(t, the_gdt_is_flat_and_fits_the_mode);
	tcase_add_test(t, a_line_longer_than_the_kernel_takes_stops_it);
	tcase_add_test(t, what_is_no_kernel_stops_it);
	tcase_add_test(t, a_machine_without_memory_is_refused);
}

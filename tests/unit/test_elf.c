/* SPDX-License-Identifier: Apache-2.0 */
/* test_elf - ELF kernels: how they are entered, and every way to be wrong. */
#include <errno.h>

#include "boot/elf.h"
#include "tests/lib/unit.h"
#include "tests/unit/x86_kernels.h"

static struct ek *x;
static struct gmem m;
static struct kernel_file f;
static struct kernel k;
static struct err e;

static void setup(void)
{
	x = ek_new();
	ram_init(&m, 32);
}

static void teardown(void)
{
	kernel_close(&f);
	gmem_fini(&m);
	free(x);
}

static int load_bytes(const void *p, size_t len)
{
	ck_assert_int_eq(kernel_open(&f, file_of(p, len), &e), 0);
	ck_assert(elf_is(&f));
	return elf_load(&f, &m, &k, &e);
}

static int load(void)
{
	return load_bytes(x, sizeof(*x));
}

static void check_refused(const char *words)
{
	ck_assert_int_eq(load(), -ENOEXEC);
	ck_says(e, words);
	ck_says(e, f.file.path);
}

START_TEST(without_a_note_it_is_entered_at_its_64bit_entry)
{
	static const uint8_t zero[EK_BSS];

	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(k.mode, BOOT_LONG64);
	ck_assert_str_eq(k.protocol, "ELF64");
	ck_assert(!k.pvh);
	ck_assert_uint_eq(k.entry, 0x1000010);
	ck_assert_uint_eq(k.start, 0x1000000);
	ck_assert_uint_eq(k.end, 0x1200000 + EK_DATA + EK_BSS);
	ck_assert_mem_eq(gmem_slice(&m, 0x1000000, EK_TEXT), x->text_bytes, EK_TEXT);
	ck_assert_mem_eq(gmem_slice(&m, 0x1200000, EK_DATA), x->data_bytes, EK_DATA);
	ck_assert_mem_eq(gmem_slice(&m, 0x1200000 + EK_DATA, EK_BSS), zero, EK_BSS);
}
END_TEST

START_TEST(with_a_pvh_note_it_is_entered_there_in_32bit_mode)
{
	x->pvh.nh.n_type = 18;
	ck_assert_int_eq(load(), 0);
	ck_assert_int_eq(k.mode, BOOT_PROT32);
	ck_assert_str_eq(k.protocol, "PVH");
	ck_assert(k.pvh);
	ck_assert_uint_eq(k.entry, 0x1000020);
}
END_TEST

START_TEST(a_4_byte_note_is_a_pvh_note_too)
{
	x->pvh.nh.n_type = 18;
	x->pvh.nh.n_descsz = 4;
	x->pvh.entry |= 0xdeadULL << 32; /* not part of it */
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(k.entry, 0x1000020);
}
END_TEST

START_TEST(a_note_of_other_size_or_owner_is_none)
{
	x->pvh.nh.n_type = 18;
	if (_i == 0)
		x->pvh.nh.n_descsz = 6;
	if (_i == 1)
		memcpy(x->pvh.name, "Zen", 4);
	if (_i == 2)
		x->pvh.nh.n_namesz = 0xffffffff;
	if (_i == 3)
		x->pvh.nh.n_descsz = 0xfffffff8;
	if (_i == 4)
		x->note.p_filesz = sizeof(x->pvh) - 1;
	ck_assert_int_eq(load(), 0);
	ck_assert(!k.pvh);
}
END_TEST

START_TEST(notes_outside_the_file_are_refused)
{
	x->note.p_offset = UINT64_MAX - 4;
	check_refused("notes lie past its end");
}
END_TEST

START_TEST(a_pvh_entry_outside_any_segment_is_refused)
{
	static const uint64_t at[] = {0, 0xfffff0, 0x1000000 + EK_TEXT, 0x101000020};

	x->pvh.nh.n_type = 18;
	x->pvh.entry = at[_i];
	check_refused("PVH note");
}
END_TEST

START_TEST(an_entry_outside_any_segment_is_refused)
{
	static const uint64_t at[] = {0, 0xffffff, 0x1000000 + EK_TEXT,
				      0xffffffff81000010};

	x->eh.e_entry = at[_i];
	check_refused("outside all its segments");
}
END_TEST

START_TEST(an_elf_for_another_machine_is_named)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} c[] = {{EM_AARCH64, "an arm64 ELF"},
		 {EM_RISCV, "a riscv ELF"},
		 {EM_S390, "an s390 ELF"},
		 {EM_386, "another machine (number 3)"},
		 {0x7777, "another machine (number 30583)"}};

	x->eh.e_machine = c[_i].machine;
	check_refused(c[_i].name);
	ck_says(e, "x86-64");
}
END_TEST

START_TEST(a_32bit_elf_without_a_note_is_refused)
{
	struct {
		Elf32_Ehdr eh;
		Elf32_Phdr ph;
		uint8_t text[64];
	} y = {.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB,
				  EV_CURRENT},
		      .e_type = ET_EXEC,
		      .e_machine = EM_386,
		      .e_version = EV_CURRENT,
		      .e_entry = 0x100000,
		      .e_phoff = sizeof(Elf32_Ehdr),
		      .e_ehsize = sizeof(Elf32_Ehdr),
		      .e_phentsize = sizeof(Elf32_Phdr),
		      .e_phnum = 1},
	       .ph = {.p_type = PT_LOAD,
		      .p_offset = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
		      .p_paddr = 0x100000,
		      .p_filesz = 64,
		      .p_memsz = 64}};

	ck_assert_int_eq(load_bytes(&y, sizeof(y)), -ENOEXEC);
	ck_says(e, "32-bit");
	ck_says(e, "CONFIG_PVH");
}
END_TEST

START_TEST(what_is_not_an_executable_is_refused)
{
	static const uint16_t type[] = {ET_REL, ET_CORE, ET_NONE};

	x->eh.e_type = type[_i];
	check_refused("not a kernel");
}
END_TEST

START_TEST(a_dynamic_program_is_refused)
{
	x->note.p_type = PT_INTERP;
	check_refused("dynamically linked");
}
END_TEST

START_TEST(big_endian_is_refused)
{
	x->eh.e_ident[EI_DATA] = ELFDATA2MSB;
	ck_assert_int_eq(load(), -ENOEXEC);
}
END_TEST

START_TEST(a_truncated_file_is_refused_wherever_it_ends)
{
	for (size_t len = SELFMAG; len < sizeof(*x); len += len < 512 ? 1 : 97) {
		struct gmem fresh;

		ram_init(&fresh, 32);
		ck_assert_int_eq(kernel_open(&f, file_of(x, len), &e), 0);
		ck_assert_int_eq(elf_load(&f, &fresh, &k, &e), -ENOEXEC);
		ck_says(e, "kernel ");
		kernel_close(&f);
		gmem_fini(&fresh);
	}
}
END_TEST

START_TEST(no_program_headers_are_refused)
{
	x->eh.e_phnum = 0;
	check_refused("program headers");
}
END_TEST

START_TEST(program_headers_outside_the_file_are_refused)
{
	static const uint64_t at[] = {1 << 20, UINT64_MAX - 8, 1ULL << 63};

	x->eh.e_phoff = at[_i];
	check_refused("damaged");
}
END_TEST

START_TEST(more_program_headers_than_the_file_has_are_refused)
{
	x->eh.e_phnum = 0xfffe;
	check_refused("damaged");
}
END_TEST

START_TEST(program_headers_of_another_size_are_refused)
{
	x->eh.e_phentsize = 32;
	check_refused("program headers");
}
END_TEST

START_TEST(nothing_to_load_is_refused)
{
	x->text.p_type = x->data.p_type = PT_NULL;
	check_refused("nothing to load");
}
END_TEST

START_TEST(more_in_the_file_than_in_memory_is_refused)
{
	x->text.p_memsz--;
	check_refused("longer in the file");
}
END_TEST

START_TEST(a_segment_past_the_end_of_the_file_is_refused)
{
	if (_i == 0)
		x->data.p_filesz++;
	if (_i == 1)
		x->data.p_offset = UINT64_MAX;
	if (_i == 2)
		x->data.p_filesz = x->data.p_memsz = UINT64_MAX;
	check_refused("past its end");
}
END_TEST

START_TEST(a_wrapping_segment_is_refused)
{
	x->data.p_paddr = UINT64_MAX - EK_DATA;
	check_refused("wraps");
}
END_TEST

START_TEST(a_segment_over_our_tables_is_refused)
{
	static const uint64_t at[] = {0, 0x7000, 0xff000, 0xfffff};

	x->text.p_paddr = at[_i];
	check_refused("below 1 MiB");
}
END_TEST

START_TEST(overlapping_segments_are_refused)
{
	static const uint64_t at[] = {0x1000000, 0x1000000 + EK_TEXT - 1,
				      0x1000000 - EK_DATA - EK_BSS + 1};

	x->data.p_paddr = at[_i];
	check_refused("overlap");
}
END_TEST

START_TEST(touching_segments_are_fine)
{
	x->data.p_paddr = 0x1000000 + EK_TEXT;
	ck_assert_int_eq(load(), 0);
}
END_TEST

START_TEST(a_segment_above_ram_is_told_with_the_amount_needed)
{
	x->data.p_paddr = 40 * MIB;
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "needs 41 MiB");
	ck_says(e, "has 32 MiB");
}
END_TEST

START_TEST(a_huge_segment_is_not_blamed_on_the_operator)
{
	static const uint64_t len[] = {4 * GIB, 1ULL << 62};

	x->data.p_memsz = len[_i];
	ck_assert_int_eq(load(), -ENOMEM);
	ck_says(e, "damaged");
}
END_TEST

START_TEST(too_many_segments_are_refused)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[ELF_SEGMENTS_MAX + 1];
		uint8_t text[8];
	} y = {.eh = x->eh};

	y.eh.e_phoff = sizeof(y.eh);
	y.eh.e_phnum = ELF_SEGMENTS_MAX + 1;
	for (unsigned int i = 0; i <= ELF_SEGMENTS_MAX; i++)
		y.ph[i] = (Elf64_Phdr){.p_type = PT_LOAD,
				       .p_offset = sizeof(y.eh) + sizeof(y.ph),
				       .p_paddr = 0x1000000 + i * 0x1000,
				       .p_filesz = 8,
				       .p_memsz = 32};
	ck_assert_int_eq(load_bytes(&y, sizeof(y)), -ENOEXEC);
	ck_says(e, "more than 32");
	kernel_close(&f);
	y.eh.e_phnum--;
	ck_assert_int_eq(load_bytes(&y, sizeof(y)), 0);
}
END_TEST

static void add_wrong_headers(TCase *t)
{
	tcase_add_loop_test(t, an_elf_for_another_machine_is_named, 0, 5);
	tcase_add_test(t, a_32bit_elf_without_a_note_is_refused);
	tcase_add_loop_test(t, what_is_not_an_executable_is_refused, 0, 3);
	tcase_add_test(t, a_dynamic_program_is_refused);
	tcase_add_test(t, big_endian_is_refused);
	tcase_add_test(t, a_truncated_file_is_refused_wherever_it_ends);
	tcase_add_test(t, no_program_headers_are_refused);
	tcase_add_loop_test(t, program_headers_outside_the_file_are_refused, 0, 3);
	tcase_add_test(t, more_program_headers_than_the_file_has_are_refused);
	tcase_add_test(t, program_headers_of_another_size_are_refused);
}

UNIT_MAIN("elf", setup, teardown, t)
{
	tcase_add_test(t, without_a_note_it_is_entered_at_its_64bit_entry);
	tcase_add_test(t, with_a_pvh_note_it_is_entered_there_in_32bit_mode);
	tcase_add_test(t, a_4_byte_note_is_a_pvh_note_too);
	tcase_add_loop_test(t, a_note_of_other_size_or_owner_is_none, 0, 5);
	tcase_add_test(t, notes_outside_the_file_are_refused);
	tcase_add_loop_test(t, a_pvh_entry_outside_any_segment_is_refused, 0, 4);
	tcase_add_loop_test(t, an_entry_outside_any_segment_is_refused, 0, 4);
	add_wrong_headers(t);
	tcase_add_test(t, nothing_to_load_is_refused);
	tcase_add_test(t, more_in_the_file_than_in_memory_is_refused);
	tcase_add_loop_test(t, a_segment_past_the_end_of_the_file_is_refused, 0, 3);
	tcase_add_test(t, a_wrapping_segment_is_refused);
	tcase_add_loop_test(t, a_segment_over_our_tables_is_refused, 0, 4);
	tcase_add_loop_test(t, overlapping_segments_are_refused, 0, 3);
	tcase_add_test(t, touching_segments_are_fine);
	tcase_add_test(t, a_segment_above_ram_is_told_with_the_amount_needed);
	tcase_add_loop_test(t, a_huge_segment_is_not_blamed_on_the_operator, 0, 2);
	tcase_add_test(t, too_many_segments_are_refused);
}

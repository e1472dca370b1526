/* SPDX-License-Identifier: Apache-2.0 */
/* test_modinfo - what a module says of itself, and what a damaged one cannot make us read. */
#include "vmm/modules/modinfo.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/lib/unit.h"
#include "tests/unit/modules.h"

static struct ko k;
static struct modinfo m;

static void setup(void)
{
	ko_make(&k, "virtio,virtio_ring", "6.1.0-9-amd64");
}

START_TEST(says_what_it_depends_on_and_its_kernel)
{
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), 0);
	ck_assert_uint_eq(m.machine, arch_elf);
	ck_assert_str_eq(m.depends, "virtio,virtio_ring");
	ck_assert_uint_eq(m.release_len, strlen("6.1.0-9-amd64"));
	ck_assert_int_eq(strncmp(m.release, "6.1.0-9-amd64 ", 14), 0);
}
END_TEST

/* With 65280 sections or more, their number is in the first one's header, and so is the names' */
START_TEST(has_many_sections)
{
	Elf64_Shdr *first = (Elf64_Shdr *)(void *)(k.bytes + ko_header(&k)->e_shoff);

	first->sh_size = KO_SECTIONS;
	first->sh_link = 2;
	ko_header(&k)->e_shnum = 0;
	ko_header(&k)->e_shstrndx = SHN_XINDEX;
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), 0);
	ck_assert_str_eq(m.depends, "virtio,virtio_ring");
	first->sh_size = UINT64_MAX;
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), -ENOEXEC);
}
END_TEST

/* Each length has memory of its own, at whose end a reader would be caught */
START_TEST(is_cut_off_anywhere)
{
	for (size_t len = 0; len < k.len; len++) {
		uint8_t *part = malloc(len ? len : 1);

		memcpy(part, k.bytes, len);
		ck_assert_int_eq(modinfo_read(part, len, &m), -ENOEXEC);
		free(part);
	}
}
END_TEST

START_TEST(is_no_module)
{
	k.bytes[EI_CLASS] = ELFCLASS32;
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), -ENOEXEC);
	setup();
	ko_header(&k)->e_type = ET_EXEC;
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), -ENOEXEC);
	setup();
	memcpy(memmem(k.bytes, k.len, ".modinfo", 8), ".notinfo", 8);
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), -ENOEXEC);
	setup();
	ko_header(&k)->e_shoff = UINT64_MAX - 8;
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), -ENOEXEC);
}
END_TEST

/* A text without its NUL is none */
START_TEST(says_nothing)
{
	memset(memmem(k.bytes, k.len, "depends=", 8), 'x', 8);
	memset(memmem(k.bytes, k.len, "vermagic=", 9), 'x', 9);
	ck_assert_int_eq(modinfo_read(k.bytes, k.len, &m), 0);
	ck_assert_str_eq(m.depends, "");
	ck_assert_uint_eq(m.release_len, 0);
}
END_TEST

UNIT_MAIN("modinfo", setup, NULL, t)
{
	tcase_add_test(t, says_what_it_depends_on_and_its_kernel);
	tcase_add_test(t, has_many_sections);
	tcase_add_test(t, is_cut_off_anywhere);
	tcase_add_test(t, is_no_module);
	tcase_add_test(t, says_nothing);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* modules - modules of Linux made in memory, as far as modinfo_read() looks. */
#ifndef MICROVM_TESTS_MODULES_H
#define MICROVM_TESTS_MODULES_H

#include <check.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/arch.h"

struct ko {
	size_t len;
	_Alignas(8) uint8_t bytes[2048];
};

#define KO_SECTIONS 3 /* none, .modinfo, the names */

/* One that depends on @depends and is of the kernel @release */
static inline void ko_make(struct ko *k, const char *depends, const char *release)
{
	static const char names[] = "\0.modinfo\0.shstrtab";
	Elf64_Ehdr e = {.e_type = ET_REL,
			.e_machine = arch_elf,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = KO_SECTIONS,
			.e_shstrndx = 2};
	Elf64_Shdr s[KO_SECTIONS] = {{0},
				     {.sh_name = 1, .sh_type = SHT_PROGBITS},
				     {.sh_name = 10, .sh_type = SHT_STRTAB}};
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "license=GPL%cdepends=%s%cvermagic=%s SMP preempt%c", 0, depends,
			 0, release, 0);

	memset(k, 0, sizeof(*k));
	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	s[1].sh_offset = sizeof(e);
	s[1].sh_size = (uint64_t)n;
	s[2].sh_offset = s[1].sh_offset + s[1].sh_size;
	s[2].sh_size = sizeof(names);
	e.e_shoff = (s[2].sh_offset + s[2].sh_size + 7) & ~UINT64_C(7);
	memcpy(k->bytes, &e, sizeof(e));
	memcpy(k->bytes + s[1].sh_offset, text, (size_t)n);
	memcpy(k->bytes + s[2].sh_offset, names, sizeof(names));
	memcpy(k->bytes + e.e_shoff, s, sizeof(s));
	k->len = e.e_shoff + sizeof(s);
	ck_assert_uint_le(k->len, sizeof(k->bytes));
}

static inline Elf64_Ehdr *ko_header(struct ko *k)
{
	return (Elf64_Ehdr *)(void *)k->bytes;
}

/* The file @name in the archive (newc) of @n bytes at @p.  Return: its bytes, @len of them; NULL: none */
static inline const uint8_t *cpio_file(const uint8_t *p, size_t n, const char *name,
				       size_t *len)
{
	size_t at = 0;

	while (at + 110 < n) {
		unsigned int size, name_size;
		const char *own = (const char *)p + at + 110;

		ck_assert_int_eq(memcmp(p + at, "070701", 6), 0);
		ck_assert_int_eq(sscanf((const char *)p + at + 54, "%8x", &size), 1);
		ck_assert_int_eq(sscanf((const char *)p + at + 94, "%8x", &name_size), 1);
		at = (at + 110 + name_size + 3) & ~(size_t)3;
		ck_assert_uint_le(at + size, n);
		*len = size;
		if (strcmp(own, name) == 0)
			return p + at;
		if (strcmp(own, "TRAILER!!!") == 0)
			return NULL;
		at = (at + size + 3) & ~(size_t)3;
	}
	ck_abort_msg("the archive has no end");
	return NULL;
}

#endif

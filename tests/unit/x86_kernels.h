/* SPDX-License-Identifier: Apache-2.0 */
/* x86_kernels - bzImages and ELF kernels made in memory. */
#ifndef MICROVM_TESTS_X86_KERNELS_H
#define MICROVM_TESTS_X86_KERNELS_H

#include <asm/bootparam.h>
#include <elf.h>

#include "tests/unit/boot_files.h"

/* A bzImage: 4 sectors of setup code and BZ_CODE bytes that tell their own offset */
#define BZ_SETUP 2560
#define BZ_CODE  (96 * 1024)

struct bz {
	uint8_t setup[BZ_SETUP];
	uint8_t code[BZ_CODE];
};

static inline struct setup_header *bz_header(struct bz *b)
{
	return (struct setup_header *)(void *)(b->setup + 0x1f1);
}

static inline struct bz *bz_new(void)
{
	struct bz *b = calloc(1, sizeof(*b));
	struct setup_header *h = bz_header(b);

	ck_assert_ptr_nonnull(b);
	h->setup_sects = BZ_SETUP / 512 - 1;
	h->syssize = BZ_CODE / 16;
	h->boot_flag = 0xaa55;
	h->jump = 0x6aeb; /* 0x202 + 0x6a: to the end of a 2.15 header */
	memcpy(&h->header, "HdrS", 4);
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->initrd_addr_max = 0x7fffffff;
	h->kernel_alignment = 0x200000;
	h->relocatable_kernel = 1;
	h->min_alignment = 21;
	h->xloadflags = XLF_KERNEL_64;
	h->cmdline_size = 2047;
	h->pref_address = 0x1000000;
	h->init_size = 0x800000;
	for (uint32_t i = 0; i < BZ_CODE / 4; i++)
		memcpy(b->code + 4 * i, &i, 4);
	return b;
}

static inline char *bz_file(const struct bz *b)
{
	return file_of(b, sizeof(*b));
}

/* An x86-64 ELF kernel: a page of headers, a segment of EK_TEXT bytes at 16 MiB, one of a
 * few bytes with a bss at 18 MiB, and a PVH note that ek_new() leaves without a type.
 */
#define EK_TEXT 8192
#define EK_DATA 24
#define EK_BSS  4096

struct ek {
	Elf64_Ehdr eh;
	Elf64_Phdr text, data, note;
	struct {
		Elf64_Nhdr nh;
		char name[4];
		uint64_t entry;
	} __attribute__((packed)) pvh;
	uint8_t pad[4096 - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr) - 24];
	uint8_t text_bytes[EK_TEXT];
	uint8_t data_bytes[EK_DATA];
};
_Static_assert(offsetof(struct ek, text_bytes) == 4096, "segments begin on a page");

static inline struct ek *ek_new(void)
{
	struct ek *k = calloc(1, sizeof(*k));

	ck_assert_ptr_nonnull(k);
	memcpy(k->eh.e_ident, ELFMAG, SELFMAG);
	k->eh.e_ident[EI_CLASS] = ELFCLASS64;
	k->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	k->eh.e_ident[EI_VERSION] = EV_CURRENT;
	k->eh.e_type = ET_EXEC;
	k->eh.e_machine = EM_X86_64;
	k->eh.e_version = EV_CURRENT;
	k->eh.e_entry = 0x1000010;
	k->eh.e_phoff = offsetof(struct ek, text);
	k->eh.e_ehsize = sizeof(Elf64_Ehdr);
	k->eh.e_phentsize = sizeof(Elf64_Phdr);
	k->eh.e_phnum = 3;
	k->text = (Elf64_Phdr){.p_type = PT_LOAD,
			       .p_offset = offsetof(struct ek, text_bytes),
			       .p_vaddr = 0xffffffff81000000,
			       .p_paddr = 0x1000000,
			       .p_filesz = EK_TEXT,
			       .p_memsz = EK_TEXT,
			       .p_align = 4096};
	k->data = (Elf64_Phdr){.p_type = PT_LOAD,
			       .p_offset = offsetof(struct ek, data_bytes),
			       .p_vaddr = 0xffffffff81200000,
			       .p_paddr = 0x1200000,
			       .p_filesz = EK_DATA,
			       .p_memsz = EK_DATA + EK_BSS,
			       .p_align = 4096};
	k->note = (Elf64_Phdr){.p_type = PT_NOTE,
			       .p_offset = offsetof(struct ek, pvh),
			       .p_filesz = sizeof(k->pvh),
			       .p_memsz = sizeof(k->pvh),
			       .p_align = 4};
	k->pvh.nh = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 8};
	memcpy(k->pvh.name, "Xen", 4);
	k->pvh.entry = 0x1000020;
	memset(k->text_bytes, 0x90, EK_TEXT);
	memset(k->data_bytes, 0xda, EK_DATA);
	return k;
}

static inline char *ek_file(const struct ek *k)
{
	return file_of(k, sizeof(*k));
}

#endif

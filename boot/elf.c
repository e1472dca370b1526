/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elf - ELF kernels: Linux's vmlinux and freestanding guests.
 *
 * It uses only the program headers, which libelf reads and converts, and a few hundred bytes of
 * notes. The segments themselves are mapped or read straight into the guest.
 */
#include "boot/elf.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

#define ELF_NOTES_MAX   (64 * KIB)    /* no more than that of a note segment is read */
#define ELF_NOTE_PVH    18            /* XEN_ELFNOTE_PHYS32_ENTRY, xen/elfnote.h */
#define ELF_CMDLINE_MAX 2047          /* Linux's COMMAND_LINE_SIZE on x86, less the NUL */
#define ELF_INITRD_END  0x80000000ULL /* what bzImages say: 2 GiB */

struct elf_segments {
	unsigned int n;
	GElf_Phdr ph[ELF_SEGMENTS_MAX];
	bool has_pvh;
	uint64_t pvh_entry;
};

bool elf_is(const struct kernel_file *f)
{
	return f->head_len >= SELFMAG && !memcmp(f->head, ELFMAG, SELFMAG);
}

static int elf_damaged(const struct kernel_file *f, const char *why, struct err *e)
{
	return err_set(e, ENOEXEC,
		       "kernel %s: is a damaged ELF file: %s; fetch or build it again",
		       f->file.path, why);
}

static const char *elf_machine(unsigned int machine)
{
	switch (machine) {
	case EM_AARCH64:
		return "an arm64";
	case EM_ARM:
		return "an arm";
	case EM_RISCV:
		return "a riscv";
	case EM_PPC64:
		return "a ppc64";
	case EM_S390:
		return "an s390";
	case EM_MIPS:
		return "a mips";
	case EM_LOONGARCH:
		return "a loongarch";
	}
	return NULL;
}

static int elf_check_header(const struct kernel_file *f, const GElf_Ehdr *eh,
			    struct err *e)
{
	bool is64 = eh->e_ident[EI_CLASS] == ELFCLASS64;
	const char *machine = elf_machine(eh->e_machine);

	if (machine)
		return err_set(e, ENOEXEC,
			       "kernel %s: is %s ELF file, but this host is x86-64; "
			       "build or fetch the kernel for amd64",
			       f->file.path, machine);
	if (eh->e_machine != (is64 ? EM_X86_64 : EM_386) ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return err_set(e, ENOEXEC,
			       "kernel %s: is an ELF file for another machine (number "
			       "%u), but this host is x86-64; build or fetch the kernel "
			       "for amd64",
			       f->file.path, eh->e_machine);
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return err_set(e, ENOEXEC,
			       "kernel %s: is an ELF %s, not a kernel; --kernel takes a "
			       "linked vmlinux",
			       f->file.path,
			       eh->e_type == ET_CORE ? "core dump" : "object or module");
	if (eh->e_phnum == 0 ||
	    eh->e_phentsize != (is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return elf_damaged(f, "it has no proper program headers", e);
	return 0;
}

/* Look through one note segment for the PVH entry.  A note's name and descriptor are
 * padded to 4 bytes, or to 8 where the segment is aligned so.
 */
static void elf_find_pvh(const uint8_t *p, size_t len, size_t align,
			 struct elf_segments *s)
{
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr nh;
		size_t desc;

		memcpy(&nh, p + at, sizeof(nh));
		at += sizeof(nh);
		if (nh.n_namesz > len - at)
			return;
		desc = ALIGN_UP(at + nh.n_namesz, align);
		if (desc > len || nh.n_descsz > len - desc)
			return;
		if (nh.n_type == ELF_NOTE_PVH && nh.n_namesz == 4 &&
		    !memcmp(p + at, "Xen", 4) && (nh.n_descsz == 4 || nh.n_descsz == 8)) {
			s->pvh_entry = 0;
			memcpy(&s->pvh_entry, p + desc, nh.n_descsz);
			s->has_pvh = true;
			return;
		}
		at = ALIGN_UP(desc + nh.n_descsz, align);
		if (at > len)
			return;
	}
}

static int elf_read_notes(const struct kernel_file *f, const GElf_Phdr *ph,
			  struct elf_segments *s, struct err *e)
{
	size_t len = (size_t)MIN(MIN(ph->p_filesz, f->file.size), ELF_NOTES_MAX);
	cleanup_free uint8_t *notes = NULL;
	long n;

	if (len == 0 || s->has_pvh)
		return 0;
	if (ph->p_offset > f->file.size)
		return elf_damaged(f, "its notes lie past its end", e);
	notes = malloc(len);
	if (!notes)
		return err_set(e, ENOMEM, "kernel %s: out of memory", f->file.path);
	n = boot_file_read(&f->file, notes, len, ph->p_offset);
	if (n < 0)
		return err_set(e, (int)-n, "kernel %s: cannot be read: %s", f->file.path,
			       strerror((int)-n));
	elf_find_pvh(notes, (size_t)n, ph->p_align == 8 ? 8 : 4, s);
	return 0;
}

static int elf_check_segment(const struct kernel_file *f, const GElf_Phdr *ph,
			     const struct elf_segments *s, struct err *e)
{
	if (ph->p_filesz > ph->p_memsz)
		return elf_damaged(f, "a segment is longer in the file than in memory",
				   e);
	if (ph->p_offset > f->file.size || ph->p_filesz > f->file.size - ph->p_offset)
		return elf_damaged(f, "a segment lies past its end (truncated?)", e);
	if (ph->p_paddr > UINT64_MAX - ph->p_memsz)
		return elf_damaged(f, "a segment wraps round the address space", e);
	if (ph->p_paddr < LAYOUT_KERNEL)
		return err_set(e, ENOEXEC,
			       "kernel %s: has a segment at 0x%llx, below 1 MiB, where "
			       "the guest's tables are; link it at 0x%llx or above",
			       f->file.path, (unsigned long long)ph->p_paddr,
			       LAYOUT_KERNEL);
	for (unsigned int i = 0; i < s->n; i++) {
		const GElf_Phdr *o = &s->ph[i];

		if (ph->p_paddr < o->p_paddr + o->p_memsz &&
		    o->p_paddr < ph->p_paddr + ph->p_memsz)
			return elf_damaged(f, "two segments overlap in memory", e);
	}
	return 0;
}

static int elf_add_header(const struct kernel_file *f, const GElf_Phdr *ph,
			  struct elf_segments *s, struct err *e)
{
	int rc;

	if (ph->p_type == PT_INTERP)
		return err_set(
			e, ENOEXEC,
			"kernel %s: is a dynamically linked program, not a kernel; "
			"--kernel takes a bzImage or an ELF vmlinux",
			f->file.path);
	if (ph->p_type == PT_NOTE)
		return elf_read_notes(f, ph, s, e);
	if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
		return 0;
	rc = elf_check_segment(f, ph, s, e);
	if (rc < 0)
		return rc;
	if (s->n == ELF_SEGMENTS_MAX)
		return err_set(e, ENOEXEC,
			       "kernel %s: has more than %u loadable segments; link it "
			       "with fewer",
			       f->file.path, ELF_SEGMENTS_MAX);
	s->ph[s->n++] = *ph;
	return 0;
}

/* Everything needed from the headers; checks all but whether it fits */
static int elf_read_headers(const struct kernel_file *f, GElf_Ehdr *eh,
			    struct elf_segments *s, struct err *e)
{
	Elf *elf;
	int rc;

	(void)elf_version(EV_CURRENT);
	elf = elf_begin(f->file.fd, ELF_C_READ, NULL);
	if (!elf || !gelf_getehdr(elf, eh)) {
		rc = elf_damaged(f, elf_errmsg(-1), e);
		goto out;
	}
	rc = elf_check_header(f, eh, e);
	for (int i = 0; rc == 0 && i < eh->e_phnum; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, i, &ph))
			rc = elf_damaged(f, "its program headers lie past its end", e);
		else
			rc = elf_add_header(f, &ph, s, e);
	}
out:
	elf_end(elf);
	return rc;
}

/* How to start it: through the PVH note, else at the 64-bit entry */
static int elf_choose_entry(const struct kernel_file *f, const GElf_Ehdr *eh,
			    const struct elf_segments *s, struct kernel *k, struct err *e)
{
	if (s->has_pvh) {
		k->mode = BOOT_PROT32;
		k->protocol = "PVH";
		k->pvh = true;
		k->entry = s->pvh_entry;
	} else if (eh->e_ident[EI_CLASS] == ELFCLASS64) {
		k->mode = BOOT_LONG64;
		k->protocol = "ELF64";
		k->entry = eh->e_entry;
	} else {
		return err_set(e, ENOEXEC,
			       "kernel %s: is a 32-bit ELF file without a PVH note, so "
			       "nothing says how to start it; build it with CONFIG_PVH=y "
			       "or give its bzImage",
			       f->file.path);
	}
	for (unsigned int i = 0; i < s->n; i++) {
		if (k->entry >= s->ph[i].p_paddr &&
		    k->entry - s->ph[i].p_paddr < s->ph[i].p_memsz)
			return 0;
	}
	return err_set(e, ENOEXEC,
		       "kernel %s: its entry 0x%llx lies outside all its segments' "
		       "physical addresses; link it so that %s is a physical address",
		       f->file.path, (unsigned long long)k->entry,
		       k->pvh ? "its PVH note" : "its entry");
}

/* In a small guest text is mapped: guests share what they do not patch. Data would be copied anyway,
 * page by page, when the guest writes to it.
 */
static int elf_load_segment(const struct kernel_file *f, const GElf_Phdr *ph,
			    struct gmem *m, struct err *e)
{
	if (ph->p_filesz == 0)
		return 0;
	if ((ph->p_flags & PF_W) || gmem_size(m) >= GMEM_SMALL_GUEST)
		return kernel_load_part(f, m, ph->p_paddr, ph->p_offset, ph->p_filesz, e);
	return kernel_map_part(f, m, ph->p_paddr, ph->p_offset, ph->p_filesz, e);
}

int elf_load(const struct kernel_file *f, struct gmem *m, struct kernel *k, struct err *e)
{
	struct elf_segments s = {0};
	GElf_Ehdr eh;
	int rc;

	*k = (struct kernel){.start = UINT64_MAX,
			     .initrd_end = ELF_INITRD_END,
			     .cmdline_max = ELF_CMDLINE_MAX};
	if (f->file.at)
		return err_set(e, ENOEXEC,
			       "kernel %s: has an ELF file in its section .linux, which "
			       "EFI does not start either; make it of a bzImage",
			       f->file.path);
	rc = elf_read_headers(f, &eh, &s, e);
	if (rc < 0)
		return rc;
	if (s.n == 0)
		return elf_damaged(f, "it has nothing to load", e);
	for (unsigned int i = 0; i < s.n; i++) {
		k->start = MIN(k->start, s.ph[i].p_paddr);
		k->end = MAX(k->end, s.ph[i].p_paddr + s.ph[i].p_memsz);
	}
	if (k->end > kernel_ram_end(m))
		return kernel_too_big(f, m, k->end, e);
	rc = elf_choose_entry(f, &eh, &s, k, e);
	for (unsigned int i = 0; rc == 0 && i < s.n; i++)
		rc = elf_load_segment(f, &s.ph[i], m, e);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* kernel - a kernel file, recognised by its content. */
#include "boot/kernel.h"

#include <errno.h>
#include <string.h>

#include "boot/kernel_arch.h"
#include "vmm/core/util.h"

int kernel_open(struct kernel_file *f, const char *path, struct err *e)
{
	int rc = boot_file_open(&f->file, "kernel", path, e);
	long n;

	if (rc < 0)
		return rc;
	memset(f->head, 0, sizeof(f->head));
	n = pread_full(f->file.fd, f->head, sizeof(f->head), 0);
	if (n < 0) {
		kernel_close(f);
		return err_set(e, (int)-n, "kernel %s: cannot be read: %s", path,
			       strerror((int)-n));
	}
	f->head_len = (size_t)n;
	return 0;
}

void kernel_close(struct kernel_file *f)
{
	boot_file_close(&f->file);
}

static const struct kernel_stranger kernel_strangers[] = {
	{0, 6,
	 "\xfd"
	 "7zXZ",
	 "is xz-compressed; unxz it first"},
	{0, 4, "\x02\x21\x4c\x18", "is lz4-compressed; unlz4 it first"},
	{0, 4, "\x04\x22\x4d\x18", "is lz4-compressed; unlz4 it first"},
	{0, 3, "BZh", "is bzip2-compressed; bunzip2 it first"},
	{0, 5, "07070", "is a cpio archive; give it by --initrd"},
	{0, 2, "#!", "is a script, not a kernel"},
	{0, 7, "!<arch>", "is an archive; extract the kernel from it first"},
	{0x1fe, 2, "\x55\xaa",
	 "is a disk or boot sector; give it by --disk, and a "
	 "kernel by --kernel"},
};

const char *kernel_match(const struct kernel_file *f, const struct kernel_stranger *row,
			 unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!memcmp(f->head + row[i].off, row[i].magic, row[i].len))
			return row[i].is;
	return NULL;
}

/* The PE header (Microsoft's "PE Format"), as far as the section table */
struct kernel_pe {
	uint8_t signature[4];
	uint16_t machine, nsection;
	uint8_t unused[12];
	uint16_t optional_len; /* of what lies between this header and the table */
	uint16_t flags;
};
_Static_assert(sizeof(struct kernel_pe) == 24, "as in the file");

struct kernel_pe_section {
	char name[8];
	uint8_t unused[32];
};

#define KERNEL_PE_AT       0x3c
#define KERNEL_PE_SECTIONS 96 /* the most that the format's loader takes */

/* A unified kernel image is a program for EFI with a kernel in its section .linux (UAPI
 * Group, "Unified Kernel Image")
 */
static bool kernel_is_uki(const struct kernel_file *f)
{
	struct kernel_pe_section section;
	struct kernel_pe pe;
	uint32_t at;
	uint64_t table;

	memcpy(&at, f->head + KERNEL_PE_AT, sizeof(at));
	if (memcmp(f->head, "MZ", 2) != 0 ||
	    pread_full(f->file.fd, &pe, sizeof(pe), at) != sizeof(pe) ||
	    memcmp(pe.signature, "PE\0", sizeof(pe.signature)) != 0)
		return false;
	table = (uint64_t)at + sizeof(pe) + pe.optional_len;
	for (unsigned int i = 0; i < MIN(pe.nsection, KERNEL_PE_SECTIONS); i++) {
		if (pread_full(f->file.fd, &section, sizeof(section),
			       table + i * sizeof(section)) != sizeof(section))
			return false;
		if (memcmp(section.name, ".linux\0", sizeof(section.name)) == 0)
			return true;
	}
	return false;
}

static bool kernel_is_text(const struct kernel_file *f)
{
	for (size_t i = 0; i < f->head_len; i++) {
		uint8_t c = f->head[i];

		if (c < '\t' || c == 0x7f || (c > '\r' && c < ' ' && c != 0x1b))
			return false;
	}
	return true;
}

int kernel_refuse(const struct kernel_file *f, struct err *e)
{
	const char *is = kernel_arch_stranger(f);

	if (kernel_is_uki(f))
		is = "is a unified kernel image (UKI), which takes EFI; take the kernel "
		     "out of it by objcopy -O binary -j .linux UKI KERNEL, and likewise "
		     ".initrd for --initrd and .cmdline for --append";
	if (!is)
		is = kernel_match(f, kernel_strangers, ARRAY_SIZE(kernel_strangers));
	if (is)
		return err_set(e, ENOEXEC, "kernel %s: %s", f->file.path, is);
	return err_set(e, ENOEXEC, "kernel %s: is %s; --kernel takes %s", f->file.path,
		       kernel_is_text(f) ? "a text file" : "no kernel that we know",
		       kernel_arch_takes);
}

static int kernel_explain_load(const struct kernel_file *f, gpa_t gpa, int rc,
			       struct err *e)
{
	if (rc == -EIO)
		return err_set(e, EIO,
			       "kernel %s: cannot be read to its end (truncated, or the "
			       "disk fails); fetch or build it again",
			       f->file.path);
	if (rc < 0)
		return err_set(e, -rc, "kernel %s: cannot be loaded at 0x%llx: %s",
			       f->file.path, (unsigned long long)gpa, strerror(-rc));
	return 0;
}

int kernel_load_part(const struct kernel_file *f, struct gmem *m, gpa_t gpa, uint64_t off,
		     uint64_t len, struct err *e)
{
	int rc = gmem_load_file(m, gpa, f->file.fd, off, len);

	return kernel_explain_load(f, gpa, rc, e);
}

int kernel_map_part(const struct kernel_file *f, struct gmem *m, gpa_t gpa, uint64_t off,
		    uint64_t len, struct err *e)
{
	int rc = gmem_map_file(m, gpa, f->file.fd, off, len);

	return kernel_explain_load(f, gpa, rc, e);
}

gpa_t kernel_ram_start(const struct gmem *m)
{
	return m->n ? m->region[0].gpa : 0;
}

gpa_t kernel_ram_end(const struct gmem *m)
{
	return m->n ? m->region[0].gpa + m->region[0].len : 0;
}

int kernel_too_big(const struct kernel_file *f, const struct gmem *m, uint64_t end,
		   struct err *e)
{
	gpa_t start = kernel_ram_start(m);
	unsigned long long need = ALIGN_UP(end - start, MIB) / MIB;
	unsigned long long have = (kernel_ram_end(m) - start) / MIB;

	if (end > kernel_arch_memory_end)
		return err_set(e, ENOMEM,
			       "kernel %s: wants %llu MiB of memory to start, but a "
			       "guest has at most %llu MiB for that; it is damaged or "
			       "not for this machine",
			       f->file.path, need,
			       (unsigned long long)(kernel_arch_memory_end - start) /
				       MIB);
	return err_set(e, ENOMEM,
		       "kernel %s: needs %llu MiB of memory to start, but the guest has "
		       "%llu MiB; give it more by --memory",
		       f->file.path, need, have);
}

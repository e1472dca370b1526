/* SPDX-License-Identifier: Apache-2.0 */
/* kernel - a kernel file, recognised by its content. */
#include "boot/kernel.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/layout_x86.h"

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

/* What people give instead of a kernel, by magic number.  The first match counts. */
static const struct {
	unsigned int off, len;
	const char *magic, *is;
} kernel_strangers[] = {
	{0x38, 4, "ARM\x64",
	 "is an arm64 kernel, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{0x38, 4, "RSC\x05",
	 "is a riscv64 kernel, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{0, 2, "\x1f\x8b", "is gzip-compressed; gunzip it first"},
	{0, 6,
	 "\xfd"
	 "7zXZ",
	 "is xz-compressed; unxz it first"},
	{0, 4, "\x28\xb5\x2f\xfd", "is zstd-compressed; unzstd it first"},
	{0, 4, "\x02\x21\x4c\x18", "is lz4-compressed; unlz4 it first"},
	{0, 4, "\x04\x22\x4d\x18", "is lz4-compressed; unlz4 it first"},
	{0, 3, "BZh", "is bzip2-compressed; bunzip2 it first"},
	{0, 5, "07070", "is a cpio archive; give it by --initrd"},
	{0, 2, "#!", "is a script, not a kernel"},
	{0, 2, "MZ", "is an EFI or Windows program, not a bzImage"},
	{0, 7, "!<arch>", "is an archive; extract the kernel from it first"},
	{0x1fe, 2, "\x55\xaa",
	 "is a disk or boot sector; give it by --disk, and a "
	 "kernel by --kernel"},
};

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
	const char *is =
		"is neither a bzImage nor an ELF file; --kernel takes one of them";

	for (size_t i = 0; i < ARRAY_SIZE(kernel_strangers); i++) {
		if (!memcmp(f->head + kernel_strangers[i].off, kernel_strangers[i].magic,
			    kernel_strangers[i].len))
			return err_set(e, ENOEXEC, "kernel %s: %s", f->file.path,
				       kernel_strangers[i].is);
	}
	if (kernel_is_text(f))
		is = "is a text file; --kernel takes a bzImage or an ELF vmlinux";
	return err_set(e, ENOEXEC, "kernel %s: %s", f->file.path, is);
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

gpa_t kernel_ram_end(const struct gmem *m)
{
	return m->n && m->region[0].gpa == 0 ? m->region[0].len : 0;
}

int kernel_too_big(const struct kernel_file *f, const struct gmem *m, uint64_t end,
		   struct err *e)
{
	unsigned long long need = ALIGN_UP(end, MIB) / MIB;
	unsigned long long have = kernel_ram_end(m) / MIB;

	if (end > LAYOUT_RAM_HOLE)
		return err_set(e, ENOMEM,
			       "kernel %s: wants memory up to %llu MiB, but a guest's "
			       "memory ends at %llu MiB (the rest follows at 4 GiB); it "
			       "is damaged or not for this machine",
			       f->file.path, need,
			       (unsigned long long)(LAYOUT_RAM_HOLE / MIB));
	return err_set(e, ENOMEM,
		       "kernel %s: needs %llu MiB of memory to start, but the guest has "
		       "%llu MiB; give it more by --memory",
		       f->file.path, need, have);
}

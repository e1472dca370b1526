/* SPDX-License-Identifier: Apache-2.0 */
/* kernel - a kernel file, recognised by its content. */
#include "boot/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/kernel_arch.h"
#include "boot/uki.h"
#include "vmm/core/util.h"

int kernel_read_head(struct kernel_file *f, struct err *e)
{
	long n;

	memset(f->head, 0, sizeof(f->head));
	n = boot_file_read(&f->file, f->head, sizeof(f->head), 0);
	if (n < 0)
		return err_set(e, (int)-n, "kernel %s: cannot be read: %s", f->file.path,
			       strerror((int)-n));
	f->head_len = (size_t)n;
	return 0;
}

int kernel_open(struct kernel_file *f, const char *path, struct err *e)
{
	int rc;

	*f = (struct kernel_file){.unpacked = false};
	rc = boot_file_open(&f->file, "kernel", path, e);
	if (rc == 0)
		rc = kernel_read_head(f, e);
	if (rc < 0)
		kernel_close(f);
	return rc;
}

void kernel_close(struct kernel_file *f)
{
	boot_file_close(&f->file);
	free(f->words);
	f->words = NULL;
}

int kernel_unwrap(struct kernel_file *f, unsigned int profile, struct err *e)
{
	int rc = 0;

	if (uki_is(f)) {
		rc = uki_enter(f, profile, e);
		if (rc == 0)
			rc = uki_read_words(f, e);
	}
	/* EFI unpacks no section, either, and the initrd is in the descriptor that this would close */
	return rc < 0 || f->uki ? rc : kernel_arch_unpack(f, e);
}

static const struct kernel_stranger kernel_strangers[] = {
	{0, 4, "\x02\x21\x4c\x18", "is lz4-compressed; unlz4 it first"},
	{0, 4, "\x04\x22\x4d\x18", "is lz4-compressed; unlz4 it first"},
	{0, 3, "BZh", "is bzip2-compressed; bunzip2 it first"},
	{0, 5, "07070", "is a cpio archive; give it by --initrd"},
	{0, 2, "#!", "is a script, not a kernel"},
	{0, 7, "!<arch>",
	 "is an archive; microvm run and test take a kernel out of a package, else unpack "
	 "it first: dpkg-deb -x"},
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
	int rc = gmem_load_file(m, gpa, f->file.fd, f->file.at + off, len);

	return kernel_explain_load(f, gpa, rc, e);
}

int kernel_map_part(const struct kernel_file *f, struct gmem *m, gpa_t gpa, uint64_t off,
		    uint64_t len, struct err *e)
{
	/* What is unpacked is no file that guests could share; mapped, it would all stay */
	int rc = f->unpacked ? gmem_load_file(m, gpa, f->file.fd, off, len)
			     : gmem_map_file(m, gpa, f->file.fd, f->file.at + off, len);

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

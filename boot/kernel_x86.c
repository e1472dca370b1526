/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_x86 - the files that x86-64 cannot boot but another architecture might. */
#include "boot/kernel_arch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

const char kernel_arch_takes[] = "a bzImage, an ELF vmlinux or a unified kernel image";
const gpa_t kernel_arch_memory_end = LAYOUT_RAM_HOLE;

static const struct kernel_stranger kernel_foreign[] = {
	{0x38, 4, "ARM\x64",
	 "is an arm64 kernel, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{0x38, 4, "RSC\x05",
	 "is a riscv64 kernel, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{4, 4, "zimg",
	 "is an EFI zboot kernel of another architecture, but this host is x86-64; "
	 "build or fetch the kernel for amd64"},
	{0, 2, "MZ", "is an EFI or Windows program, not a bzImage"},
};

const char *kernel_arch_stranger(const struct kernel_file *f)
{
	return kernel_match(f, kernel_foreign, ARRAY_SIZE(kernel_foreign));
}

/* A vmlinux with all its debug information is some 500 MiB */
#define KERNEL_UNPACKED_MAX (1 * GIB)

static int kernel_explain_unpack(const struct kernel_file *f, int rc, struct err *e)
{
	if (rc == -EFBIG)
		return err_set(
			e, EFBIG,
			"kernel %s: is decompressed to more than %llu MiB; strip it "
			"(strip -g) before it is compressed, or give it as it is",
			f->file.path, (unsigned long long)(KERNEL_UNPACKED_MAX / MIB));
	if (rc == -EBADMSG)
		return err_set(e, ENOEXEC,
			       "kernel %s: is damaged: it cannot be decompressed to its "
			       "end; fetch or build it again",
			       f->file.path);
	return err_set(e, -rc, "kernel %s: cannot be decompressed: %s", f->file.path,
		       strerror(-rc));
}

/* Return: bytes of @f that are in the memory file @fd now; -errno */
static int64_t kernel_unpack_to(const struct kernel_file *f, unpacker *how, int fd)
{
	int64_t n = -ENOMEM;
	uint8_t *room;

	if (ftruncate(fd, KERNEL_UNPACKED_MAX) < 0) /* pages come when they are written */
		return -errno;
	room = mmap(NULL, KERNEL_UNPACKED_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (room != MAP_FAILED) {
		n = unpack(how, &f->file, 0, f->file.size, room, KERNEL_UNPACKED_MAX);
		munmap(room, KERNEL_UNPACKED_MAX);
	}
	if (n >= 0 && ftruncate(fd, n) < 0)
		n = -errno;
	return n;
}

int kernel_arch_unpack(struct kernel_file *f, struct err *e)
{
	const struct packing *packing = packing_of(f->head);
	int64_t n;
	int fd;

	if (!packing)
		return 0;
	fd = memfd_create("kernel", MFD_CLOEXEC);
	n = fd < 0 ? -errno : kernel_unpack_to(f, packing->how, fd);
	if (n < 0) {
		cleanup_close_fd(&fd);
		return kernel_explain_unpack(f, (int)n, e);
	}
	close(f->file.fd);
	f->file.fd = fd;
	f->file.at = 0;
	f->file.size = (uint64_t)n;
	f->unpacked = true;
	return kernel_read_head(f, e);
}

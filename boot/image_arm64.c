/* SPDX-License-Identifier: Apache-2.0 */
/* image_arm64 - arm64 Linux's Image, bare, in gzip or in the EFI zboot wrapper. */
#include "boot/image_arm64.h"

#include <errno.h>
#include <string.h>

#include "boot/boot.h"
#include "boot/kernel_arch.h"
#include "boot/unpack.h"
#include "vmm/core/util.h"

#define IMAGE_ALIGN       (2 * MIB)
#define IMAGE_CMDLINE_MAX 2047 /* Linux's COMMAND_LINE_SIZE on arm64, less the NUL */

/* The 64 bytes that every Image begins with; little-endian, like us (booting.rst) */
struct image_header {
	uint32_t code[2];
	uint64_t text_offset;
	uint64_t image_size; /* including zeroed memory past the file's end */
	uint64_t flags;      /* bit 0: big-endian; 1-2: page size; 3: anywhere in RAM */
	uint64_t reserved[3];
	uint8_t magic[4];
	uint32_t pe; /* offset of the PE header, if it is also an EFI program */
};
_Static_assert(sizeof(struct image_header) == 64, "as booting.rst has it");

#define IMAGE_BIG_ENDIAN 1u

/* The layout at 0 in the zboot wrapper */
struct image_zboot {
	uint8_t mz[4], zimg[4];
	uint32_t payload_off, payload_len;
	uint32_t reserved[2];
	char compression[32];
};
_Static_assert(sizeof(struct image_zboot) == 0x38, "as zboot-header.S has it");

/* Where the compressed kernel lies in a file, and its name in sentences */
struct image_wrapping {
	struct kernel_payload p;
	const char *protocol;
};

static bool image_is_bare(const struct kernel_file *f)
{
	return !memcmp(f->head + offsetof(struct image_header, magic), "ARM\x64", 4);
}

static bool image_is_zboot(const struct kernel_file *f)
{
	return !memcmp(f->head, "MZ", 2) && !memcmp(f->head + 4, "zimg", 4);
}

bool image_is(const struct kernel_file *f)
{
	return image_is_bare(f) || packing_of(f->head) || image_is_zboot(f);
}

static int image_damaged(const struct kernel_file *f, const char *why, struct err *e)
{
	return err_set(
		e, ENOEXEC,
		"kernel %s: is a damaged arm64 kernel: %s; fetch or build it again",
		f->file.path, why);
}

/* Check @h and compute in @k where the kernel will be; @file_len bytes of it come from the file.
 * It is placed as low as possible: kernels before 4.6 cannot use the memory below them.
 */
static int image_place(const struct kernel_file *f, const struct image_header *h,
		       uint64_t file_len, const struct gmem *m, struct kernel *k,
		       struct err *e)
{
	static const uint32_t page_size[] = {0, 4096, 16384, 65536};
	gpa_t base = ALIGN_UP(kernel_ram_start(m), IMAGE_ALIGN);

	if (h->flags & IMAGE_BIG_ENDIAN)
		return err_set(e, ENOEXEC,
			       "kernel %s: is a big-endian arm64 kernel, which a guest "
			       "here cannot run; use a little-endian one",
			       f->file.path);
	if (h->image_size == 0)
		return err_set(e, ENOEXEC,
			       "kernel %s: is older than Linux 3.17, whose header first "
			       "says how much memory it takes; use a newer kernel",
			       f->file.path);
	if (h->text_offset % PAGE_SIZE)
		return image_damaged(f, "its text offset is not a multiple of 4 KiB", e);
	if (h->text_offset >= kernel_arch_memory_end ||
	    h->image_size >= kernel_arch_memory_end)
		return image_damaged(f, "its header asks for more memory than there is",
				     e);
	k->start = base + h->text_offset;
	k->end = k->start + MAX(h->image_size, file_len);
	if (k->end > kernel_ram_end(m))
		return kernel_too_big(f, m, k->end, e);
	k->entry = k->start;
	k->initrd_end = kernel_arch_memory_end;
	k->cmdline_max = IMAGE_CMDLINE_MAX;
	k->page_size = page_size[h->flags >> 1 & 3];
	return 0;
}

/* Little-endian fields of the PE header, which @f's head may or may not contain */
static uint32_t image_pe_field(const struct kernel_file *f, uint64_t at, size_t len)
{
	uint32_t v = 0;

	if (at <= sizeof(f->head) - len)
		memcpy(&v, f->head + at, len);
	return v;
}

/* The Image header does not say how long the file is, but the section table of the PE
 * header does, where there is one (PE format: 24 bytes up to the optional header, 40 a
 * section; a section's length in the file at 16, its offset at 20).
 */
static int image_check_length(const struct kernel_file *f, const struct image_header *h,
			      struct err *e)
{
	uint64_t at = h->pe;
	uint32_t n = image_pe_field(f, at + 6, 2);

	if (image_pe_field(f, at, 4) != 0x4550) /* "PE\0\0" */
		return 0;
	at += 24 + image_pe_field(f, at + 20, 2);
	for (uint32_t i = 0; i < n && at < sizeof(f->head); i++, at += 40) {
		uint64_t end = (uint64_t)image_pe_field(f, at + 16, 4) +
			       image_pe_field(f, at + 20, 4);

		if (end > f->file.size)
			return err_set(
				e, ENOEXEC,
				"kernel %s: is truncated: its header says %llu "
				"bytes, the file has %llu; fetch or build it again",
				f->file.path, (unsigned long long)end,
				(unsigned long long)f->file.size);
	}
	return 0;
}

static int image_load_bare(const struct kernel_file *f, struct gmem *m, struct kernel *k,
			   struct err *e)
{
	struct image_header h;
	int rc;

	memcpy(&h, f->head, sizeof(h));
	k->protocol = "Image";
	rc = image_check_length(f, &h, e);
	if (rc == 0)
		rc = image_place(f, &h, f->file.size, m, k, e);
	return rc < 0 ? rc : kernel_load_part(f, m, k->start, 0, f->file.size, e);
}

/* Linux' Makefile.zboot names them: its rules for building are called so */
static const struct {
	const char *name;
	unpacker *how;
	const char *protocol;
} image_zboot_ways[] = {
	{"gzip", unpack_gzip, "EFI zboot (gzip)"},
	{"zstd", unpack_zstd, "EFI zboot (zstd)"},
	{"zstd22", unpack_zstd, "EFI zboot (zstd)"},
	{"xzkern", unpack_xz, "EFI zboot (xz)"},
	{"lzma", unpack_xz, "EFI zboot (lzma)"},
};

static int image_find_zboot(const struct kernel_file *f, struct image_wrapping *w,
			    struct err *e)
{
	struct image_zboot z;
	uint64_t end;

	memcpy(&z, f->head, sizeof(z));
	*w = (struct image_wrapping){.protocol = NULL};
	for (unsigned int i = 0; i < ARRAY_SIZE(image_zboot_ways); i++)
		if (!strncmp(z.compression, image_zboot_ways[i].name,
			     sizeof(z.compression))) {
			w->p.how = image_zboot_ways[i].how;
			w->protocol = image_zboot_ways[i].protocol;
		}
	if (!w->protocol)
		return err_set(e, ENOEXEC,
			       "kernel %s: is an EFI zboot kernel compressed by "
			       "\"%.32s\", and we know gzip, zstd, xz and lzma; give the "
			       "Image that it was made of",
			       f->file.path, z.compression);
	w->p.off = z.payload_off;
	w->p.len = z.payload_len;
	if (w->p.off < sizeof(z) || w->p.len == 0)
		return image_damaged(f, "its header says that nothing is in it", e);
	end = (uint64_t)w->p.off + w->p.len;
	if (end > f->file.size)
		return err_set(e, ENOEXEC,
			       "kernel %s: is truncated: its header says %llu bytes, the "
			       "file has %llu; fetch or build it again",
			       f->file.path, (unsigned long long)end,
			       (unsigned long long)f->file.size);
	return 0;
}

static int image_find_payload(const struct kernel_file *f, struct image_wrapping *w,
			      struct err *e)
{
	const struct packing *packing = packing_of(f->head);

	if (!packing)
		return image_find_zboot(f, w, e);
	w->p = (struct kernel_payload){packing->how, 0, f->file.size};
	w->protocol = packing->image;
	return 0;
}

bool kernel_arch_payload(const struct kernel_file *f, struct kernel_payload *p)
{
	struct image_wrapping w;
	struct err ignored;

	if (image_is_bare(f) || !image_is(f) || image_find_payload(f, &w, &ignored) < 0)
		return false;
	*p = w.p;
	return true;
}

static int image_explain_unpack(const struct kernel_file *f, const struct gmem *m,
				int64_t rc, struct err *e)
{
	if (rc == -EFBIG)
		return err_set(
			e, ENOMEM,
			"kernel %s: is decompressed to more than the guest's %llu MiB of "
			"memory; give it more by --memory",
			f->file.path,
			(unsigned long long)(kernel_ram_end(m) - kernel_ram_start(m)) /
				MIB);
	if (rc == -EBADMSG)
		return image_damaged(f, "it cannot be decompressed to its end", e);
	return err_set(e, (int)-rc, "kernel %s: cannot be decompressed: %s", f->file.path,
		       strerror((int)-rc));
}

/* To the lowest possible place, and, once its header can be read, up by the text offset, which no
 * kernel since 5.10 asks for.
 */
static int image_load_packed(const struct kernel_file *f, struct gmem *m,
			     struct kernel *k, struct err *e)
{
	gpa_t base = ALIGN_UP(kernel_ram_start(m), IMAGE_ALIGN);
	uint64_t room = base < kernel_ram_end(m) ? kernel_ram_end(m) - base : 0;
	uint8_t *ram = gmem_slice(m, base, room);
	struct kernel_file inner = {.file = f->file};
	struct image_wrapping w;
	struct image_header h;
	int64_t n;
	int rc = image_find_payload(f, &w, e);

	if (rc < 0)
		return rc;
	n = ram ? unpack(w.p.how, &f->file, w.p.off, w.p.len, ram, room) : -EFBIG;
	if (n < 0)
		return image_explain_unpack(f, m, n, e);
	inner.head_len = MIN((size_t)n, sizeof(inner.head));
	memcpy(inner.head, ram, inner.head_len);
	if (!image_is_bare(&inner))
		return kernel_refuse(&inner, e);
	memcpy(&h, inner.head, sizeof(h));
	k->protocol = w.protocol;
	rc = image_place(f, &h, (uint64_t)n, m, k, e);
	if (rc == 0 && k->start != base)
		memmove(gmem_slice(m, k->start, (size_t)n), ram, (size_t)n);
	return rc;
}

int image_load(const struct kernel_file *f, struct gmem *m, struct kernel *k,
	       struct err *e)
{
	*k = (struct kernel){0};
	return image_is_bare(f) ? image_load_bare(f, m, k, e)
				: image_load_packed(f, m, k, e);
}

int boot_check_granule(uint32_t page_size, uint64_t mmfr0, struct err *e)
{
	bool has = true;

	if (page_size == 4096)
		has = (mmfr0 >> 28 & 0xf) != 0xf;
	else if (page_size == 16384)
		has = (mmfr0 >> 20 & 0xf) != 0;
	else if (page_size == 65536)
		has = (mmfr0 >> 24 & 0xf) != 0xf;
	if (has)
		return 0;
	return err_set(
		e, ENOEXEC,
		"kernel: is built for pages of %u KiB, which this host's processor "
		"does not have; use a kernel with another page size, most likely 4 "
		"KiB",
		page_size / 1024);
}

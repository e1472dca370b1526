/* SPDX-License-Identifier: Apache-2.0 */
/* bzimage - Linux's x86 boot image (Documentation/arch/x86/boot.rst). */
#include "boot/bzimage.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "boot/kernel_arch.h"
#include "vmm/core/util.h"
#include "vmm/core/layout_x86.h"

#define BZIMAGE_SECTOR   512
#define BZIMAGE_SETUP    offsetof(struct boot_params, hdr) /* 0x1f1 in the file too */
#define BZIMAGE_ENTRY_64 0x200
#define BZIMAGE_LENGTH   4 /* of the unpacked length, at the end of what is packed */

bool bzimage_is(const struct kernel_file *f)
{
	return !memcmp(f->head + 0x1fe, "\x55\xaa", 2) &&
	       !memcmp(f->head + 0x202, "HdrS", 4);
}

static int bzimage_damaged(const struct kernel_file *f, const char *why, struct err *e)
{
	return err_set(e, ENOEXEC,
		       "kernel %s: is a damaged bzImage: %s; fetch or build it again",
		       f->file.path, why);
}

/* The setup header, with the length that it states (its jump instruction leads past its end);
 * fields that this kernel does not have are zero.
 */
static int bzimage_header(const struct kernel_file *f, struct kernel *k,
			  struct setup_header *h, struct err *e)
{
	size_t len = 0x202 + (size_t)f->head[0x201] - BZIMAGE_SETUP;

	len = MIN(len, sizeof(k->setup));
	k->setup_len = (uint8_t)len;
	memcpy(k->setup, f->head + BZIMAGE_SETUP, len);
	memset(h, 0, sizeof(*h));
	memcpy(h, k->setup, MIN(len, sizeof(*h)));
	if (h->version < 0x0202)
		return err_set(e, ENOEXEC,
			       "kernel %s: speaks boot protocol %u.%02u, older than 2.02 "
			       "(Linux 2.4); use a newer kernel",
			       f->file.path, h->version >> 8, h->version & 0xffU);
	if (!(h->loadflags & LOADED_HIGH))
		return err_set(e, ENOEXEC,
			       "kernel %s: is a zImage, loaded low; build a bzImage",
			       f->file.path);
	return 0;
}

/* Where the protected-mode part lies in the file */
static int bzimage_code(const struct kernel_file *f, const struct setup_header *h,
			uint64_t *off, uint64_t *len, struct err *e)
{
	uint64_t sects = h->setup_sects ? h->setup_sects : 4;

	*off = (sects + 1) * BZIMAGE_SECTOR;
	if (*off + BZIMAGE_ENTRY_64 >= f->file.size)
		return bzimage_damaged(f, "it ends inside its setup code", e);
	*len = f->file.size - *off;
	if (h->version < 0x0204)
		return 0; /* syssize is only 16 bits wide there */
	/* syssize is in paragraphs of 16 bytes; the last need not be whole. */
	if (ALIGN_UP(*len, UINT64_C(16)) < (uint64_t)h->syssize * 16)
		return err_set(e, ENOEXEC,
			       "kernel %s: is truncated: its header says %llu bytes, the "
			       "file has %llu; fetch or build it again",
			       f->file.path, *off + h->syssize * 16ULL,
			       (unsigned long long)f->file.size);
	*len = MIN(*len, (uint64_t)h->syssize * 16);
	if (*len <= BZIMAGE_ENTRY_64)
		return bzimage_damaged(f, "its header says that it has no code", e);
	return 0;
}

/* Choose the load address and compute what the kernel occupies: k->start and k->end.
 *
 * A relocatable kernel could be loaded anywhere, but Linux never runs below the address that it
 * prefers (it moves itself up), and RAM is one piece from 0: so that address is also where it
 * needs the least memory. Others are loaded at 1 MiB and move themselves.
 */
static int bzimage_place(const struct kernel_file *f, const struct setup_header *h,
			 uint64_t len, struct kernel *k, struct err *e)
{
	bool relocatable = h->version >= 0x0205 && h->relocatable_kernel;
	uint64_t runs_at = h->version >= 0x020a ? h->pref_address : LAYOUT_KERNEL;
	/* Before 2.10 the header does not say; unpacking takes about three times its size. */
	uint64_t need = h->version >= 0x020a ? h->init_size : len * 4;

	if (runs_at >= LAYOUT_RAM_HOLE)
		return bzimage_damaged(f, "it prefers an address where no memory is", e);
	runs_at = MAX(runs_at, LAYOUT_KERNEL);
	if (relocatable) {
		uint64_t align = h->kernel_alignment;

		if (align == 0 || (align & (align - 1)))
			return bzimage_damaged(f, "its alignment is not a power of two",
					       e);
		runs_at = ALIGN_UP(runs_at, align);
	}
	k->start = relocatable ? runs_at : LAYOUT_KERNEL;
	k->end = MAX(runs_at + need, k->start + len);
	return 0;
}

int bzimage_load(const struct kernel_file *f, struct gmem *m, struct kernel *k,
		 struct err *e)
{
	struct setup_header h;
	uint64_t off = 0, len = 0;
	int rc;

	*k = (struct kernel){.mode = BOOT_PROT32, .protocol = "Linux 32-bit"};
	rc = bzimage_header(f, k, &h, e);
	if (rc == 0)
		rc = bzimage_code(f, &h, &off, &len, e);
	if (rc == 0)
		rc = bzimage_place(f, &h, len, k, e);
	if (rc < 0)
		return rc;
	if (k->end > kernel_ram_end(m))
		return kernel_too_big(f, m, k->end, e);
	k->entry = k->start;
	if (h.version >= 0x020c && (h.xloadflags & XLF_KERNEL_64)) {
		k->mode = BOOT_LONG64;
		k->protocol = "Linux 64-bit";
		k->entry = k->start + BZIMAGE_ENTRY_64;
	}
	k->initrd_end = (h.version >= 0x0203 ? (gpa_t)h.initrd_addr_max : 0x37ffffff) + 1;
	k->initrd_end = MIN(k->initrd_end, LAYOUT_RAM_HOLE);
	k->cmdline_max = h.version >= 0x0206 ? h.cmdline_size : 255;
	/* Copied, not mapped: it unpacks itself over itself, so every page is written. */
	return kernel_load_part(f, m, k->start, off, len, e);
}

/* A vmlinux in a compressed file; or the kernel inside a bzImage's code (boot.rst, payload_offset,
 * since protocol 2.08), after which all ways but gzip have four bytes with its length.
 */
bool kernel_arch_payload(const struct kernel_file *f, struct kernel_payload *p)
{
	const struct packing *packing = packing_of(f->head);
	uint8_t magic[UNPACK_MAGIC_MAX];
	uint64_t off = 0, len = 0;
	struct setup_header h;
	struct err ignored;
	struct kernel k;

	if (packing) {
		*p = (struct kernel_payload){packing->how, 0, f->file.size};
		return true;
	}
	if (!bzimage_is(f) || bzimage_header(f, &k, &h, &ignored) < 0 ||
	    bzimage_code(f, &h, &off, &len, &ignored) < 0 || h.version < 0x0208 ||
	    h.payload_offset > len || h.payload_length > len - h.payload_offset)
		return false;
	off += h.payload_offset;
	len = h.payload_length;
	if (len <= sizeof(magic) ||
	    boot_file_read(&f->file, magic, sizeof(magic), off) != sizeof(magic))
		return false;
	packing = packing_of(magic);
	if (!packing)
		return false;
	if (packing->how == unpack_zstd)
		len -= BZIMAGE_LENGTH;
	*p = (struct kernel_payload){packing->how, off, len};
	return true;
}

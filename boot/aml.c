/* SPDX-License-Identifier: Apache-2.0 */
/* aml - the encodings of ACPI 6.4, chapters 6.4 (resources) and 20.2 (terms). */
#include "boot/aml.h"

#include <string.h>

#include "vmm/core/util.h"

enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_STRING = 0x0d,
	AML_QWORD = 0x0e,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_EXT = 0x5b,
	AML_EXT_DEVICE = 0x82,
	AML_NOTIFY = 0x86,
};

/* Resource descriptors: small ones have their length in the tag, large ones after it */
enum aml_resource {
	AML_RES_IO = 0x47,
	AML_RES_END = 0x79,
	AML_RES_MEMORY32 = 0x86,
	AML_RES_INTERRUPT = 0x89,
};

#define AML_SEG_LEN     4
#define AML_METHOD_ARGS 7

void aml_init(struct aml *a, void *buf, size_t cap)
{
	*a = (struct aml){.buf = buf, .cap = cap};
}

/* aml_room() - make a gap of @n bytes at @off <= len.  Return: it, or NULL */
static uint8_t *aml_room(struct aml *a, size_t off, size_t n)
{
	if (a->overflow || n > a->cap - a->len) {
		a->overflow = true;
		return NULL;
	}
	memmove(a->buf + off + n, a->buf + off, a->len - off);
	a->len += n;
	return a->buf + off;
}

void aml_bytes(struct aml *a, const void *p, size_t n)
{
	uint8_t *to = aml_room(a, a->len, n);

	if (to && n)
		memcpy(to, p, n);
}

static void aml_store(uint8_t *to, uint64_t v, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		to[i] = (uint8_t)(v >> (8 * i));
}

void aml_le(struct aml *a, uint64_t v, unsigned int n)
{
	uint8_t *to = aml_room(a, a->len, n);

	if (to)
		aml_store(to, v, n);
}

size_t aml_zero(struct aml *a, size_t n)
{
	size_t at = a->len;
	uint8_t *to = aml_room(a, at, n);

	if (to)
		memset(to, 0, n);
	return at;
}

void aml_align(struct aml *a, size_t to)
{
	aml_zero(a, ALIGN_UP(a->len, to) - a->len);
}

void aml_set(struct aml *a, size_t off, uint64_t v, unsigned int n)
{
	if (a->overflow)
		return;
	BUG_ON(off > a->len || n > a->len - off);
	aml_store(a->buf + off, v, n);
}

/* NameSeg (20.2.2) */
static void aml_seg(struct aml *a, const char *seg)
{
	size_t n = strlen(seg);

	BUG_ON(n > AML_SEG_LEN);
	aml_bytes(a, seg, n);
	aml_bytes(a, "____", AML_SEG_LEN - n);
}

void aml_name(struct aml *a, const char *seg)
{
	aml_le(a, AML_NAME, 1);
	aml_seg(a, seg);
}

void aml_integer(struct aml *a, uint64_t v)
{
	unsigned int n = v <= UINT8_MAX    ? 1
			 : v <= UINT16_MAX ? 2
			 : v <= UINT32_MAX ? 4
					   : 8;

	if (v <= 1) {
		aml_le(a, v ? AML_ONE : AML_ZERO, 1);
		return;
	}
	aml_le(a,
	       n == 1   ? AML_BYTE
	       : n == 2 ? AML_WORD
	       : n == 4 ? AML_DWORD
			: AML_QWORD,
	       1);
	aml_le(a, v, n);
}

void aml_string(struct aml *a, const char *s)
{
	aml_le(a, AML_STRING, 1);
	aml_bytes(a, s, strlen(s) + 1);
}

void aml_notify(struct aml *a, const char *seg, uint8_t value)
{
	aml_le(a, AML_NOTIFY, 1);
	aml_seg(a, seg);
	aml_integer(a, value);
}

/* EISA id (6.1.5): three letters of five bits, 'A' is 1, then four hex digits; the first
 * character is in the first byte, so the value is big-endian in a little-endian DWord
 */
void aml_eisaid(struct aml *a, const char *id)
{
	static const char hex[] = "0123456789ABCDEF";
	uint32_t v = 0;

	BUG_ON(strlen(id) != 7);
	for (unsigned int i = 0; i < 3; i++) {
		BUG_ON(id[i] < 'A' || id[i] > 'Z');
		v = v << 5 | (uint32_t)(id[i] - '@');
	}
	for (unsigned int i = 3; i < 7; i++) {
		const char *digit = strchr(hex, id[i]);

		BUG_ON(!digit);
		v = v << 4 | (uint32_t)(digit - hex);
	}
	aml_le(a, AML_DWORD, 1);
	aml_le(a, __builtin_bswap32(v), 4);
}

/* PkgLength (20.2.4) counts itself: six bits in one byte, or four and up to three bytes */
static unsigned int aml_pkglen(uint8_t to[4], size_t body)
{
	size_t v = body + 1;

	if (v < 1u << 6) {
		to[0] = (uint8_t)v;
		return 1;
	}
	for (unsigned int extra = 1; extra <= 3; extra++) {
		v = body + 1 + extra;
		if (v >> (4 + 8 * extra))
			continue;
		to[0] = (uint8_t)(extra << 6 | (v & 0xf));
		aml_store(to + 1, v >> 4, extra);
		return 1 + extra;
	}
	return 0;
}

void aml_close(struct aml *a, size_t mark)
{
	uint8_t enc[4], *to;
	unsigned int n;

	if (a->overflow)
		return;
	n = aml_pkglen(enc, a->len - mark);
	to = n ? aml_room(a, mark, n) : NULL;
	if (to)
		memcpy(to, enc, n);
	else
		a->overflow = true;
}

/* Return: where the PkgLength will go, after the opcode */
size_t aml_open_scope(struct aml *a, const char *seg)
{
	size_t mark;

	aml_le(a, AML_SCOPE, 1);
	mark = a->len;
	aml_seg(a, seg);
	return mark;
}

size_t aml_open_device(struct aml *a, const char *seg)
{
	size_t mark;

	aml_le(a, AML_EXT | AML_EXT_DEVICE << 8, 2);
	mark = a->len;
	aml_seg(a, seg);
	return mark;
}

size_t aml_open_method(struct aml *a, const char *seg, uint8_t nargs)
{
	size_t mark;

	BUG_ON(nargs > AML_METHOD_ARGS);
	aml_le(a, AML_METHOD, 1);
	mark = a->len;
	aml_seg(a, seg);
	aml_le(a, nargs, 1); /* MethodFlags: not serialized, sync level 0 */
	return mark;
}

size_t aml_open_package(struct aml *a, uint8_t nelem)
{
	size_t mark;

	aml_le(a, AML_PACKAGE, 1);
	mark = a->len;
	aml_le(a, nelem, 1);
	return mark;
}

size_t aml_open_resources(struct aml *a)
{
	aml_le(a, AML_BUFFER, 1);
	return a->len;
}

void aml_close_resources(struct aml *a, size_t mark)
{
	uint8_t enc[1 + 8], *to;
	struct aml size;

	aml_le(a, AML_RES_END, 2); /* checksum 0: none (6.4.2.9) */
	if (a->overflow)
		return;
	/* DefBuffer is PkgLength, BufferSize, bytes */
	aml_init(&size, enc, sizeof(enc));
	aml_integer(&size, a->len - mark);
	to = aml_room(a, mark, size.len);
	if (to)
		memcpy(to, enc, size.len);
	aml_close(a, mark);
}

void aml_memory32(struct aml *a, uint32_t base, uint32_t len)
{
	aml_le(a, AML_RES_MEMORY32, 1); /* 6.4.3.4 */
	aml_le(a, 9, 2);
	aml_le(a, 1, 1); /* writable */
	aml_le(a, base, 4);
	aml_le(a, len, 4);
}

void aml_io(struct aml *a, uint16_t base, uint8_t len)
{
	aml_le(a, AML_RES_IO, 1); /* 6.4.2.5 */
	aml_le(a, 1, 1);          /* decodes 16 bits */
	aml_le(a, base, 2);       /* lowest and */
	aml_le(a, base, 2);       /* highest base */
	aml_le(a, 1, 1);          /* alignment */
	aml_le(a, len, 1);
}

void aml_interrupt(struct aml *a, uint32_t gsi)
{
	aml_le(a, AML_RES_INTERRUPT, 1); /* 6.4.3.6 */
	aml_le(a, 6, 2);
	aml_le(a, 1 << 0 | 1 << 1, 1); /* consumer, edge; active-high, exclusive are 0 */
	aml_le(a, 1, 1);               /* one interrupt: */
	aml_le(a, gsi, 4);
}

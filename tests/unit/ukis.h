/* SPDX-License-Identifier: Apache-2.0 */
/* ukis - unified kernel images made in memory (PE format; UAPI.5). */
#ifndef MICROVM_TESTS_UKIS_H
#define MICROVM_TESTS_UKIS_H

#include "tests/unit/boot_files.h"

#define UKI_PE       0x80
#define UKI_TABLE    (UKI_PE + 24 + 240)
#define UKI_DATA     0x1200 /* 96 sections are described before it */
#define UKI_NUMBERS  4      /* of a section, in the order of the file */
#define UKI_MEMLEN   0
#define UKI_ADDRESS  1
#define UKI_LEN      2
#define UKI_OFF      3
#define UKI_ALIGN    512 /* in the file; in memory it is a page */
#define UKI_ROOM     (1024 * 1024)
#define UKI_SECTION0 0x10000 /* where EFI would load the first */

struct uki {
	uint32_t len, address;
	uint16_t n;
	uint8_t bytes[UKI_ROOM];
};

static inline void uki_init(struct uki *u)
{
	uint32_t at = UKI_PE;
	uint16_t optional = 240;

	memset(u, 0, sizeof(*u));
	u->len = UKI_DATA;
	u->address = UKI_SECTION0;
	memcpy(u->bytes, "MZ", 2);
	memcpy(u->bytes + 0x3c, &at, sizeof(at));
	memcpy(u->bytes + at, "PE\0\0\x64\x86", 6);
	memcpy(u->bytes + at + 20, &optional, sizeof(optional));
}

/* One of the numbers of the section @i */
static inline uint32_t *uki_number(struct uki *u, unsigned int i, unsigned int number)
{
	return (uint32_t *)(void *)(u->bytes + UKI_TABLE + 40 * i + 8 + 4 * number);
}

/* A section more, as objcopy and ukify write it.  Return: its number */
static inline unsigned int uki_add(struct uki *u, const char *name, const void *data,
				   size_t len)
{
	unsigned int i = u->n++;

	ck_assert_int_le(UKI_TABLE + 40 * u->n, UKI_DATA);
	ck_assert_uint_le(u->len + len + UKI_ALIGN, sizeof(u->bytes));
	memcpy(u->bytes + UKI_PE + 6, &u->n, sizeof(u->n));
	memcpy(u->bytes + UKI_TABLE + 40 * i, name, strlen(name));
	memcpy(u->bytes + u->len, data, len);
	*uki_number(u, i, UKI_MEMLEN) = (uint32_t)len;
	*uki_number(u, i, UKI_ADDRESS) = u->address;
	*uki_number(u, i, UKI_LEN) = (uint32_t)ALIGN_UP(len, (size_t)UKI_ALIGN);
	*uki_number(u, i, UKI_OFF) = u->len;
	u->len += (uint32_t)ALIGN_UP(len, (size_t)UKI_ALIGN);
	u->address += (uint32_t)ALIGN_UP(len, (size_t)PAGE_SIZE);
	return i;
}

static inline unsigned int uki_add_text(struct uki *u, const char *name, const char *text)
{
	return uki_add(u, name, text, strlen(text));
}

static inline char *uki_file(const struct uki *u)
{
	return file_of(u->bytes, u->len);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aml - write ACPI Machine Language (ACPI 6.4, 20) and the plain tables around it.
 *
 * Bytes are appended to a buffer of the caller's. Data that does not fit sets @overflow, which
 * sticks, and nothing more is written: check once, at the end. Objects with a length in front
 * (device, scope, package, resource template) are opened, filled and closed; the length is put in
 * when it is known, so every object has its shortest encoding.
 */
#ifndef MICROVM_BOOT_AML_H
#define MICROVM_BOOT_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *buf; /* not owned */
	size_t cap, len;
	bool overflow;
};

/* aml_init() - nothing written yet to the @cap bytes at @buf */
void aml_init(struct aml *a, void *buf, size_t cap);

/* Plain bytes: @n of @p; the low @n <= 8 bytes of @v, little-endian; zeroes up to a
 * multiple of @to, a power of two, from the start of the buffer
 */
void aml_bytes(struct aml *a, const void *p, size_t n);
void aml_le(struct aml *a, uint64_t v, unsigned int n);
void aml_align(struct aml *a, size_t to);
/* aml_zero() - @n zeroes.  Return: where they start */
size_t aml_zero(struct aml *a, size_t n);
/* aml_set() - overwrite @n bytes at @off, all written before (or lost to overflow), with
 * the low bytes of @v, little-endian
 */
void aml_set(struct aml *a, size_t off, uint64_t v, unsigned int n);

/* Terms.  Names are one segment of at most four characters ("_HID"), padded with '_' */
void aml_name(struct aml *a, const char *seg); /* Name (seg, and a term must follow */
void aml_integer(struct aml *a, uint64_t v);   /* in the shortest form */
void aml_string(struct aml *a, const char *s);
void aml_eisaid(struct aml *a, const char *id); /* "PNP0501": three letters, four hex */

/* aml_notify() - in a method: Notify (@seg, @value) */
void aml_notify(struct aml *a, const char *seg, uint8_t value);

/* Containers.  Return: a mark for aml_close().  Close in the reverse order */
size_t aml_open_scope(struct aml *a, const char *seg);
size_t aml_open_device(struct aml *a, const char *seg);
size_t aml_open_method(struct aml *a, const char *seg, uint8_t nargs);
size_t aml_open_package(struct aml *a, uint8_t nelem);
void aml_close(struct aml *a, size_t mark);

/* A ResourceTemplate (), to be filled with the descriptors below */
size_t aml_open_resources(struct aml *a);
void aml_close_resources(struct aml *a, size_t mark);
void aml_memory32(struct aml *a, uint32_t base, uint32_t len); /* ReadWrite, fixed */
void aml_io(struct aml *a, uint16_t base, uint8_t len);        /* Decode16, fixed */
void aml_interrupt(struct aml *a, uint32_t gsi); /* edge, active-high, exclusive */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dtree - a flattened device tree in the making (Devicetree Specification 0.4), by libfdt.
 *
 * Nodes and properties are written in order; the first failure sticks and dtree_close() returns
 * it. Only then come the overlay, the reservation and the copy for the operator.
 */
#ifndef MICROVM_BOOT_DTREE_H
#define MICROVM_BOOT_DTREE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/core/gmem.h"

#define DTREE_MAX 0x200000u /* arm64 Linux takes no more (booting.rst) */

struct dtree {
	void *blob; /* DTREE_MAX bytes, ours */
	int rc;     /* 0 or libfdt's first error */
};

/* dtree_open() - an empty tree whose root node is open.  Return: 0, or -ENOMEM in @e;
 * dtree_free() in either case
 */
int dtree_open(struct dtree *t, struct err *e);
void dtree_free(struct dtree *t);

void dtree_node(struct dtree *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void dtree_end(struct dtree *t); /* of the node opened last */

void dtree_flag(struct dtree *t, const char *name);
void dtree_u32(struct dtree *t, const char *name, uint32_t v);
void dtree_u64(struct dtree *t, const char *name, uint64_t v);
void dtree_cells(struct dtree *t, const char *name, const uint32_t *v, unsigned int n);
void dtree_bytes(struct dtree *t, const char *name, const void *v, size_t len);
void dtree_text(struct dtree *t, const char *name, const char *text);
/* dtree_reg() - @n pairs of address and length, two cells each */
void dtree_reg(struct dtree *t, const uint64_t (*range)[2], unsigned int n);

/* dtree_close() - end the root node.  Return: 0, or -errno with a sentence in @e */
int dtree_close(struct dtree *t, struct err *e);

/* dtree_overlay() - apply the compiled overlay in the file @path, which may name nodes by
 * the labels in /__symbols__.  Return: 0, or -errno with a sentence in @e
 */
int dtree_overlay(struct dtree *t, const char *path, struct err *e);
/* dtree_reserve() - shrink it to its least size and reserve the memory at @at, where it will lie,
 * for itself. Return: 0, or -errno with a sentence in @e
 */
int dtree_reserve(struct dtree *t, gpa_t at, struct err *e);
/* dtree_len() - its length in bytes */
size_t dtree_len(const struct dtree *t);
/* dtree_dump() - write it to the file @path, which only the owner can read: it holds the seeds of
 * the guest's secrets. Return: 0, or -errno with a sentence in @e
 */
int dtree_dump(const struct dtree *t, const char *path, struct err *e);

#endif

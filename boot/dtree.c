/* SPDX-License-Identifier: Apache-2.0 */
/* dtree - a flattened device tree in the making, by libfdt. */
#include "boot/dtree.h"

#include <errno.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/file.h"
#include "vmm/core/util.h"

#define DTREE_NAME_MAX    64
#define DTREE_RESERVATION 16 /* one entry of the memory reservation block */

int dtree_open(struct dtree *t, struct err *e)
{
	*t = (struct dtree){.blob = calloc(1, DTREE_MAX)};
	if (!t->blob)
		return err_set(e, ENOMEM, "no memory for the device tree");
	t->rc = fdt_create(t->blob, DTREE_MAX);
	if (t->rc == 0)
		t->rc = fdt_finish_reservemap(t->blob);
	if (t->rc == 0)
		t->rc = fdt_begin_node(t->blob, "");
	return 0;
}

void dtree_free(struct dtree *t)
{
	free(t->blob);
	t->blob = NULL;
}

void dtree_node(struct dtree *t, const char *fmt, ...)
{
	char name[DTREE_NAME_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	BUG_ON(n < 0 || (size_t)n >= sizeof(name));
	if (t->rc == 0)
		t->rc = fdt_begin_node(t->blob, name);
}

void dtree_end(struct dtree *t)
{
	if (t->rc == 0)
		t->rc = fdt_end_node(t->blob);
}

void dtree_bytes(struct dtree *t, const char *name, const void *v, size_t len)
{
	if (t->rc == 0)
		t->rc = fdt_property(t->blob, name, v, (int)len);
}

void dtree_flag(struct dtree *t, const char *name)
{
	dtree_bytes(t, name, NULL, 0);
}

void dtree_u32(struct dtree *t, const char *name, uint32_t v)
{
	dtree_cells(t, name, &v, 1);
}

void dtree_u64(struct dtree *t, const char *name, uint64_t v)
{
	fdt64_t be = cpu_to_fdt64(v);

	dtree_bytes(t, name, &be, sizeof(be));
}

void dtree_text(struct dtree *t, const char *name, const char *text)
{
	dtree_bytes(t, name, text, strlen(text) + 1);
}

void dtree_cells(struct dtree *t, const char *name, const uint32_t *v, unsigned int n)
{
	void *at = NULL;

	if (t->rc == 0)
		t->rc = fdt_property_placeholder(t->blob, name, (int)(n * sizeof(*v)),
						 &at);
	for (unsigned int i = 0; t->rc == 0 && i < n; i++)
		fdt32_st((uint8_t *)at + i * sizeof(*v), v[i]);
}

void dtree_reg(struct dtree *t, const uint64_t (*range)[2], unsigned int n)
{
	void *at = NULL;

	if (t->rc == 0)
		t->rc = fdt_property_placeholder(t->blob, "reg",
						 (int)(n * sizeof(*range)), &at);
	for (unsigned int i = 0; t->rc == 0 && i < 2 * n; i++)
		fdt64_st((uint8_t *)at + i * sizeof(uint64_t), range[i / 2][i % 2]);
}

static int dtree_fail(int rc, struct err *e)
{
	if (rc == -FDT_ERR_NOSPACE)
		return err_set(e, E2BIG,
			       "device tree: takes more than the 2 MiB that a kernel "
			       "allows; use fewer vCPUs or a smaller --dtb-overlay");
	return err_set(e, EIO, "device tree: cannot be made: %s", fdt_strerror(rc));
}

int dtree_close(struct dtree *t, struct err *e)
{
	dtree_end(t);
	if (t->rc == 0)
		t->rc = fdt_finish(t->blob);
	return t->rc ? dtree_fail(t->rc, e) : 0;
}

/* The file's content in its own memory, checked; fdt_overlay_apply() writes to that */
static int dtree_read_overlay(const struct boot_file *f, void **blob, struct err *e)
{
	long n;

	if (f->size > DTREE_MAX)
		return err_set(e, E2BIG,
			       "overlay %s: is longer than the 2 MiB that a device tree "
			       "can have; is it the right file?",
			       f->path);
	*blob = malloc(f->size);
	if (!*blob)
		return err_set(e, ENOMEM, "overlay %s: no memory to read it", f->path);
	n = pread_full(f->fd, *blob, f->size, 0);
	if (n < 0)
		return err_set(e, (int)-n, "overlay %s: cannot be read: %s", f->path,
			       strerror((int)-n));
	if ((uint64_t)n != f->size || fdt_check_full(*blob, f->size) != 0)
		return err_set(e, ENOEXEC,
			       "overlay %s: is no compiled device tree, or a damaged "
			       "one; compile it by dtc -@ -O dtb",
			       f->path);
	return 0;
}

/* An overlay without a fragment would change nothing, and libfdt calls that success */
static bool dtree_has_fragment(const void *blob)
{
	int node;

	fdt_for_each_subnode(node, blob,
			     0) if (fdt_subnode_offset(blob, node, "__overlay__") >=
				    0) return true;
	return false;
}

static int dtree_explain_overlay(const char *path, int rc, struct err *e)
{
	const char *why = fdt_strerror(rc);

	if (rc == -FDT_ERR_NOSPACE)
		return dtree_fail(rc, e);
	if (rc == -FDT_ERR_NOTFOUND)
		why = "it names a node or a label that this machine's device tree does "
		      "not have";
	if (rc == -FDT_ERR_BADOVERLAY)
		why = "its fragments or fix-ups are malformed";
	return err_set(e, EINVAL,
		       "overlay %s: does not apply: %s; compare it with what --dump-dtb "
		       "writes",
		       path, why);
}

int dtree_overlay(struct dtree *t, const char *path, struct err *e)
{
	cleanup_free void *blob = NULL;
	struct boot_file f;
	int rc = boot_file_open(&f, "overlay", path, e);

	if (rc < 0)
		return rc;
	rc = dtree_read_overlay(&f, &blob, e);
	boot_file_close(&f);
	if (rc < 0)
		return rc;
	if (!dtree_has_fragment(blob))
		return err_set(e, EINVAL,
			       "overlay %s: has nothing to apply: it is a device tree, "
			       "not an overlay, whose source begins with /plugin/",
			       path);
	t->rc = fdt_open_into(t->blob, t->blob, DTREE_MAX);
	if (t->rc == 0)
		t->rc = fdt_overlay_apply(t->blob, blob);
	return t->rc ? dtree_explain_overlay(path, t->rc, e) : 0;
}

int dtree_reserve(struct dtree *t, gpa_t at, struct err *e)
{
	uint64_t len;

	t->rc = fdt_pack(t->blob);
	len = ALIGN_UP(dtree_len(t) + DTREE_RESERVATION, PAGE_SIZE);
	if (t->rc == 0)
		t->rc = fdt_open_into(t->blob, t->blob, DTREE_MAX);
	if (t->rc == 0)
		t->rc = fdt_add_mem_rsv(t->blob, at, len);
	if (t->rc == 0)
		t->rc = fdt_pack(t->blob);
	return t->rc ? dtree_fail(t->rc, e) : 0;
}

size_t dtree_len(const struct dtree *t)
{
	return fdt_totalsize(t->blob);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* debs - packages of Debian's made in memory: deb(5), ar(5), and tar as pax(1) has it ("ustar"). */
#ifndef MICROVM_TESTS_DEBS_H
#define MICROVM_TESTS_DEBS_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/wrapped.h"

struct deb {
	size_t len;
	uint8_t bytes[768 * 1024];
};

struct tar {
	size_t len;
	uint8_t bytes[512 * 1024];
};

/* A member @name: of @type '0' a file of @len bytes at @data, of '2' a link to @target. @says: how long it says
 * that it is
 */
static inline void tar_add_as(struct tar *t, const char *name, char type,
			      const char *target, const void *data, size_t len,
			      unsigned long long says)
{
	char *h = (char *)t->bytes + t->len;
	unsigned int sum = 0;

	ck_assert_uint_le(t->len + len + 3 * 512, sizeof(t->bytes));
	memset(h, 0, 512);
	(void)snprintf(h, 100, "%s", name);
	(void)snprintf(h + 100, 24, "%07o%c%07o%c%07o", 0644, 0, 0, 0, 0);
	(void)snprintf(h + 124, 12, "%011llo", says);
	(void)snprintf(h + 136, 12, "%011o", 0);
	h[156] = type;
	(void)snprintf(h + 157, 100, "%s", target);
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += (uint8_t)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum);
	t->len += 512;
	if (len)
		memcpy(t->bytes + t->len, data, len);
	memset(t->bytes + t->len + len, 0, -len & 511);
	t->len += (len + 511) & ~(size_t)511;
}

static inline void tar_add(struct tar *t, const char *name, const void *data, size_t len)
{
	tar_add_as(t, name, '0', "", data, len, len);
}

static inline void tar_text(struct tar *t, const char *name, const char *text)
{
	tar_add(t, name, text, strlen(text));
}

static inline void deb_add(struct deb *d, const char *name, const void *data, size_t len)
{
	char head[128];

	if (!d->len) {
		memcpy(d->bytes, "!<arch>\n", 8);
		d->len = 8;
	}
	ck_assert_uint_le(d->len + len + 64, sizeof(d->bytes));
	(void)snprintf(head, sizeof(head), "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0,
		       0, "100644", len);
	memcpy(d->bytes + d->len, head, 60);
	memcpy(d->bytes + d->len + 60, data, len);
	d->len += 60 + len;
	if (len % 2)
		d->bytes[d->len++] = '\n';
}

/* @t as a member that is packed: of WRAPS, or not at all */
static inline void deb_add_tar(struct deb *d, const char *name, struct tar *t, int how)
{
	static struct wrapped w;
	char full[32];

	memset(t->bytes + t->len, 0, 1024);
	(void)snprintf(full, sizeof(full), "%s.tar%s%s", name, how < WRAPS ? "." : "",
		       how < WRAPS ? wrap_suffix[how] : "");
	if (how >= WRAPS) {
		deb_add(d, full, t->bytes, t->len + 1024);
		return;
	}
	wrap(&w, how, t->bytes, t->len + 1024);
	deb_add(d, full, w.bytes, w.len);
}

#endif

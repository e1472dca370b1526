/* SPDX-License-Identifier: Apache-2.0 */
/* reference - which words name an image, and where that is. */
#ifndef MICROVM_IMAGE_REFERENCE_H
#define MICROVM_IMAGE_REFERENCE_H

#include <stdbool.h>

#include "vmm/core/err.h"
#include "vmm/image/source.h"

enum reference_kind {
	REFERENCE_NONE,  /* a path, or nothing */
	REFERENCE_LOCAL, /* a directory or archive */
	REFERENCE_REGISTRY,
};

struct reference {
	enum reference_kind kind;
	enum source_kind source; /* of a local one */
	char *path; /* of a local one, "-" for stdin; a registry's name, without docker:// */
	const char *tag; /* in @path's memory; or NULL */
};

/* reference_read() - take @word apart, which may name a file or directory here.  Return: 0; -errno in @e,
 * a usage error: it names no image that there can be; reference_free() in either case
 */
int reference_read(struct reference *r, const char *word, struct err *e);
void reference_free(struct reference *r);
/* reference_is_name() - could @word be a registry's name, as alpine:3.20 or ghcr.io/a/b@sha256:...? */
bool reference_is_name(const char *word);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import - an image's layers, merged and written as squashfs.
 *
 * In the process that is locked up (importer.h); a fuzzer runs it as it is.
 */
#ifndef MICROVM_IMAGE_IMPORT_H
#define MICROVM_IMAGE_IMPORT_H

#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/image/manifest.h"
#include "vmm/image/merge.h"
#include "vmm/image/source.h"
#include "vmm/image/squash.h"

#define IMPORT_MOST (UINT64_C(64) << 30) /* bytes that an image unpacks to */

struct import {
	const struct source *source;
	struct squash *squash;
	struct merge merge;
	uint64_t unpacked; /* bytes of tar, so far */
	uint64_t files;    /* bytes of files, their holes included */
	uint64_t skipped;  /* extended attributes that squashfs does not have */
	char skipped_name[64];
	/* how far it is: bytes of layers that are read */
	void (*progress)(void *ctx, uint64_t done);
	void *ctx;
	uint64_t done;
};

/* import_open(), import_close() - the tree.  @i is zeroed but for what the caller sets: all above @merge,
 * and @progress.  Return: 0; -errno in @e; import_close() in either case, after squash_close()
 */
int import_open(struct import *i, struct err *e);
void import_close(struct import *i);
/* import_layer() - one layer over those before it; @l->plain and, where they are known, @l->digest and
 * @l->size have to be right.  Return: likewise
 */
int import_layer(struct import *i, const struct image_layer *l, struct err *e);
/* import_image() - all layers of @m, its config's volumes, and the tables.  Return: likewise */
int import_image(struct import *i, const struct image_manifest *m, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest - which layers an image has, and what its config says (OCI's image-spec: Image Layout,
 * Image Index, Image Manifest, Image Configuration; `docker save`'s manifest.json).
 *
 * All of it is a stranger's JSON, read in the process that is locked up.
 */
#ifndef MICROVM_IMAGE_MANIFEST_H
#define MICROVM_IMAGE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/image/digest.h"
#include "vmm/image/source.h"
#include "vmm/image/stream.h"
#include "vmm/image/text.h"

#define IMAGE_LAYERS 512
#define IMAGE_JSON \
	((size_t)4 << 20) /* bytes of one document; the specification's own limit */

struct image_layer {
	char *name; /* of its part of the source */
	enum packing packing;
	bool summed; /* @digest and @size are known: an archive of docker's has neither */
	struct digest digest;
	uint64_t size;
	struct digest plain; /* of its tar */
};

struct image_manifest {
	struct digest config;
	char *config_name;
	bool config_summed;
	struct image_layer *layer;
	unsigned int n;
	/* "config", "os", "architecture", "entrypoint" and so on: docs/images.md */
	struct image_text text;
};

/* manifest_read() - of the image in @s that has @tag (NULL: of the only one), for Linux on the machine
 * that OCI calls @arch.  Return: 0; -errno in @e, a usage error if another @tag helps;
 * manifest_free() in either case
 */
int manifest_read(struct image_manifest *m, const struct source *s, const char *tag,
		  const char *arch, struct err *e);
void manifest_free(struct image_manifest *m);

/* In parts: index.json and what it leads to; manifest.json; the config.  @m->config is known after one of
 * the first two
 */
int manifest_oci(struct image_manifest *m, const struct source *s, const char *tag,
		 const char *arch, struct err *e);
int manifest_docker(struct image_manifest *m, const struct source *s, const char *tag,
		    struct err *e);
int manifest_config(struct image_manifest *m, const struct source *s, const char *arch,
		    struct err *e);
/* manifest_json() - @text as JSON.  Return: NULL with @e; json_decref() */
json_t *manifest_json(const char *name, const char *text, size_t len, struct err *e);
/* manifest_layers() - room for @n of them */
int manifest_layers(struct image_manifest *m, size_t n, struct err *e);

#endif

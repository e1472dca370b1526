/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_oci - from index.json, by indexes of platforms, to a manifest and its layers. */
#include "vmm/image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define INDEX_DEPTH 4   /* indexes of indexes */
#define INDEX_MOST  256 /* that are read */
#define REF_NAME    "org.opencontainers.image.ref.name"

/* A descriptor (image-spec, Content Descriptors) */
struct desc {
	const char *type;
	struct digest digest;
	uint64_t size;
	char name[sizeof("blobs/sha256/") + DIGEST_HEX];
};

static int desc_read(struct desc *d, const json_t *json, struct err *e)
{
	const char *digest = json_string_value(json_object_get(json, "digest"));
	const json_t *size = json_object_get(json, "size");
	char text[DIGEST_TEXT];

	d->type = json_string_value(json_object_get(json, "mediaType"));
	if (!d->type || !digest || !json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(e, EINVAL,
			       "it has a descriptor without mediaType, digest "
			       "or size");
	if (!digest_parse(digest, &d->digest))
		return err_set(e, EINVAL,
			       "the digest %.80s is none that is read here: "
			       "sha256",
			       digest);
	d->size = (uint64_t)json_integer_value(size);
	digest_text(&d->digest, text);
	(void)snprintf(d->name, sizeof(d->name), "blobs/sha256/%s",
		       strchr(text, ':') + 1);
	return 0;
}

static bool is_one_of(const char *type, const char *a, const char *b)
{
	return strcmp(type, a) == 0 || strcmp(type, b) == 0;
}

static bool is_index(const char *type)
{
	return is_one_of(type, "application/vnd.oci.image.index.v1+json",
			 "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool is_manifest(const char *type)
{
	return is_one_of(type, "application/vnd.oci.image.manifest.v1+json",
			 "application/vnd.docker.distribution.manifest.v2+json");
}

static bool is_config(const char *type)
{
	return is_one_of(type, "application/vnd.oci.image.config.v1+json",
			 "application/vnd.docker.container.image.v1+json");
}

/* A document that a descriptor names, its size and digest checked.  Return: NULL with @e */
static json_t *desc_load(const struct source *s, const struct desc *d, struct err *e)
{
	char *text;
	size_t len = 0;
	json_t *json;

	if (source_read(s, d->name, IMAGE_JSON, &d->digest, &text, &len, e) < 0)
		return NULL;
	if (len != d->size) {
		err_set(e, EBADMSG,
			"%s has %zu bytes, and should have %llu; fetch the "
			"image again",
			d->name, len, (unsigned long long)d->size);
		free(text);
		return NULL;
	}
	json = manifest_json(d->name, text, len, e);
	free(text);
	return json;
}

/* ---- layers ---- */

static int layer_packing(const char *type, enum packing *p, struct err *e)
{
	static const struct {
		const char *type;
		enum packing packing;
	} types[] = {
		{"application/vnd.oci.image.layer.v1.tar", PACKING_NONE},
		{"application/vnd.oci.image.layer.v1.tar+gzip", PACKING_GZIP},
		{"application/vnd.oci.image.layer.v1.tar+zstd", PACKING_ZSTD},
		{"application/vnd.docker.image.rootfs.diff.tar", PACKING_NONE},
		{"application/vnd.docker.image.rootfs.diff.tar.gzip", PACKING_GZIP},
		{"application/vnd.docker.image.rootfs.diff.tar.zstd", PACKING_ZSTD},
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i].type) == 0) {
			*p = types[i].packing;
			return 0;
		}
	if (strstr(type, "encrypted"))
		return err_set(e, EINVAL,
			       "a layer is encrypted (%.100s); decrypt the image "
			       "first: skopeo copy --decryption-key",
			       type);
	if (strstr(type, "nondistributable") || strstr(type, "foreign"))
		return err_set(e, EINVAL,
			       "a layer is of a kind that registries do not "
			       "give away (%.100s), so it is not here",
			       type);
	return err_set(e, EINVAL,
		       "a layer is of the unknown kind %.100s; known are tars, "
		       "plain, by gzip and by zstd",
		       type);
}

static int read_layers(struct image_manifest *m, const json_t *layers, struct err *e)
{
	const json_t *json;
	size_t i;

	if (!json_is_array(layers))
		return err_set(e, EINVAL, "the manifest has no layers");
	if (manifest_layers(m, json_array_size(layers), e) < 0)
		return -e->code;
	json_array_foreach(layers, i, json)
	{
		struct image_layer *l = &m->layer[i];
		struct desc d;

		if (desc_read(&d, json, e) < 0 ||
		    layer_packing(d.type, &l->packing, e) < 0)
			return -e->code;
		l->digest = d.digest;
		l->size = d.size;
		l->summed = true;
		l->name = strdup(d.name);
		if (!l->name)
			return err_set(e, ENOMEM, "no memory for its layers");
	}
	return 0;
}

static int read_manifest(struct image_manifest *m, const struct source *s,
			 const struct desc *d, struct err *e)
{
	json_t *json = desc_load(s, d, e);
	struct desc config;
	int rc;

	if (!json)
		return -e->code;
	rc = desc_read(&config, json_object_get(json, "config"), e);
	if (rc == 0 && !is_config(config.type))
		rc = err_set(e, EINVAL, "it is no image of a root but %.100s",
			     config.type);
	if (rc == 0) {
		m->config = config.digest;
		m->config_summed = true;
		m->config_name = strdup(config.name);
		rc = m->config_name ? read_layers(m, json_object_get(json, "layers"), e)
				    : err_set(e, ENOMEM, "no memory for its config");
	}
	json_decref(json);
	return rc;
}

/* ---- indexes ---- */

struct choice {
	const struct source *s;
	const char *tag, *arch;
	struct desc found;
	unsigned int n;    /* manifests that could be meant, each counted once */
	unsigned int read; /* indexes below index.json */
	bool below;        /* has the entry of index.json that is looked at given one */
	char tags[160];    /* that there are */
	char others[160];  /* platforms that are not this one */
	char kind[101];    /* of something that is no image; "": there is none */
};

static void append(char *text, size_t size, const char *word)
{
	size_t n = strlen(text);

	if (!strstr(text, word))
		(void)snprintf(text + n, size - n, "%s%s", n ? ", " : "", word);
}

/* Is @json for this machine, as far as it says? */
static bool platform_fits(struct choice *c, const json_t *json)
{
	const json_t *p = json_object_get(json, "platform");
	const char *os = json_string_value(json_object_get(p, "os"));
	const char *arch = json_string_value(json_object_get(p, "architecture"));
	char name[80];

	if (!p || !os || !arch)
		return true;
	if (strcmp(os, "linux") == 0 && strcmp(arch, c->arch) == 0)
		return true;
	(void)snprintf(name, sizeof(name), "%.30s/%.30s", os, arch);
	if (strcmp(os, "unknown") != 0) /* what build tools put beside images */
		append(c->others, sizeof(c->others), name);
	return false;
}

static int choose(struct choice *c, const json_t *index, unsigned int depth,
		  struct err *e);

static int choose_one(struct choice *c, const json_t *json, unsigned int depth,
		      struct err *e)
{
	struct desc d = {.size = 0};
	json_t *below;
	int rc = desc_read(&d, json, e);

	/* in an index below, the first that fits is meant */
	if (rc < 0 || c->below)
		return rc;
	if (is_index(d.type)) {
		if (depth == INDEX_DEPTH)
			return err_set(e, ELOOP,
				       "its indexes name each other more than %d deep",
				       INDEX_DEPTH);
		if (++c->read > INDEX_MOST)
			return err_set(e, E2BIG,
				       "its indexes name more than %d others, the most "
				       "that are read",
				       INDEX_MOST);
		below = desc_load(c->s, &d, e);
		if (!below)
			return -e->code;
		rc = choose(c, below, depth + 1, e);
		json_decref(below);
		return rc;
	}
	/* the specification wants others passed over */
	if (!is_manifest(d.type)) {
		(void)snprintf(c->kind, sizeof(c->kind), "%s", d.type);
		return 0;
	}
	if (!platform_fits(c, json))
		return 0;
	c->below = depth > 0;
	if (c->n && digest_same(&d.digest, &c->found.digest))
		return 0;
	d.type = NULL; /* it belongs to @json */
	c->found = d;
	c->n++;
	return 0;
}

static int choose(struct choice *c, const json_t *index, unsigned int depth,
		  struct err *e)
{
	const json_t *all = json_object_get(index, "manifests"), *json;
	size_t i;

	if (!json_is_array(all))
		return err_set(e, EINVAL, "an index of it has no manifests");
	json_array_foreach(all, i, json)
	{
		const json_t *notes = json_object_get(json, "annotations");
		const char *name = json_string_value(json_object_get(notes, REF_NAME));

		if (!depth && name)
			append(c->tags, sizeof(c->tags), name);
		if (!depth && c->tag && (!name || strcmp(name, c->tag) != 0))
			continue;
		if (!depth)
			c->below = false;
		if (choose_one(c, json, depth, e) < 0)
			return -e->code;
	}
	return 0;
}

static int choice_failed(const struct choice *c, struct err *e)
{
	if (c->n > 1)
		return err_usage(e, "it has %u images; name one by its tag%s%s", c->n,
				 *c->tags ? ", one of: " : "", c->tags);
	if (*c->others)
		return err_set(e, ENOENT,
			       "it is not for this machine (linux/%s), but for "
			       "%s",
			       c->arch, c->others);
	if (*c->kind)
		return err_set(e, EINVAL,
			       "it has something of the unknown kind %s; an "
			       "image is a manifest or an index of OCI or Docker",
			       c->kind);
	if (c->tag)
		return err_usage(e, "it has no image with the tag %.60s%s%s", c->tag,
				 *c->tags ? "; it has " : "", c->tags);
	return err_usage(e, "there is no image in it");
}

int manifest_oci(struct image_manifest *m, const struct source *s, const char *tag,
		 const char *arch, struct err *e)
{
	struct choice c = {.s = s, .tag = tag, .arch = arch};
	char *text;
	json_t *index;
	size_t len;
	int rc;

	if (source_read(s, "index.json", IMAGE_JSON, NULL, &text, &len, e) < 0)
		return e->code == ENOENT
			       ? err_usage(e,
					   "it is no image in the layout of OCI: it has "
					   "no index.json")
			       : -e->code;
	index = manifest_json("index.json", text, len, e);
	free(text);
	if (!index)
		return -e->code;
	rc = choose(&c, index, 0, e);
	json_decref(index);
	if (rc == 0 && c.n != 1)
		rc = choice_failed(&c, e);
	return rc < 0 ? rc : read_manifest(m, s, &c.found, e);
}

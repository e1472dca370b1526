/* SPDX-License-Identifier: Apache-2.0 */
/* manifest - what is common to all kinds, and docker's own. */
#include "vmm/image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

json_t *manifest_json(const char *name, const char *text, size_t len, struct err *e)
{
	json_error_t why;
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (!json)
		err_set(e, EINVAL, "%.100s is no JSON: %.100s, line %d", name, why.text,
			why.line);
	return json;
}

int manifest_layers(struct image_manifest *m, size_t n, struct err *e)
{
	if (n > IMAGE_LAYERS)
		return err_set(e, E2BIG, "it has %zu layers, and may have %d", n,
			       IMAGE_LAYERS);
	m->layer = calloc(n + 1, sizeof(*m->layer));
	m->n = (unsigned int)n;
	return m->layer ? 0 : err_set(e, ENOMEM, "no memory for its layers");
}

void manifest_free(struct image_manifest *m)
{
	for (unsigned int i = 0; i < m->n; i++)
		free(m->layer[i].name);
	free(m->layer);
	free(m->config_name);
	image_text_free(&m->text);
	*m = (struct image_manifest){0};
}

int manifest_read(struct image_manifest *m, const struct source *s, const char *tag,
		  const char *arch, struct err *e)
{
	int rc;

	*m = (struct image_manifest){0};
	if (s->kind == SOURCE_DOCKER_ARCHIVE)
		rc = manifest_docker(m, s, tag, e);
	else
		rc = manifest_oci(m, s, tag, arch, e);
	return rc < 0 ? rc : manifest_config(m, s, arch, e);
}

/* ---- docker ---- */

static bool docker_tagged(const json_t *image, const char *tag)
{
	const json_t *tags = json_object_get(image, "RepoTags"), *t;
	size_t i;

	json_array_foreach(tags, i, t)
	{
		const char *is = json_string_value(t);
		const char *colon = is ? strrchr(is, ':') : NULL;

		/* all of it, or what is after the colon */
		if (is &&
		    (strcmp(is, tag) == 0 || (colon && strcmp(colon + 1, tag) == 0)))
			return true;
	}
	return false;
}

static void docker_tags(const json_t *images, char *text, size_t size)
{
	const json_t *image, *t;
	size_t i, j, n = 0;

	text[0] = '\0';
	json_array_foreach(images, i, image)
		json_array_foreach(json_object_get(image, "RepoTags"), j,
				   t) if (json_is_string(t) && n < size)
			n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "",
					      json_string_value(t));
}

static const json_t *docker_choose(const json_t *images, const char *tag, struct err *e)
{
	const json_t *image, *found = NULL;
	unsigned int n = 0;
	char tags[200];
	size_t i;

	json_array_foreach(images, i, image) if (!tag || docker_tagged(image, tag))
	{
		found = image;
		n++;
	}
	if (n == 1)
		return found;
	docker_tags(images, tags, sizeof(tags));
	if (n > 1)
		err_usage(e, "it has %u images; name one, as in FILE:TAG: %s", n, tags);
	else
		err_usage(e, "it has no image %.60s%s%s", tag ? tag : "at all",
			  *tags ? "; it has " : "", tags);
	return NULL;
}

/* "blobs/sha256/HEX" or "HEX.json": by its name the digest of the config */
static void docker_digest(struct image_manifest *m)
{
	const char *slash = strrchr(m->config_name, '/');
	char text[DIGEST_TEXT];

	(void)snprintf(text, sizeof(text), "sha256:%.64s",
		       slash ? slash + 1 : m->config_name);
	m->config_summed = digest_parse(text, &m->config);
}

static int docker_image(struct image_manifest *m, const json_t *image, struct err *e)
{
	const char *config = json_string_value(json_object_get(image, "Config"));
	const json_t *layers = json_object_get(image, "Layers"), *l;
	size_t i;

	if (!config || !json_is_array(layers))
		return err_set(e, EINVAL, "its manifest.json names no config and layers");
	if (manifest_layers(m, json_array_size(layers), e) < 0)
		return -e->code;
	m->config_name = strdup(config);
	json_array_foreach(layers, i, l)
	{
		if (!json_is_string(l))
			return err_set(e, EINVAL,
				       "its manifest.json has a layer without "
				       "a name");
		m->layer[i].name = strdup(json_string_value(l));
		m->layer[i].packing = PACKING_UNKNOWN;
		if (!m->layer[i].name)
			return err_set(e, ENOMEM, "no memory for its layers");
	}
	if (!m->config_name)
		return err_set(e, ENOMEM, "no memory for its config");
	docker_digest(m);
	return 0;
}

int manifest_docker(struct image_manifest *m, const struct source *s, const char *tag,
		    struct err *e)
{
	cleanup_free char *text = NULL;
	json_t *images;
	const json_t *image;
	size_t len;
	int rc;

	if (source_read(s, "manifest.json", IMAGE_JSON, NULL, &text, &len, e) < 0)
		return e->code == ENOENT
			       ? err_usage(e, "it has no manifest.json, so it is not "
					      "from docker save; a tar of a root goes "
					      "without docker-archive:")
			       : -e->code;
	images = manifest_json("manifest.json", text, len, e);
	if (!images)
		return -e->code;
	image = docker_choose(images, tag, e);
	rc = image ? docker_image(m, image, e) : -e->code;
	json_decref(images);
	return rc;
}

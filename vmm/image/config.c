/* SPDX-License-Identifier: Apache-2.0 */
/* config - an image's config, as words (image-spec, Image Configuration). */
#include "vmm/image/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

static int wrong(const char *field, const char *should, struct err *e)
{
	return err_set(e, EINVAL, "its config's %s is no %s", field, should);
}

static int add_string(struct image_text *t, const json_t *in, const char *field,
		      const char *name, struct err *e)
{
	const json_t *v = json_object_get(in, field);
	const char *text = json_string_value(v);

	if (!v || json_is_null(v) || (text && !*text))
		return 0;
	return text ? image_text_add(t, e, "%s=%s", name, text)
		    : wrong(field, "string", e);
}

static int add_list(struct image_text *t, const json_t *in, const char *field,
		    const char *name, struct err *e)
{
	const json_t *list = json_object_get(in, field), *v;
	size_t i;
	int rc = 0;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list))
		return wrong(field, "list", e);
	json_array_foreach(list, i, v)
	{
		if (!json_is_string(v))
			return wrong(field, "list of strings", e);
		rc = image_text_add(t, e, "%s=%s", name, json_string_value(v));
		if (rc < 0)
			break;
	}
	return rc;
}

/* An object, whose names are a set; with @values, each has one */
static int add_set(struct image_text *t, json_t *in, const char *field, const char *name,
		   bool values, struct err *e)
{
	json_t *set = json_object_get(in, field), *v;
	const char *key;
	int rc = 0;

	if (!set || json_is_null(set))
		return 0;
	if (!json_is_object(set))
		return wrong(field, "set", e);
	json_object_foreach(set, key, v)
	{
		if (values && !json_is_string(v))
			return wrong(field, "set of strings", e);
		rc = values ? image_text_add(t, e, "%s=%s=%s", name, key,
					     json_string_value(v))
			    : image_text_add(t, e, "%s=%s", name, key);
		if (rc < 0)
			break;
	}
	return rc;
}

/* Every variable is NAME=VALUE, or the agent would not take it */
static int check_env(const struct image_text *t, struct err *e)
{
	for (const char *v = NULL; (v = image_text_next(t, "env", v));)
		if (!strchr(v, '=') || *v == '=')
			return err_set(e, EINVAL,
				       "its config has the variable %.60s, "
				       "which is not NAME=VALUE",
				       v);
	return 0;
}

static int add_all(struct image_text *t, json_t *json, json_t *config, struct err *e)
{
	int rc = add_string(t, json, "created", "created", e);

	if (rc == 0)
		rc = add_list(t, config, "Entrypoint", "entrypoint", e);
	if (rc == 0)
		rc = add_list(t, config, "Cmd", "cmd", e);
	if (rc == 0)
		rc = add_list(t, config, "Env", "env", e);
	if (rc == 0)
		rc = add_string(t, config, "User", "user", e);
	if (rc == 0)
		rc = add_string(t, config, "WorkingDir", "workdir", e);
	if (rc == 0)
		rc = add_set(t, config, "Volumes", "volume", false, e);
	if (rc == 0)
		rc = add_set(t, config, "ExposedPorts", "port", false, e);
	if (rc == 0)
		rc = add_set(t, config, "Labels", "label", true, e);
	if (rc == 0)
		rc = add_string(t, config, "StopSignal", "stopsignal", e);
	return rc == 0 ? check_env(t, e) : rc;
}

static int add_platform(struct image_text *t, const json_t *json, const char *arch,
			struct err *e)
{
	const char *os = json_string_value(json_object_get(json, "os"));
	const char *is = json_string_value(json_object_get(json, "architecture"));

	if (!os || !is)
		return err_set(e, EINVAL,
			       "its config does not say for which os and "
			       "architecture it is");
	if (strcmp(os, "linux") != 0 || strcmp(is, arch) != 0)
		return err_set(e, ENOENT,
			       "it is not for this machine (linux/%s), but for "
			       "%.30s/%.30s",
			       arch, os, is);
	return image_text_add(t, e, "os=%s", os) < 0 ||
			       image_text_add(t, e, "architecture=%s", is) < 0
		       ? -e->code
		       : 0;
}

/* What it unpacks to, and what it is packed */
static int add_layer(struct image_text *t, const struct image_layer *l, struct err *e)
{
	char text[DIGEST_TEXT];

	digest_text(&l->plain, text);
	if (image_text_add(t, e, "layer=%s", text) < 0)
		return -e->code;
	if (!l->summed)
		return 0;
	digest_text(&l->digest, text);
	return image_text_add(t, e, "blob=%s", strchr(text, ':') + 1);
}

static int read_layers(struct image_manifest *m, const json_t *json, struct err *e)
{
	const json_t *ids = json_object_get(json_object_get(json, "rootfs"), "diff_ids");

	if (!json_is_array(ids) || json_array_size(ids) != m->n)
		return err_set(e, EINVAL,
			       "its config says it has %zu layers, and there "
			       "are %u",
			       json_array_size(ids), m->n);
	for (unsigned int i = 0; i < m->n; i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (!id || !digest_parse(id, &m->layer[i].plain))
			return err_set(e, EINVAL,
				       "its config has a layer whose diff_id "
				       "is none of sha256");
		if (add_layer(&m->text, &m->layer[i], e) < 0)
			return -e->code;
	}
	return 0;
}

static int read_config(struct image_manifest *m, json_t *json, const char *arch,
		       struct err *e)
{
	char digest[DIGEST_TEXT];
	json_t *config = json_object_get(json, "config");
	int rc;

	digest_text(&m->config, digest);
	rc = image_text_add(&m->text, e, "config=%s", digest);
	if (rc == 0 && !json_is_object(json))
		rc = err_set(e, EINVAL, "its config is no object of JSON");
	if (rc == 0)
		rc = add_platform(&m->text, json, arch, e);
	if (rc == 0)
		rc = read_layers(m, json, e);
	return rc == 0 ? add_all(&m->text, json, config, e) : rc;
}

int manifest_config(struct image_manifest *m, const struct source *s, const char *arch,
		    struct err *e)
{
	cleanup_free char *text = NULL;
	struct digest_sum sum;
	json_t *json;
	size_t len;
	int rc;

	if (source_read(s, m->config_name, IMAGE_JSON,
			m->config_summed ? &m->config : NULL, &text, &len, e) < 0)
		return -e->code;
	if (!m->config_summed) {
		digest_begin(&sum);
		digest_add(&sum, text, len);
		digest_end(&sum, &m->config);
	}
	json = manifest_json("its config", text, len, e);
	if (!json)
		return -e->code;
	rc = read_config(m, json, arch, e);
	json_decref(json);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* show - the words about an image, as JSON named as OCI names them, and as lines. */
#include "vmm/image/show.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

enum shape { ONE, LIST, MAP, NUMBER };

/* In the order in which they are shown */
static const struct {
	const char *name; /* in the text */
	const char *json;
	bool config; /* JSON has it in "config" */
	enum shape shape;
} fields[] = {
	{"config", "digest", false, ONE},
	{"source", "source", false, ONE},
	{"os", "os", false, ONE},
	{"architecture", "architecture", false, ONE},
	{"created", "created", false, ONE},
	{"size", "size", false, NUMBER},
	{"files", "files_size", false, NUMBER},
	{"entries", "entries", false, NUMBER},
	{"sum", "squashfs", false, ONE},
	{"skipped", "skipped", false, ONE},
	{"layer", "layers", false, LIST},
	{"entrypoint", "Entrypoint", true, LIST},
	{"cmd", "Cmd", true, LIST},
	{"env", "Env", true, LIST},
	{"user", "User", true, ONE},
	{"workdir", "WorkingDir", true, ONE},
	{"volume", "Volumes", true, LIST},
	{"port", "ExposedPorts", true, LIST},
	{"label", "Labels", true, MAP},
	{"stopsignal", "StopSignal", true, ONE},
};

static json_t *list_json(const struct image_text *t, const char *name)
{
	json_t *list = json_array();

	for (const char *v = NULL; (v = image_text_next(t, name, v));)
		(void)json_array_append_new(list, json_string(v));
	return list;
}

static json_t *map_json(const struct image_text *t, const char *name)
{
	json_t *map = json_object();

	for (const char *v = NULL; (v = image_text_next(t, name, v));) {
		size_t n = strcspn(v, "=");
		cleanup_free char *key = strndup(v, n);

		if (key)
			(void)json_object_set_new(map, key,
						  json_string(v[n] ? v + n + 1 : ""));
	}
	return map;
}

static json_t *field_json(const struct image_text *t, size_t i)
{
	switch (fields[i].shape) {
	case LIST:
		return list_json(t, fields[i].name);
	case MAP:
		return map_json(t, fields[i].name);
	case NUMBER:
		return json_integer((json_int_t)image_text_number(t, fields[i].name));
	case ONE:
	default:
		return json_string(image_text_get(t, fields[i].name, ""));
	}
}

json_t *show_json(const struct cached *i)
{
	json_t *json = json_object(), *config = json_object();

	for (size_t n = 0; n < ARRAY_SIZE(fields); n++)
		if (image_text_get(&i->about, fields[n].name, NULL))
			(void)json_object_set_new(fields[n].config ? config : json,
						  fields[n].json,
						  field_json(&i->about, n));
	(void)json_object_set_new(json, "config", config);
	return json;
}

static void print(FILE *f, const char *name, const char *value)
{
	cleanup_free char *text = strdup(value);

	if (!text)
		return;
	text_printable(text, strlen(text));
	(void)fprintf(f, "%-14s %s\n", name, text);
}

void show_text(const struct cached *i, FILE *f)
{
	for (size_t n = 0; n < ARRAY_SIZE(fields); n++)
		for (const char *v = NULL;
		     (v = image_text_next(&i->about, fields[n].name, v));)
			print(f, fields[n].json, v);
}

void show_line(const struct cached *i, FILE *f)
{
	cleanup_free char *source = NULL;

	if (!i) {
		(void)fprintf(f, "%-12s  %9s  %6s  %s\n", "IMAGE", "SIZE", "LAYERS",
			      "FROM");
		return;
	}
	source = strdup(image_text_get(&i->about, "source", ""));
	if (!source)
		return;
	text_printable(source, strlen(source));
	unsigned int layers = 0;
	for (const char *v = NULL; (v = image_text_next(&i->about, "layer", v));)
		layers++;
	(void)fprintf(f, "%.12s  %5.1f MiB  %6u  %s\n", i->key,
		      (double)i->size / (double)MIB, layers, source);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_json - the settings as a JSON file.
 *
 * Every value is turned into the text that the command line would have and goes through the same
 * setter; JSON only adds a check of the types.
 */
#include "vmm/settings/config_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/settings/setting.h"

static const char *config_json_type(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction or exponent";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
	default:
		return "null";
	}
}

static int config_json_wrong_type(const json_t *v, const char *wanted, struct err *e)
{
	return err_usage(e, "it is %s; make it %s", config_json_type(v), wanted);
}

/* @v, which must be of @type, as text: its own, or made in @buf */
static int config_json_text(const json_t *v, enum setting_type type, char buf[24],
			    const char **text, struct err *e)
{
	static const char *const wanted[] = {
		[SETTING_TEXT] = "a string",
		[SETTING_PATH] = "a string",
		[SETTING_SOCKET] = "a string",
		[SETTING_NUMBER] = "a whole number",
		[SETTING_QUANTITY] = "a string with a unit or a whole number",
		[SETTING_SWITCH] = "true or false",
		[SETTING_LIST] = "a string, or a list of them",
	};
	bool string_ok = type != SETTING_NUMBER && type != SETTING_SWITCH;
	bool number_ok = type == SETTING_NUMBER || type == SETTING_QUANTITY;

	if (json_is_string(v) && string_ok) {
		*text = json_string_value(v);
		return 0;
	}
	if (json_is_integer(v) && number_ok) {
		(void)snprintf(buf, 24, "%lld", (long long)json_integer_value(v));
		*text = buf;
		return 0;
	}
	if (json_is_boolean(v) && type == SETTING_SWITCH) {
		*text = json_is_true(v) ? "on" : "off";
		return 0;
	}
	return config_json_wrong_type(v, wanted[type], e);
}

static int config_json_apply_part(struct setting_value *val, const struct setting_part *p,
				  struct config *cfg, const json_t *v, struct err *e)
{
	const char *text;
	char buf[24];
	json_t *item;
	size_t i;
	int rc = 0;

	if (p->type == SETTING_LIST && json_is_array(v)) {
		json_array_foreach(v, i, item)
		{
			rc = config_json_apply_part(val, p, cfg, item, e);
			if (rc < 0)
				break;
		}
		return rc;
	}
	if (config_json_text(v, p->type, buf, &text, e) < 0)
		return err_wrap(e, "%s", p->name);
	return setting_part_apply(val, p, cfg, text, e);
}

/* An object with parts, or the bare first one */
static int config_json_apply_parts(const struct setting *s, struct config *cfg, json_t *v,
				   struct err *e)
{
	struct setting_value val;
	const char *key;
	json_t *item;
	int rc;

	if (!json_is_object(v) && !s->parts->bare)
		return config_json_wrong_type(v, "an object", e);
	rc = setting_begin(&val, s, cfg, e);
	if (rc == 0 && !json_is_object(v))
		rc = config_json_apply_part(&val, &s->parts->part[0], cfg, v, e);
	json_object_foreach(v, key, item)
	{
		const struct setting_part *p = NULL;

		if (rc < 0)
			break;
		p = setting_part_find(s, key, e);
		rc = p ? config_json_apply_part(&val, p, cfg, item, e) : -e->code;
	}
	return rc < 0 ? rc : setting_end(&val, cfg, e);
}

static int config_json_apply_one(const struct setting *s, struct config *cfg, json_t *v,
				 struct err *e)
{
	const char *text = NULL;
	char buf[24];
	int rc;

	if (s->parts)
		return config_json_apply_parts(s, cfg, v, e);
	rc = config_json_text(v, s->type, buf, &text, e);
	return rc < 0 ? rc : setting_apply(s, cfg, text, e);
}

static int config_json_apply_row(const struct setting *s, struct config *cfg, json_t *v,
				 struct err *e)
{
	size_t i;
	json_t *item;

	if (!s->repeats) {
		if (config_json_apply_one(s, cfg, v, e) < 0)
			return err_wrap(e, "%s", s->name);
		return 0;
	}
	if (!json_is_array(v)) {
		config_json_wrong_type(v, "a list, in [ and ]", e);
		return err_wrap(e, "%s", s->name);
	}
	json_array_foreach(v, i, item) if (config_json_apply_one(s, cfg, item, e) <
					   0) return err_wrap(e, "%s[%zu]", s->name, i);
	return 0;
}

static int config_json_unknown(const char *key, struct err *e)
{
	const struct setting_habit *habit = setting_habit_find(key);
	const char *near = setting_nearest(key, true);

	if (setting_find(key, false))
		return err_usage(e, "\"%.60s\" is for the command line only; take it out",
				 key);
	if (habit && habit->ours && setting_find(habit->ours, true))
		return err_usage(e, "\"%.60s\" is not a setting; here it is \"%s\"", key,
				 habit->ours);
	if (near)
		return err_usage(e, "\"%.60s\" is not a setting; did you mean \"%s\"?",
				 key, near);
	return err_usage(e,
			 "\"%.60s\" is not a setting; they are those that --help lists, "
			 "without the dashes",
			 key);
}

int config_json_parse(struct config *cfg, const char *text, size_t len, const char *name,
		      struct err *e)
{
	json_error_t where;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	const char *key;
	json_t *v;
	int rc = 0;

	if (!root)
		return err_usage(e, "%.200s, line %d, column %d: %s", name, where.line,
				 where.column, where.text);
	if (!json_is_object(root))
		rc = config_json_wrong_type(root, "an object, in { and }", e);
	json_object_foreach(root, key, v)
	{
		const struct setting *s = setting_find(key, true);

		rc = s ? config_json_apply_row(s, cfg, v, e)
		       : config_json_unknown(key, e);
		if (rc < 0)
			break;
	}
	json_decref(root);
	return rc < 0 ? err_wrap(e, "%.200s", name) : 0;
}

int config_json_load(struct config *cfg, const char *path, struct err *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *text = NULL;
	long n;

	if (fd < 0)
		return err_usage(e,
				 "--config: cannot open %.200s: %s; give a file that can "
				 "be read",
				 path, strerror(errno));
	text = malloc(CONFIG_JSON_MAX + 1);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	n = read_full(fd, text, CONFIG_JSON_MAX + 1);
	if (n < 0)
		return err_usage(e, "--config: cannot read %.200s: %s; give a JSON file",
				 path, strerror((int)-n));
	if (n > (long)CONFIG_JSON_MAX)
		return err_usage(
			e, "--config: %.200s is larger than 1 MiB; give a JSON file",
			path);
	return config_json_parse(cfg, text, (size_t)n, path, e);
}

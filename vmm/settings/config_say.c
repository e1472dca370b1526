/* SPDX-License-Identifier: Apache-2.0 */
/* config_say - see config_say.h. */
#include "vmm/settings/config_say.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/settings/said.h"

/* The output so far */
struct say {
	json_t *root;
	json_t *value; /* the object of the value whose parts follow, borrowed; or NULL */
	unsigned int which; /* said_word's number of that value */
	char cwd[PATH_MAX]; /* "": not read yet */
};

/* @name from any directory.  Return: a copy to be freed; NULL with @e set */
static char *say_path(struct say *s, const char *name, enum setting_type type,
		      struct err *e)
{
	char *path = NULL;
	int n;

	if (*name != '/' && !*s->cwd && !getcwd(s->cwd, sizeof(s->cwd))) {
		err_set(e, errno,
			"the working directory has no name: %s; give absolute paths",
			strerror(errno));
		return NULL;
	}
	n = asprintf(&path, "%s%s%s", *name == '/' ? "" : s->cwd,
		     *name == '/' || strcmp(s->cwd, "/") == 0 ? "" : "/", name);
	if (n > CONFIG_SAY_SOCKET_MAX && type == SETTING_SOCKET) {
		free(path);
		path = strdup(name);
	}
	if (n < 0 || !path) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	return path;
}

static json_t *say_string(const struct said_word *w, const char *text, struct err *e)
{
	json_t *v = json_string(text);

	if (!v)
		err_set(e, EILSEQ,
			"%s: the value is no UTF-8, as all of a config file has to be; "
			"give it another name",
			w->row->name);
	return v;
}

/* A word in the type that config_json.c needs */
static json_t *say_text(struct say *s, const struct said_word *w, struct err *e)
{
	enum setting_type type = w->part ? w->part->type : w->row->type;
	char *path;
	json_t *v;

	switch (type) {
	case SETTING_NUMBER: /* the setter accepted it, so it is one */
		return json_integer((json_int_t)strtoull(w->text, NULL, 10));
	case SETTING_SWITCH:
		return json_boolean(strcmp(w->text, "on") == 0);
	case SETTING_PATH:
	case SETTING_SOCKET:
		path = say_path(s, w->text, type, e);
		v = path ? say_string(w, path, e) : NULL;
		free(path);
		return v;
	case SETTING_TEXT:
	case SETTING_QUANTITY:
	case SETTING_LIST:
	default:
		return say_string(w, w->text, e);
	}
}

/* Put @v, which it takes over, at @key of @o: in a list, at its end */
static int say_put(json_t *o, const char *key, bool list, json_t *v)
{
	json_t *l;

	if (!list)
		return json_object_set_new(o, key, v);
	l = json_object_get(o, key);
	if (!l) {
		l = json_array();
		if (json_object_set_new(o, key, l) < 0)
			l = NULL;
	}
	if (l)
		return json_array_append_new(l, v);
	json_decref(v);
	return -1;
}

/* The object of the value that @w is a part of */
static int say_begin(struct say *s, const struct said_word *w)
{
	if (s->value && s->which == w->value)
		return 0;
	s->value = json_object();
	s->which = w->value;
	return say_put(s->root, w->row->name, w->row->repeats, s->value);
}

static int say_word(struct say *s, const struct said_word *w, struct err *e)
{
	json_t *v = say_text(s, w, e);
	int rc;

	if (!v)
		return e->code ? -e->code : err_set(e, ENOMEM, "out of memory");
	if (!w->part)
		rc = say_put(s->root, w->row->name, w->row->repeats, v);
	else if ((rc = say_begin(s, w)) == 0)
		rc = say_put(s->value, w->part->name, w->part->type == SETTING_LIST, v);
	else
		json_decref(v);
	return rc < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

json_t *config_say(const struct config *cfg, struct err *e)
{
	struct say s = {.root = json_object()};
	int rc = s.root ? 0 : err_set(e, ENOMEM, "out of memory");

	if (s.root)
		*e = (struct err){0};
	for (unsigned int i = 0; rc == 0 && cfg->said && i < cfg->said->n; i++)
		rc = say_word(&s, &cfg->said->word[i], e);
	if (rc == 0)
		return s.root;
	json_decref(s.root);
	return NULL;
}

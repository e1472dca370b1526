/* SPDX-License-Identifier: Apache-2.0 */
/* setting - how a text reaches its row's setter: look-up, parts, commas. */
#include "vmm/settings/setting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"
#include "vmm/settings/said.h"

static bool setting_visible(const struct setting *s, bool json)
{
	return !json || s->role == ROLE_MACHINE;
}

const struct setting *setting_find(const char *name, bool json)
{
	for (unsigned int i = 0; i < setting_count; i++)
		if (setting_visible(&setting_table[i], json) &&
		    strcmp(setting_table[i].name, name) == 0)
			return &setting_table[i];
	return NULL;
}

const char *setting_nearest(const char *name, bool json)
{
	struct nearest n = {.given = name};

	for (unsigned int i = 0; i < setting_count; i++)
		if (setting_visible(&setting_table[i], json))
			nearest_offer(&n, setting_table[i].name);
	return n.best;
}

int setting_apply(const struct setting *s, struct config *cfg, const char *value,
		  struct err *e)
{
	if (s->arch && strcmp(s->arch, arch_name) != 0)
		return err_usage(
			e, "this exists on %s only, and this host is %s; leave it out",
			s->arch, arch_name);
	if (!*value && !s->empty_ok)
		return err_usage(e, "the value is empty; give one, or leave it out");
	if (s->set(cfg, value, e) < 0 || said_begin(cfg, s, e) < 0)
		return -e->code;
	return said_add(cfg, s, NULL, value, e);
}

int setting_begin(struct setting_value *v, const struct setting *s, struct config *cfg,
		  struct err *e)
{
	int rc = s->parts->begin(cfg, e);

	*v = (struct setting_value){.row = s};
	return rc < 0 ? rc : said_begin(cfg, s, e);
}

static bool setting_part_is(const struct setting_part *p, const char *name)
{
	return strcmp(p->name, name) == 0 || (p->alias && strcmp(p->alias, name) == 0);
}

const struct setting_part *setting_part_find(const struct setting *s, const char *name,
					     struct err *e)
{
	const char *habit = setting_habit_part(s->name, name);
	struct nearest n = {.given = name};

	for (unsigned int i = 0; i < s->parts->n; i++) {
		if (setting_part_is(&s->parts->part[i], name))
			return &s->parts->part[i];
		nearest_offer(&n, s->parts->part[i].name);
		if (s->parts->part[i].alias)
			nearest_offer(&n, s->parts->part[i].alias);
	}
	if (habit)
		err_usage(e, "\"%.60s\" is not known here; %s", name, habit);
	else if (n.best)
		err_usage(e, "\"%.60s\" is not known here; did you mean \"%s\"?", name,
			  n.best);
	else
		err_usage(e,
			  "\"%.60s\" is not known here; the value is %s, and a comma in "
			  "a name is written twice",
			  name, s->arg);
	return NULL;
}

int setting_part_apply(struct setting_value *v, const struct setting_part *p,
		       struct config *cfg, const char *value, struct err *e)
{
	uint32_t bit = UINT32_C(1) << (p - v->row->parts->part);

	if ((v->seen & bit) && p->type != SETTING_LIST)
		return err_usage(e, "%s is given twice; give it once", p->name);
	v->seen |= bit;
	if (!*value)
		return err_usage(e, "%s has no value; give one, or leave it out",
				 p->name);
	if (p->set(cfg, value, e) < 0)
		return err_wrap(e, "%s", p->name);
	return said_add(cfg, v->row, p, value, e);
}

int setting_end(struct setting_value *v, struct config *cfg, struct err *e)
{
	return v->row->parts->end(cfg, e);
}

/* Cut the next element off *@text in place: up to a single comma, two of them becoming
 * one.  *@text is NULL after the last.
 */
static char *setting_next_element(char **text)
{
	char *start = *text, *from = start, *to = start;

	*text = NULL;
	for (; *from; from++) {
		if (*from == ',' && from[1] != ',') {
			*text = from + 1;
			break;
		}
		if (*from == ',')
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return start;
}

/* Is @element the first part without its name? A path may hold a '=': only a name that this row
 * has, or that another program uses for one of its parts, makes it a named part.
 */
static bool setting_is_bare(const struct setting *s, const char *element)
{
	size_t len = strcspn(element, "=");
	char word[32];

	if (!s->parts->bare || element[len] != '=')
		return s->parts->bare;
	(void)snprintf(word, sizeof(word), "%.*s", (int)MIN(len, sizeof(word) - 1),
		       element);
	if (setting_habit_part(s->name, word))
		return false;
	for (unsigned int i = 0; i < s->parts->n; i++) {
		const char *name = s->parts->part[i].name;

		if (strlen(name) == len && strncmp(name, element, len) == 0)
			return false;
	}
	switch (s->parts->part[0].type) {
	case SETTING_TEXT:
	case SETTING_PATH:
	case SETTING_SOCKET:
		return true;
	case SETTING_NUMBER:
	case SETTING_QUANTITY:
	case SETTING_SWITCH:
	case SETTING_LIST:
	default:
		return false;
	}
}

static int setting_apply_element(struct setting_value *v, char *element, bool first,
				 struct config *cfg, struct err *e)
{
	const struct setting *s = v->row;
	const struct setting_part *p;
	char *value;

	if (!*element)
		return err_usage(
			e, "there is nothing at one side of a comma; take the comma "
			   "out, or write it twice if it is part of a name");
	if (first && setting_is_bare(s, element))
		return setting_part_apply(v, &s->parts->part[0], cfg, element, e);
	value = strchr(element, '=');
	if (value)
		*value++ = '\0';
	p = setting_part_find(s, element, e);
	if (!p)
		return -e->code;
	if (!value && p->type != SETTING_SWITCH)
		return err_usage(e, "%s has no value; write %s=VALUE", p->name, p->name);
	return setting_part_apply(v, p, cfg, value ? value : "on", e);
}

int setting_apply_text(const struct setting *s, struct config *cfg, const char *text,
		       struct err *e)
{
	cleanup_free char *copy = NULL;
	struct setting_value v;
	char *rest;
	int rc;

	if (!s->parts)
		return setting_apply(s, cfg, text, e);
	if (!*text)
		return err_usage(e, "the value is empty; give %s", s->arg);
	if (s->parts->none && strcmp(text, "none") == 0) {
		s->parts->none(cfg);
		return said_none(cfg, s, e);
	}
	rest = copy = strdup(text);
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	rc = setting_begin(&v, s, cfg, e);
	for (bool first = true; rc == 0 && rest; first = false)
		rc = setting_apply_element(&v, setting_next_element(&rest), first, cfg,
					   e);
	return rc < 0 ? rc : setting_end(&v, cfg, e);
}

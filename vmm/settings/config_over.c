/* SPDX-License-Identifier: Apache-2.0 */
/* config_over - see config_over.h. */
#include "vmm/settings/config_over.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/settings/config_say.h"
#include "vmm/settings/said.h"

/* The lists of devices that a guest knows */
static const struct over_list {
	const char *row;
	const char *key; /* the part that tells one from another; NULL: its place does */
	const char *prefix; /* of the id of one that was given none */
	const char *what;
	bool moves; /* it may be given as ID=PATH */
} lists[] = {
	{"disk", "id", "blk", "disk", true},
	{"pmem", NULL, "pmem", "pmem", true},
	{"net", "id", "net", "card", false},
	{"port", "name", "port", "port", false},
	{"share", "tag", "share", "share", false},
};

/* What stays of a device if its words do not name it */
static const char *const kept[][2] = {{"console", "device"}, {"vsock", "cid"}};

/* What the guest has in its memory already */
static const char *const booted[] = {"kernel",  "initrd",   "append",
				     "cmdline", "dump-dtb", "dtb-overlay"};

/* What another process was asked by and wrote to, and how it was locked up: never of a saved machine, whose
 * file anyone may have made, a guest that had the process among them
 */
static const char *const own[] = {"control", "report", "pidfile", "jail"};

#define OVER_ID (CONFIG_PORT_NAME_MAX + 1)

static int over_no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* Of the item @i of a list in @buf.  @def: also if it was given none */
static bool over_id(const struct over_list *l, const json_t *item, size_t i, bool def,
		    char buf[OVER_ID])
{
	const char *id = l->key ? json_string_value(json_object_get(item, l->key)) : NULL;

	if (!id && !def)
		return false;
	if (id)
		(void)snprintf(buf, OVER_ID, "%s", id);
	else
		(void)snprintf(buf, OVER_ID, "%s%zu", l->prefix, i);
	return true;
}

/* Return: the place in @saved of the device @id, or -1 */
static long over_find(const struct over_list *l, const json_t *saved, const char *id,
		      size_t len)
{
	char buf[OVER_ID];
	const json_t *item;
	size_t i;

	json_array_foreach(saved, i, item) if (over_id(l, item, i, true, buf) &&
					       strlen(buf) == len &&
					       memcmp(buf, id, len) == 0) return (long)i;
	return -1;
}

static int over_unknown(const struct over_list *l, const json_t *saved, const char *id,
			struct err *e)
{
	char all[256] = "", buf[OVER_ID];
	const json_t *item;
	size_t i;

	json_array_foreach(saved, i, item)
	{
		size_t n = strlen(all);

		(void)over_id(l, item, i, true, buf);
		(void)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "", buf);
	}
	if (!*all)
		return err_usage(e,
				 "--%s: the machine was saved without a %s, and none can "
				 "be added to it; leave it out",
				 l->row, l->what);
	return err_usage(e,
			 "--%s: the machine that was saved has no %s \"%.60s\"; it has "
			 "%s, and none can be added",
			 l->row, l->what, id, all);
}

/* ---- ID=PATH ---- */

/* For each value of a list: the place in the saved list that it only moves, or -1 */
struct over_moves {
	long at[CONFIG_DISKS_MAX];
};

/* @w is a value of its own: if it is ID=PATH, it becomes PATH. Return: the place of ID, or -1 */
static long over_move(const struct over_list *l, const json_t *saved, struct said_word *w)
{
	const char *eq = strchr(w->text, '=');
	long at;

	if (!l->moves || !w->part || strcmp(w->part->name, "path") != 0 || !eq || !eq[1])
		return -1;
	at = over_find(l, saved, w->text, (size_t)(eq - w->text));
	if (at >= 0)
		memmove(w->text, eq + 1, strlen(eq + 1) + 1);
	return at;
}

static void over_find_moves(const struct over_list *l, const json_t *saved,
			    const struct config_said *s, struct over_moves *m)
{
	unsigned int n = 0;

	for (unsigned int i = 0; s && i < s->n && n < CONFIG_DISKS_MAX; n++) {
		struct said_word *w = &s->word[i];
		unsigned int end = i + 1;

		while (end < s->n && s->word[end].value == w->value)
			end++;
		i = end;
		if (strcmp(w->row->name, l->row) != 0)
			n--;
		else
			m->at[n] = end - (unsigned int)(w - s->word) == 1
					   ? over_move(l, saved, w)
					   : -1;
	}
}

/* ---- objects ---- */

/* Which of @saved does @item replace?  Return: its place, or -errno */
static long over_place(const struct over_list *l, const json_t *saved, const json_t *item,
		       struct err *e)
{
	char id[OVER_ID] = "";
	long at = -1;

	if (over_id(l, item, 0, false, id))
		at = over_find(l, saved, id, strlen(id));
	else if (json_array_size(saved) == 1)
		at = 0;
	else if (json_array_size(saved))
		return err_usage(e,
				 "--%s: the machine that was saved has several; say with "
				 "%s which one this replaces",
				 l->row, l->key ? "id=" : "ID=PATH");
	return at < 0 ? over_unknown(l, saved, id, e) : at;
}

static int over_item(const struct over_list *l, json_t *saved, json_t *item, long at,
		     struct err *e)
{
	json_t *old, *id;
	int rc;

	if (at >= 0)
		return json_object_set(json_array_get(saved, (size_t)at), "path",
				       json_object_get(item, "path")) < 0
			       ? over_no_memory(e)
			       : 0;
	at = over_place(l, saved, item, e);
	if (at < 0)
		return (int)at;
	old = json_array_get(saved, (size_t)at);
	id = l->key ? json_object_get(old, l->key) : NULL;
	rc = id ? json_object_set(item, l->key, id) : 0;
	if (rc == 0)
		rc = json_array_set(saved, (size_t)at, item);
	return rc < 0 ? over_no_memory(e) : 0;
}

static int over_list(const struct over_list *l, json_t *saved, json_t *said,
		     const struct over_moves *m, struct err *e)
{
	json_t *from = json_object_get(said, l->row), *item;
	size_t i;
	int rc = 0;

	json_array_foreach(from, i, item)
	{
		rc = over_item(l, json_object_get(saved, l->row), item, m->at[i], e);
		if (rc < 0)
			break;
	}
	return rc < 0 || !from || json_object_del(said, l->row) == 0 ? rc
								     : over_no_memory(e);
}

/* All that is no list of devices: one for the other, and what it does not say stays as it was */
static int over_plain(json_t *saved, json_t *said, struct err *e)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(booted); i++)
		if (json_object_get(said, booted[i]))
			return err_usage(e,
					 "--%s: the guest has booted already, so nothing "
					 "would read it; leave it out",
					 booted[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
		json_t *v = json_object_get(said, kept[i][0]);
		json_t *old =
			json_object_get(json_object_get(saved, kept[i][0]), kept[i][1]);

		if (json_is_object(v) && old && !json_object_get(v, kept[i][1]) &&
		    json_object_set(v, kept[i][1], old) < 0)
			return over_no_memory(e);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(own); i++)
		(void)json_object_del(saved, own[i]);
	return json_object_update(saved, said) < 0 ? over_no_memory(e) : 0;
}

/* A device that the guest knows cannot be left out */
static int over_nones(const json_t *saved, const struct config_said *s, struct err *e)
{
	for (unsigned int i = 0; s && i < s->nnone; i++)
		if (json_object_get(saved, s->none[i]->name))
			return err_usage(e,
					 "--%s none: the machine was saved with it, and "
					 "nothing can be taken from it; leave it out",
					 s->none[i]->name);
	return 0;
}

int config_over(json_t *saved, const struct config *over, struct err *e)
{
	struct over_moves moves[ARRAY_SIZE(lists)];
	json_t *said;
	int rc = over_nones(saved, over->said, e);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++)
		over_find_moves(&lists[i], json_object_get(saved, lists[i].row),
				over->said, &moves[i]);
	said = config_say(over, e);
	if (!said)
		return -e->code;
	for (unsigned int i = 0; rc == 0 && i < ARRAY_SIZE(lists); i++)
		rc = over_list(&lists[i], saved, said, &moves[i], e);
	if (rc == 0)
		rc = over_plain(saved, said, e);
	json_decref(said);
	return rc;
}

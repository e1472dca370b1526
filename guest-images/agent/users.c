/* SPDX-License-Identifier: Apache-2.0 */
#include "guest-images/agent/users.h"

#include <string.h>

#include "guest-images/agent/spec.h"

#define ID_MAX     (UINT32_MAX - 1) /* the last one means "leave it" */
#define FIELDS     7
#define NAME_BYTES 256

/* A line's fields; what has none is empty */
struct line {
	struct text field[FIELDS];
	unsigned int n;
};

/* Take the next line off @file.  Return: was there one? */
static bool next_line(struct text *file, struct line *line)
{
	const char *p = file->p, *end;

	memset(line, 0, sizeof(*line));
	if (!file->len)
		return false;
	end = memchr(p, '\n', file->len);
	if (!end)
		end = p + file->len;
	file->len -= (size_t)(end - p);
	file->p = end;
	if (file->len) {
		file->p++;
		file->len--;
	}
	while (line->n < FIELDS) {
		const char *colon = memchr(p, ':', (size_t)(end - p));
		struct text *f = &line->field[line->n++];

		f->p = p;
		f->len = (size_t)((colon ? colon : end) - p);
		if (!colon)
			break;
		p = colon + 1;
	}
	return true;
}

static bool is(struct text field, const char *name)
{
	return field.len && field.len == strlen(name) &&
	       !memcmp(field.p, name, field.len);
}

static bool field_id(struct text field, uint32_t *id)
{
	char text[16];
	uint64_t v;

	if (field.len >= sizeof(text))
		return false;
	memcpy(text, field.p, field.len);
	text[field.len] = '\0';
	if (!number(text, ID_MAX, &v))
		return false;
	*id = (uint32_t)v;
	return true;
}

/* The passwd entry by name, or else by number.  Return: is there one? */
static bool find_passwd(struct user *u, struct text file, const char *name, bool by_id,
			uint32_t id)
{
	struct line l;
	uint32_t uid, gid;

	while (next_line(&file, &l)) {
		if (l.n < 4 || !field_id(l.field[2], &uid) || !field_id(l.field[3], &gid))
			continue;
		if (by_id ? uid != id : !is(l.field[0], name))
			continue;
		u->uid = uid;
		u->gid = gid;
		if (l.field[5].len && l.field[5].len < sizeof(u->home) &&
		    l.field[5].p[0] == '/') {
			memcpy(u->home, l.field[5].p, l.field[5].len);
			u->home[l.field[5].len] = '\0';
		}
		return true;
	}
	return false;
}

static bool find_group(gid_t *gid, struct text file, const char *name)
{
	struct line l;
	uint32_t id;

	while (next_line(&file, &l))
		if (l.n >= 3 && is(l.field[0], name) && field_id(l.field[2], &id)) {
			*gid = id;
			return true;
		}
	return false;
}

/* Is @name one of a list with commas? */
static bool listed(struct text list, const char *name)
{
	while (list.len) {
		const char *comma = memchr(list.p, ',', list.len);
		struct text one = {list.p, comma ? (size_t)(comma - list.p) : list.len};

		if (is(one, name))
			return true;
		list.p += one.len + (comma != NULL);
		list.len -= one.len + (comma != NULL);
	}
	return false;
}

static void find_groups(struct user *u, struct text file, const char *name)
{
	struct line l;
	uint32_t id;

	while (u->ngroups < USER_GROUPS && next_line(&file, &l))
		if (l.n >= 4 && listed(l.field[3], name) && field_id(l.field[2], &id))
			u->groups[u->ngroups++] = id;
}

/* The name of user @id, for the groups that it is in; "" if it has none */
static void name_of(struct text file, uint32_t id, char name[NAME_BYTES])
{
	struct line l;
	uint32_t uid;

	name[0] = '\0';
	while (next_line(&file, &l))
		if (l.n >= 4 && field_id(l.field[2], &uid) && uid == id &&
		    l.field[0].len < NAME_BYTES) {
			memcpy(name, l.field[0].p, l.field[0].len);
			name[l.field[0].len] = '\0';
			return;
		}
}

bool user_find(struct user *u, const char *who, struct text passwd, struct text group,
	       char why[AGENT_SENTENCE + 1])
{
	char name[NAME_BYTES], *colon;
	uint64_t id;

	memset(u, 0, sizeof(*u));
	strcpy(u->home, "/");
	if (!who || !*who)
		who = "0";
	if (strlen(who) >= sizeof(name))
		return sentence(why, "--user %.40s... is too long for a name", who);
	strcpy(name, who);
	colon = strchr(name, ':');
	if (colon)
		*colon++ = '\0';
	if (number(name, ID_MAX, &id)) {
		u->uid = (uid_t)id;
		if (find_passwd(u, passwd, NULL, true, (uint32_t)id))
			name_of(passwd, (uint32_t)id, name);
	} else if (!find_passwd(u, passwd, name, false, 0)) {
		return sentence(
			why,
			"the root's /etc/passwd has no user %s: name another, or a number",
			name);
	}
	if (!colon) {
		find_groups(u, group, name);
		return true;
	}
	if (number(colon, ID_MAX, &id))
		u->gid = (gid_t)id;
	else if (!find_group(&u->gid, group, colon))
		return sentence(
			why,
			"the root's /etc/group has no group %s: name another, or a number",
			colon);
	return true;
}

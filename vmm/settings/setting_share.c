/* SPDX-License-Identifier: Apache-2.0 */
/* setting_share - the parts of --share. */
#include "vmm/settings/setting_parts.h"

#include <stdio.h>
#include <string.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"

#define SHARE_TAG_MAX 36 /* virtio 1.2, 5.11.4 */

static struct config_share *share_of(struct config *cfg)
{
	return &cfg->share[cfg->nshare];
}

static int share_begin(struct config *cfg, struct err *e)
{
	if (cfg->nshare == CONFIG_SHARES_MAX)
		return err_usage(e,
				 "this is one too many; a machine has at most %d shared "
				 "directories",
				 CONFIG_SHARES_MAX);
	config_share_clear(share_of(cfg));
	return 0;
}

static int share_set_path(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&share_of(cfg)->path, value, e);
}

static int share_set_tag(struct config *cfg, const char *value, struct err *e)
{
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p > '~')
			return err_usage(e,
					 "it has a byte that is no printable ASCII; give "
					 "letters, digits and signs only");
	if (strlen(value) > SHARE_TAG_MAX)
		return err_usage(e, "\"%.60s\" is too long; give at most %d characters",
				 value, SHARE_TAG_MAX);
	return config_string(&share_of(cfg)->tag, value, e);
}

static int share_set_readonly(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&share_of(cfg)->readonly, value, e);
}

static int share_set_socket(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&share_of(cfg)->socket, value, e);
}

/* A guest cannot mount two directories of one name. */
static int share_check_tag(const struct config *cfg, struct err *e)
{
	const char *tag = cfg->share[cfg->nshare].tag;

	for (unsigned int i = 0; tag && i < cfg->nshare; i++)
		if (strcmp(tag, cfg->share[i].tag) == 0)
			return err_usage(e,
					 "two have the tag \"%s\" (without tag= it is "
					 "share0, share1, ...); give each its own",
					 tag);
	return 0;
}

static int share_end(struct config *cfg, struct err *e)
{
	const struct config_share *s = share_of(cfg);
	char name[sizeof("share4294967295")];
	int rc;

	if (!s->path && !s->socket)
		return err_usage(e, "there is no directory; give one, like path=/srv");
	if (s->path && s->socket)
		return err_usage(e,
				 "who listens at socket=%.60s chooses the directory; "
				 "leave out the path",
				 s->socket);
	if (s->socket && s->readonly)
		return err_usage(e,
				 "who listens at socket=%.60s decides who may write; "
				 "leave out ro",
				 s->socket);
	(void)snprintf(name, sizeof(name), "share%u", cfg->nshare);
	rc = s->tag ? 0 : share_set_tag(cfg, name, e);
	if (rc == 0)
		rc = share_check_tag(cfg, e);
	if (rc == 0)
		cfg->nshare++;
	return rc;
}

static const struct setting_part share_parts[] = {
	{"path", NULL, SETTING_PATH, share_set_path, "DIR", "the directory"},
	{"tag", NULL, SETTING_TEXT, share_set_tag, "NAME",
	 "what the guest mounts it by (share0, share1, ...)"},
	{"readonly", "ro", SETTING_SWITCH, share_set_readonly, NULL,
	 "the guest cannot change anything in it"},
	{"socket", NULL, SETTING_SOCKET, share_set_socket, "SOCKET",
	 "instead of path: a virtiofsd listens there"},
};

const struct setting_parts setting_share = {
	.part = share_parts,
	.n = ARRAY_SIZE(share_parts),
	.bare = true,
	.begin = share_begin,
	.end = share_end,
};

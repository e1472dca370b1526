/* SPDX-License-Identifier: Apache-2.0 */
/* setting_balloon - the parts of --balloon: its size, and what the guest reports unasked. */
#include "vmm/settings/setting_parts.h"

#include <errno.h>

#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define BALLOON_PAGE      UINT64_C(4096) /* virtio 1.2, 5.5.6: for any guest page size */
#define BALLOON_PAGES_MAX UINT32_MAX

static int balloon_begin(struct config *cfg, struct err *e)
{
	(void)e;
	cfg->balloon = (struct config_balloon){.reporting = true, .deflate_on_oom = true};
	return 0;
}

static int balloon_set_size(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;
	int rc = parse_size(value, &n);

	if (rc == -EINVAL)
		return err_usage(
			e,
			"\"%.60s\" is not a size; give a whole number with K, M or G, "
			"like 128M, or 0",
			value);
	if (rc < 0 || n / BALLOON_PAGE > BALLOON_PAGES_MAX)
		return err_usage(e, "\"%.60s\" is more than a balloon holds; give less",
				 value);
	if (n % BALLOON_PAGE)
		return err_usage(
			e,
			"\"%.60s\" is not a multiple of 4 KiB; give whole MiB, like %lluM",
			value, (unsigned long long)n / MIB + 1);
	cfg->balloon.size = n;
	cfg->balloon.on = true;
	return 0;
}

static int balloon_set_reporting(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->balloon.reporting, value, e);
}

static int balloon_set_deflate(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->balloon.deflate_on_oom, value, e);
}

static int balloon_end(struct config *cfg, struct err *e)
{
	const struct config_balloon *b = &cfg->balloon;

	if (!b->on)
		return err_usage(e,
				 "there is no size; give one, like size=128M or size=0");
	if (!b->size && !b->reporting)
		return err_usage(
			e, "size=0,reporting=off is a balloon without a use; give a "
			   "size, leave out reporting=off, or leave it all out");
	return 0;
}

static void balloon_none(struct config *cfg)
{
	cfg->balloon = (struct config_balloon){0};
}

static const struct setting_part balloon_parts[] = {
	{"size", NULL, SETTING_QUANTITY, balloon_set_size, "SIZE",
	 "what the guest is asked for at its start"},
	{"reporting", NULL, SETTING_SWITCH, balloon_set_reporting, NULL,
	 "what the guest has free goes to the host by itself (on)"},
	{"deflate-on-oom", NULL, SETTING_SWITCH, balloon_set_deflate, NULL,
	 "a guest that runs out of memory may take the balloon's (on)"},
};

const struct setting_parts setting_balloon = {
	.part = balloon_parts,
	.n = ARRAY_SIZE(balloon_parts),
	.bare = true,
	.begin = balloon_begin,
	.end = balloon_end,
	.none = balloon_none,
};

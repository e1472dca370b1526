/* SPDX-License-Identifier: Apache-2.0 */
/* setting_pmem - the parts of --pmem. */
#include "vmm/settings/setting_parts.h"

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"

static int pmem_begin(struct config *cfg, struct err *e)
{
	if (cfg->npmem == CONFIG_PMEMS_MAX)
		return err_usage(e, "this is one too many; a machine has at most %d",
				 CONFIG_PMEMS_MAX);
	config_pmem_clear(&cfg->pmem[cfg->npmem]);
	return 0;
}

static int pmem_set_path(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->pmem[cfg->npmem].path, value, e);
}

static int pmem_set_readonly(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->pmem[cfg->npmem].readonly, value, e);
}

static int pmem_end(struct config *cfg, struct err *e)
{
	if (!cfg->pmem[cfg->npmem].path)
		return err_usage(e, "there is no path; give one, like path=root.img");
	cfg->npmem++;
	return 0;
}

static const struct setting_part pmem_parts[] = {
	{"path", NULL, SETTING_PATH, pmem_set_path, "FILE", "the image, raw"},
	{"readonly", "ro", SETTING_SWITCH, pmem_set_readonly, NULL,
	 "the guest cannot write it, and other guests may use it"},
};

const struct setting_parts setting_pmem = {
	.part = pmem_parts,
	.n = ARRAY_SIZE(pmem_parts),
	.bare = true,
	.begin = pmem_begin,
	.end = pmem_end,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* setting_exit_port - the parts of --exit-port: where it is, and what a good guest writes to it. */
#include "vmm/settings/setting_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define EXIT_PORT_MAX 0xfffc /* it has four ports */

static int exit_port_begin(struct config *cfg, struct err *e)
{
	(void)e;
	cfg->exit_port = (struct config_exit_port){0};
	return 0;
}

/* "244", "0xf4" */
static int exit_port_number(const char *value, uint64_t max, uint64_t *out)
{
	char *end;

	if (value[0] != '0' || (value[1] != 'x' && value[1] != 'X') ||
	    !isxdigit((unsigned char)value[2]))
		return parse_uint(value, max, out);
	errno = 0;
	*out = strtoull(value, &end, 16);
	return errno || *end || *out > max ? -EINVAL : 0;
}

static int exit_port_set_port(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;

	if (exit_port_number(value, EXIT_PORT_MAX, &n) < 0)
		return err_usage(e,
				 "\"%.60s\" is no port; give one up to 0x%x, like 0xf4",
				 value, EXIT_PORT_MAX);
	cfg->exit_port.port = (uint16_t)n;
	cfg->exit_port.on = true;
	return 0;
}

static int exit_port_set_good(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;

	if (exit_port_number(value, UINT32_MAX, &n) < 0)
		return err_usage(e,
				 "\"%.60s\" is no number of 32 bits; give the one that a "
				 "guest writes when all is well, like 0x10",
				 value);
	cfg->exit_port.good = (uint32_t)n;
	cfg->exit_port.has_good = true;
	return 0;
}

static int exit_port_end(struct config *cfg, struct err *e)
{
	if (!cfg->exit_port.on)
		return err_usage(e, "there is no port; give one, like 0xf4");
	return 0;
}

static void exit_port_none(struct config *cfg)
{
	cfg->exit_port = (struct config_exit_port){0};
}

static const struct setting_part exit_port_parts[] = {
	{"port", NULL, SETTING_QUANTITY, exit_port_set_port, "PORT",
	 "the first of four ports; a write of 1, 2 or 4 bytes to them ends the machine"},
	{"good", NULL, SETTING_QUANTITY, exit_port_set_good, "N",
	 "with N the status is 0; with another value V it is QEMU's, V * 2 + 1"},
};

const struct setting_parts setting_exit_port = {
	.part = exit_port_parts,
	.n = ARRAY_SIZE(exit_port_parts),
	.bare = true,
	.begin = exit_port_begin,
	.end = exit_port_end,
	.none = exit_port_none,
};

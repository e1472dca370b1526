/* SPDX-License-Identifier: Apache-2.0 */
/* setting_parts - memory and network cards, and what values with parts have in common. */
#include "vmm/setting_parts.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/core/util.h"
#include "vmm/parse.h"

#define SETTING_BYTES_MIN 1024
#define SETTING_RATE_MAX  (INT64_MAX / 4) /* rate.h */
#define SETTING_MTU_MIN   68              /* virtio 1.2, 5.1.4.1 */

int parts_switch(bool *out, const char *value, struct err *e)
{
	if (parse_switch(value, out) < 0)
		return err_usage(e, "\"%.60s\" is neither on nor off; give one of them",
				 value);
	return 0;
}

int parts_bytes(uint64_t *out, const char *value, struct err *e)
{
	int rc = parse_size(value, out);

	if (rc == 0 && *out >= SETTING_BYTES_MIN && *out <= SETTING_RATE_MAX)
		return 0;
	return err_usage(e,
			 "\"%.60s\" is not a number of bytes that can be kept; give %d "
			 "or more, like 100M",
			 value, SETTING_BYTES_MIN);
}

int parts_ops(uint64_t *out, const char *value, struct err *e)
{
	if (parse_uint(value, SETTING_RATE_MAX, out) == 0 && *out > 0)
		return 0;
	return err_usage(e,
			 "\"%.60s\" is not a number of operations that can be kept; give "
			 "1 or more, like 500",
			 value);
}

int parts_rate_end(const struct config_rate *r, struct err *e)
{
	if (r->bytes_burst && !r->bytes)
		return err_usage(
			e, "bps-burst= is a part of a limit that is not there; give "
			   "bps=, too");
	if (r->ops_burst && !r->ops)
		return err_usage(
			e, "iops-burst= is a part of a limit that is not there; give "
			   "iops=, too");
	return 0;
}

/* --memory */

static int memory_begin(struct config *cfg, struct err *e)
{
	(void)e;
	cfg->memory = 0;
	cfg->hugepages = false;
	return 0;
}

static int memory_set_size(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;
	int rc = parse_size(value, &n);

	if (rc == -EINVAL)
		return err_usage(
			e,
			"\"%.60s\" is not a size; give a whole number with K, M, G "
			"or T, like 512M",
			value);
	if (rc < 0)
		return err_usage(e, "\"%.60s\" is more than any host has; give less",
				 value);
	if (n < CONFIG_MEMORY_MIN)
		return err_usage(
			e,
			"\"%.60s\" is %llu bytes, less than the 16 MiB a machine "
			"needs; give more, like 512M",
			value, (unsigned long long)n);
	cfg->memory = n;
	return 0;
}

static int memory_set_hugepages(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->hugepages, value, e);
}

static int memory_end(struct config *cfg, struct err *e)
{
	if (!cfg->memory)
		return err_usage(e, "there is no size; give one, like size=512M");
	return 0;
}

static const struct setting_part memory_parts[] = {
	{"size", NULL, SETTING_QUANTITY, memory_set_size},
	{"hugepages", NULL, SETTING_SWITCH, memory_set_hugepages},
};

const struct setting_parts setting_memory = {
	.part = memory_parts,
	.n = ARRAY_SIZE(memory_parts),
	.bare = true,
	.begin = memory_begin,
	.end = memory_end,
};

/* --net: the parts fill net[nnet], which net_end() then counts */

static int net_begin(struct config *cfg, struct err *e)
{
	if (cfg->nnet == CONFIG_NETS_MAX)
		return err_usage(e,
				 "this is one too many; a machine has at most %d cards",
				 CONFIG_NETS_MAX);
	config_net_clear(&cfg->net[cfg->nnet]);
	return 0;
}

static int net_set_tap(struct config *cfg, const char *value, struct err *e)
{
	/* what the kernel takes as a name; with a % it would make up its own */
	if (strlen(value) >= IFNAMSIZ || strpbrk(value, "/:% \t\n\v\f\r") ||
	    strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return err_usage(e,
				 "\"%.60s\" cannot name an interface; give at most %d "
				 "characters without space, /, : and %%",
				 value, IFNAMSIZ - 1);
	return config_string(&cfg->net[cfg->nnet].tap, value, e);
}

static int net_set_fd(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_uint(value, INT_MAX, &n) < 0 || n < 3)
		return err_usage(e,
				 "\"%.60s\" is not the number of an open tap; give 3 or "
				 "more (0 to 2 are the console's)",
				 value);
	cfg->net[cfg->nnet].fd = (int)n;
	return 0;
}

static int net_set_mac(struct config *cfg, const char *value, struct err *e)
{
	static const uint8_t zero[6];
	struct config_net *n = &cfg->net[cfg->nnet];
	uint8_t mac[6];

	if (parse_mac(value, mac) < 0)
		return err_usage(e,
				 "\"%.60s\" is not a MAC address; give six pairs of "
				 "hexadecimal digits, like 52:54:00:12:34:56",
				 value);
	if (mac[0] & 1)
		return err_usage(e,
				 "\"%s\" is a multicast address, no card's own; make the "
				 "first pair even, like 52",
				 value);
	if (memcmp(mac, zero, sizeof(mac)) == 0)
		return err_usage(e,
				 "\"%s\" is no card's address; give one like "
				 "52:54:00:12:34:56",
				 value);
	memcpy(n->mac, mac, sizeof(mac));
	n->has_mac = true;
	return 0;
}

static int net_set_mtu(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_uint(value, UINT16_MAX, &n) < 0 || n < SETTING_MTU_MIN)
		return err_usage(e, "\"%.60s\" is not an MTU; give %d to %d, like 1500",
				 value, SETTING_MTU_MIN, UINT16_MAX);
	cfg->net[cfg->nnet].mtu = (uint16_t)n;
	return 0;
}

static int net_set_vhost(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->net[cfg->nnet].vhost, value, e);
}

static int net_set_vhost_user(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->net[cfg->nnet].vhost_user, value, e);
}

static int net_end(struct config *cfg, struct err *e)
{
	const struct config_net *n = &cfg->net[cfg->nnet];

	if (n->vhost_user && (n->tap || n->fd >= 0 || n->vhost))
		return err_usage(e,
				 "who listens at vhost-user=%.60s has the other end; "
				 "give no tap, fd or vhost with it",
				 n->vhost_user);
	if (!n->tap && n->fd < 0 && !n->vhost_user)
		return err_usage(e, "there is no tap; give tap=NAME or fd=NUMBER");
	if (n->tap && n->fd >= 0)
		return err_usage(e,
				 "tap \"%s\" and fd %d are both given; give one of them",
				 n->tap, n->fd);
	cfg->nnet++;
	return 0;
}

static void net_none(struct config *cfg)
{
	cfg->nnet = 0;
}

static const struct setting_part net_parts[] = {
	{"tap", NULL, SETTING_TEXT, net_set_tap},
	{"fd", NULL, SETTING_NUMBER, net_set_fd},
	{"mac", NULL, SETTING_TEXT, net_set_mac},
	{"mtu", NULL, SETTING_NUMBER, net_set_mtu},
	{"vhost", NULL, SETTING_SWITCH, net_set_vhost},
	{"vhost-user", NULL, SETTING_TEXT, net_set_vhost_user},
};

const struct setting_parts setting_net = {
	.part = net_parts,
	.n = ARRAY_SIZE(net_parts),
	.begin = net_begin,
	.end = net_end,
	.none = net_none,
};

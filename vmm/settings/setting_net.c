/* SPDX-License-Identifier: Apache-2.0 */
/* setting_net - --net and its parts. */
#include "vmm/settings/setting.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"
#include "vmm/settings/setting_parts.h"

#define SETTING_MTU_MIN 68 /* virtio 1.2, 5.1.4.1 */

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

static int net_set_id(struct config *cfg, const char *value, struct err *e)
{
	return parts_id(cfg->net[cfg->nnet].id, value, e);
}

static int net_set_tap(struct config *cfg, const char *value, struct err *e)
{
	/* the kernel's rules for a name; for a % it would choose its own */
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
	return parts_fd(&cfg->net[cfg->nnet].fd, value, e);
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

static int net_set_user(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->net[cfg->nnet].user, value, e);
}

static int net_set_host(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->net[cfg->nnet].host, value, e);
}

static bool net_is_port(const char *s, uint64_t *n)
{
	return parse_uint(s, UINT16_MAX, n) == 0 && *n > 0;
}

/* [ADDRESS:]HOST:GUEST, cut at its colons in place.  passt gets the numbers that were
 * read here, not the operator's text, which it might read differently.
 */
static int net_parse_publish(struct config_publish *p, char *text)
{
	char *guest = strrchr(text, ':'), *host, shown[INET_ADDRSTRLEN] = "";
	struct in_addr address = {0};
	uint64_t from, to;

	if (!guest)
		return -EINVAL;
	*guest++ = '\0';
	host = strrchr(text, ':');
	if (host)
		*host++ = '\0';
	if (!net_is_port(guest, &to) || !net_is_port(host ? host : text, &from) ||
	    (host && inet_pton(AF_INET, text, &address) != 1))
		return -EINVAL;
	p->address = address.s_addr;
	p->port = (uint16_t)from;
	if (host)
		(void)inet_ntop(AF_INET, &address, shown, sizeof(shown));
	(void)snprintf(p->spec, sizeof(p->spec), "%s%s%u:%u", shown, host ? "/" : "",
		       (unsigned int)from, (unsigned int)to);
	return 0;
}

static bool net_same_port(const struct config_publish *a, const struct config_publish *b)
{
	return a->udp == b->udp && a->port == b->port &&
	       (a->address == b->address || !a->address || !b->address);
}

static int net_set_publish(struct config *cfg, const char *value, struct err *e)
{
	struct config_net *n = &cfg->net[cfg->nnet];
	struct config_publish p = {0};
	char text[32];
	size_t len = strcspn(value, "/");

	p.udp = strcmp(value + len, "/udp") == 0;
	if (n->npublish == CONFIG_PUBLISH_MAX)
		return err_usage(e, "\"%.60s\" is one too many; there can be %d", value,
				 CONFIG_PUBLISH_MAX);
	if (len < sizeof(text)) {
		memcpy(text, value, len);
		text[len] = '\0';
	}
	if (len >= sizeof(text) ||
	    (value[len] && !p.udp && strcmp(value + len, "/tcp") != 0) ||
	    net_parse_publish(&p, text) < 0)
		return err_usage(e,
				 "\"%.60s\" is no port to publish; give HOST:GUEST, like "
				 "8080:80, 127.0.0.1:8080:80 or 5353:53/udp",
				 value);
	for (unsigned int i = 0; i < n->npublish; i++)
		if (net_same_port(&p, &n->publish[i]))
			return err_usage(e,
					 "\"%.60s\": this host's port %u is published "
					 "already; give another one",
					 value, p.port);
	n->publish[n->npublish++] = p;
	return 0;
}

static int net_set_netns(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->net[cfg->nnet].netns, value, e);
}

/* Limits: what a direction's part sets */
#define NET_RATE(dir, part, parse, field)                                        \
	static int net_set_##dir##_##part(struct config *cfg, const char *value, \
					  struct err *e)                         \
	{                                                                        \
		return parts_##parse(&cfg->net[cfg->nnet].dir.field, value, e);  \
	}
NET_RATE(rx, bps, bytes, bytes)
NET_RATE(rx, bps_burst, bytes, bytes_burst)
NET_RATE(rx, iops, ops, ops)
NET_RATE(rx, iops_burst, ops, ops_burst)
NET_RATE(tx, bps, bytes, bytes)
NET_RATE(tx, bps_burst, bytes, bytes_burst)
NET_RATE(tx, iops, ops, ops)
NET_RATE(tx, iops_burst, ops, ops_burst)

static int net_end_limits(const struct config_net *n, struct err *e)
{
	bool limited = n->rx.bytes || n->rx.ops || n->tx.bytes || n->tx.ops;

	if (parts_rate_end(&n->rx, "rx-", e) < 0 || parts_rate_end(&n->tx, "tx-", e) < 0)
		return -EINVAL;
	if (limited && (n->vhost || n->vhost_user))
		return err_usage(e,
				 "limits are kept by microvm, which a card with vhost or "
				 "vhost-user goes past; give no rx- and tx- with it");
	return 0;
}

static int net_end(struct config *cfg, struct err *e)
{
	struct config_net *n = &cfg->net[cfg->nnet];

	if (n->vhost_user && (n->tap || n->fd >= 0 || n->vhost))
		return err_usage(e,
				 "who listens at vhost-user=%.60s has the other end; "
				 "give no tap, fd or vhost with it",
				 n->vhost_user);
	if (n->user && (n->vhost_user || n->tap || n->fd >= 0 || n->vhost))
		return err_usage(e,
				 "user has a network of its own; give no tap, fd, vhost "
				 "or vhost-user with it");
	if ((n->npublish || n->host) && !n->user)
		return err_usage(e, "publish and host are for cards of --net user; give "
				    "user, or route to the tap");
	if (!n->tap && n->fd < 0 && !n->vhost_user && !n->user)
		return err_usage(e,
				 "there is no network; give user, tap=NAME or fd=NUMBER");
	if (n->tap && n->fd >= 0)
		return err_usage(e,
				 "tap \"%s\" and fd %d are both given; give one of them",
				 n->tap, n->fd);
	if (n->netns && !n->tap)
		return err_usage(
			e, "netns is where a tap is; give tap=NAME with netns=%.60s",
			n->netns);
	if (net_end_limits(n, e) < 0)
		return -EINVAL;
	if (!n->id[0])
		(void)snprintf(n->id, sizeof(n->id), "net%u", cfg->nnet);
	cfg->nnet++;
	return 0;
}

static void net_none(struct config *cfg)
{
	while (cfg->nnet)
		config_net_clear(&cfg->net[--cfg->nnet]);
}

static const struct setting_part net_parts[] = {
	{"tap", NULL, SETTING_TEXT, net_set_tap, "NAME",
	 "a tap interface; one that does not exist is made for the run"},
	{"fd", NULL, SETTING_NUMBER, net_set_fd, "N",
	 "an open tap that microvm inherits"},
	{"id", NULL, SETTING_TEXT, net_set_id, "ID",
	 "the card's name in messages and reports (net0, net1, ...)"},
	{"netns", NULL, SETTING_PATH, net_set_netns, "FILE",
	 "the network namespace that the tap is in"},
	{"mac", NULL, SETTING_TEXT, net_set_mac, "ADDRESS",
	 "the guest's hardware address"},
	{"mtu", NULL, SETTING_NUMBER, net_set_mtu, "N", "told to the guest; 68 to 65535"},
	{"vhost", NULL, SETTING_SWITCH, net_set_vhost, NULL,
	 "the kernel serves the tap (/dev/vhost-net)"},
	{"vhost-user", NULL, SETTING_SOCKET, net_set_vhost_user, "SOCKET",
	 "instead of a tap: another process serves the card there"},
	{"user", NULL, SETTING_SWITCH, net_set_user, NULL,
	 "a network that needs no root, by passt"},
	{"host", NULL, SETTING_SWITCH, net_set_host, NULL,
	 "with user: the router's address leads to this host's loopback"},
	{"publish", NULL, SETTING_LIST, net_set_publish, "HOST:GUEST",
	 "with user: a port of the host that leads to the guest"},
	{"rx-bps", NULL, SETTING_QUANTITY, net_set_rx_bps, "SIZE",
	 "bytes a second at most that the guest receives"},
	{"rx-bps-burst", NULL, SETTING_QUANTITY, net_set_rx_bps_burst, "SIZE",
	 "bytes that it may receive at once after a rest"},
	{"rx-iops", NULL, SETTING_NUMBER, net_set_rx_iops, "N",
	 "frames a second at most that the guest receives"},
	{"rx-iops-burst", NULL, SETTING_NUMBER, net_set_rx_iops_burst, "N",
	 "frames that it may receive at once after a rest"},
	{"tx-bps", NULL, SETTING_QUANTITY, net_set_tx_bps, "SIZE",
	 "bytes a second at most that the guest sends"},
	{"tx-bps-burst", NULL, SETTING_QUANTITY, net_set_tx_bps_burst, "SIZE",
	 "bytes that it may send at once after a rest"},
	{"tx-iops", NULL, SETTING_NUMBER, net_set_tx_iops, "N",
	 "frames a second at most that the guest sends"},
	{"tx-iops-burst", NULL, SETTING_NUMBER, net_set_tx_iops_burst, "N",
	 "frames that it may send at once after a rest"},
};

const struct setting_parts setting_net = {
	.part = net_parts,
	.n = ARRAY_SIZE(net_parts),
	.begin = net_begin,
	.end = net_end,
	.none = net_none,
};

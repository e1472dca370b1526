/* SPDX-License-Identifier: Apache-2.0 */
/* dhcp - the messages of a DHCP client (RFC 2131, 2) */
#include "guest-images/agent/net.h"

#include <string.h>

/* Places in a message */
#define AT_XID     4
#define AT_FLAGS   10
#define AT_YOURS   16
#define AT_MAC     28
#define AT_COOKIE  236
#define AT_OPTIONS 240

enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_NAMESERVER = 6,
	OPT_WANTED = 50,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_PLEASE = 55,
	OPT_END = 255
};

static const uint8_t cookie[4] = {99, 130, 83, 99};

/* Write an option at @at.  Return: where the next one goes */
static size_t option(uint8_t p[DHCP_MAX], size_t at, uint8_t code, const void *value,
		     size_t len)
{
	p[at] = code;
	p[at + 1] = (uint8_t)len;
	memcpy(p + at + 2, value, len);
	return at + 2 + len;
}

size_t dhcp_ask(uint8_t p[DHCP_MAX], const struct dhcp *d, const uint8_t mac[6],
		uint8_t type)
{
	const uint8_t please[] = {OPT_MASK, OPT_ROUTER, OPT_NAMESERVER};
	size_t at = AT_OPTIONS;

	memset(p, 0, DHCP_MAX);
	p[0] = 1; /* a request, over Ethernet, whose addresses have six bytes */
	p[1] = 1;
	p[2] = 6;
	memcpy(p + AT_XID, &d->xid, sizeof(d->xid));
	p[AT_FLAGS] = 0x80; /* answer to everybody */
	memcpy(p + AT_MAC, mac, 6);
	memcpy(p + AT_COOKIE, cookie, sizeof(cookie));
	at = option(p, at, OPT_TYPE, &type, 1);
	if (type == DHCP_REQUEST) {
		at = option(p, at, OPT_WANTED, &d->address, 4);
		at = option(p, at, OPT_SERVER, &d->server, 4);
	}
	at = option(p, at, OPT_PLEASE, please, sizeof(please));
	p[at++] = OPT_END;
	return at < 300 ? 300 : at; /* BOOTP's least */
}

bool dhcp_take(const uint8_t *p, size_t n, struct dhcp *d, uint8_t type)
{
	struct dhcp got = {.xid = d->xid};
	uint8_t is = 0;

	if (n < AT_OPTIONS || p[0] != 2 ||
	    memcmp(p + AT_XID, &d->xid, sizeof(d->xid)) != 0 ||
	    memcmp(p + AT_COOKIE, cookie, sizeof(cookie)) != 0)
		return false;
	memcpy(&got.address, p + AT_YOURS, 4);
	for (size_t at = AT_OPTIONS; at < n && p[at] != OPT_END;) {
		size_t len = at + 1 < n ? p[at + 1] : 0;
		const uint8_t *value = p + at + 2;

		if (p[at] == OPT_PAD) {
			at++;
			continue;
		}
		if (at + 2 + len > n)
			return false;
		if (p[at] == OPT_TYPE && len == 1)
			is = value[0];
		else if (len >= 4 && p[at] == OPT_MASK)
			memcpy(&got.mask, value, 4);
		else if (len >= 4 && p[at] == OPT_ROUTER)
			memcpy(&got.router, value, 4);
		else if (len >= 4 && p[at] == OPT_NAMESERVER)
			memcpy(&got.nameserver, value, 4);
		else if (len >= 4 && p[at] == OPT_SERVER)
			memcpy(&got.server, value, 4);
		at += 2 + len;
	}
	if (is != type || !got.address)
		return false;
	*d = got;
	return true;
}

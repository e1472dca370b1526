/* SPDX-License-Identifier: Apache-2.0 */
/* net - addresses of the guest's network cards */
#ifndef MICROVM_AGENT_NET_H
#define MICROVM_AGENT_NET_H

#include <netinet/in.h>

#include "guest-images/agent/agent.h"

#define DHCP_MAX 576 /* bytes of a message, as RFC 2131 has it */

enum { DHCP_DISCOVER = 1, DHCP_OFFER = 2, DHCP_REQUEST = 3, DHCP_ACK = 5 };

/* What a conversation has brought so far.  Addresses are in the network's order; 0 is none. */
struct dhcp {
	uint32_t xid;
	in_addr_t address, mask, router, nameserver, server;
};

/* Write a message of @type into @p.  Return: its bytes */
size_t dhcp_ask(uint8_t p[DHCP_MAX], const struct dhcp *d, const uint8_t mac[6],
		uint8_t type);

/* Take a message, which anybody may have sent, into @d.  Return: is it the answer @type to ours? */
bool dhcp_take(const uint8_t *p, size_t n, struct dhcp *d, uint8_t type);

/* lo gets its address */
void net_lo(void);

/* The first card gets its address, by DHCP.  *@nameserver may be 0.  Return: has it one? */
bool net_up(in_addr_t *nameserver, char why[AGENT_SENTENCE + 1]);

#endif

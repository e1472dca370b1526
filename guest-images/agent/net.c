/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - lo, and the first network card with what DHCP (RFC 2131) says: an address for good, as passt
 * gives it, so nothing is ever renewed.  IPv6 configures itself.
 */
#include "guest-images/agent/net.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIES   4
#define TRY_MS  1500
#define HEADERS (20 + 8) /* of IPv4 without options, and UDP */

/* Take card @name's address by @what, one of SIOCSIF...; its name is in @r already */
static bool set_address(int s, struct ifreq *r, unsigned long what, in_addr_t address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {address}};

	memcpy(&r->ifr_addr, &in, sizeof(in));
	return ioctl(s, what, r) == 0;
}

static bool set_up(int s, struct ifreq *r)
{
	if (ioctl(s, SIOCGIFFLAGS, r) < 0)
		return false;
	r->ifr_flags |= IFF_UP;
	return ioctl(s, SIOCSIFFLAGS, r) == 0;
}

static bool set_gateway(int s, in_addr_t address)
{
	struct rtentry r = {.rt_flags = RTF_UP | RTF_GATEWAY};
	struct sockaddr_in gateway = {.sin_family = AF_INET, .sin_addr = {address}},
			   any = {.sin_family = AF_INET};

	memcpy(&r.rt_gateway, &gateway, sizeof(gateway));
	memcpy(&r.rt_dst, &any, sizeof(any));
	memcpy(&r.rt_genmask, &any, sizeof(any));
	return ioctl(s, SIOCADDRT, &r) == 0;
}

/* The first card that is a device, not made by the kernel itself as lo and tunnels are */
static bool find_card(struct ifreq *r)
{
	DIR *d = opendir("/sys/class/net");
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		char path[300];

		(void)snprintf(path, sizeof(path), "/sys/class/net/%s/device", e->d_name);
		found = e->d_name[0] != '.' && access(path, F_OK) == 0;
		if (found)
			(void)snprintf(r->ifr_name, IFNAMSIZ, "%.15s", e->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* A socket for each way: to everybody, and whatever comes, for its receiver is not our address yet */
static bool open_sockets(const struct ifreq *card, int *out, int *in)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(68)};
	struct sockaddr_ll link = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(0x0800)};
	int one = 1;

	link.sll_ifindex = (int)if_nametoindex(card->ifr_name);
	*out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*in = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return *out >= 0 && *in >= 0 &&
	       setsockopt(*out, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)) == 0 &&
	       setsockopt(*out, SOL_SOCKET, SO_BINDTODEVICE, card->ifr_name,
			  (socklen_t)strlen(card->ifr_name)) == 0 &&
	       bind(*out, (struct sockaddr *)&any, sizeof(any)) == 0 &&
	       bind(*in, (struct sockaddr *)&link, sizeof(link)) == 0;
}

static bool ask(int out, const struct dhcp *d, const uint8_t mac[6], uint8_t type)
{
	struct sockaddr_in all = {.sin_family = AF_INET,
				  .sin_port = htons(67),
				  .sin_addr = {INADDR_BROADCAST}};
	uint8_t packet[DHCP_MAX];
	size_t n = dhcp_ask(packet, d, mac, type);

	return sendto(out, packet, n, 0, (struct sockaddr *)&all, sizeof(all)) ==
	       (ssize_t)n;
}

/* Wait for an answer of @type, for TRY_MS after the last packet of another kind.  Return: it came */
static bool await(int in, struct dhcp *d, uint8_t type)
{
	struct pollfd p = {in, POLLIN, 0};
	uint8_t packet[HEADERS + DHCP_MAX];

	while (poll(&p, 1, TRY_MS) > 0) {
		ssize_t n = recv(in, packet, sizeof(packet), 0);
		size_t ip = (size_t)(packet[0] & 15) * 4;

		if (n > 0 && packet[9] == IPPROTO_UDP && (size_t)n > ip + 8 &&
		    packet[ip + 2] == 0 && packet[ip + 3] == 68 &&
		    dhcp_take(packet + ip + 8, (size_t)n - ip - 8, d, type))
			return true;
	}
	return false;
}

static bool lease(const struct ifreq *card, const uint8_t mac[6], struct dhcp *d)
{
	int out = -1, in = -1;
	bool ok = false;

	if (open_sockets(card, &out, &in))
		for (int i = 0; i < TRIES && !ok; i++) {
			(void)!getrandom(&d->xid, sizeof(d->xid), GRND_NONBLOCK);
			ok = ask(out, d, mac, DHCP_DISCOVER) &&
			     await(in, d, DHCP_OFFER) && ask(out, d, mac, DHCP_REQUEST) &&
			     await(in, d, DHCP_ACK);
		}
	if (out >= 0)
		close(out);
	if (in >= 0)
		close(in);
	return ok;
}

void net_lo(void)
{
	struct ifreq lo = {.ifr_name = "lo"};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return;
	(void)set_up(s, &lo);
	close(s);
}

bool net_up(in_addr_t *nameserver, char why[AGENT_SENTENCE + 1])
{
	struct ifreq card = {0};
	struct dhcp d = {0};
	uint8_t mac[6];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	modules_load("net");
	if (s < 0 || !find_card(&card) || ioctl(s, SIOCGIFHWADDR, &card) < 0) {
		ok = sentence(
			why,
			"the kernel shows no network card: it needs CONFIG_INET and CONFIG_VIRTIO_NET, or the modules of the latter in the agent's initramfs");
	} else {
		memcpy(mac, card.ifr_hwaddr.sa_data, sizeof(mac));
		ok = set_up(s, &card) && lease(&card, mac, &d);
		if (!ok)
			(void)sentence(
				why,
				"the network gave no address to %s: nothing there answers DHCP",
				card.ifr_name);
		else if (!set_address(s, &card, SIOCSIFADDR, d.address) ||
			 !set_address(s, &card, SIOCSIFNETMASK, d.mask) ||
			 (d.router && !set_gateway(s, d.router)))
			ok = sentence(why, "%s does not take its address: %s",
				      card.ifr_name, strerror(errno));
	}
	*nameserver = d.nameserver;
	if (s >= 0)
		close(s);
	return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* link_message - what the kernel says of an interface (rtnetlink(7)), to be said by a test. */
#ifndef MICROVM_TESTS_LINK_MESSAGE_H
#define MICROVM_TESTS_LINK_MESSAGE_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define LINK_INDEX   7         /* the interface that is spoken of */
#define LINK_CARRIER (1 << 16) /* IFF_LOWER_UP */

struct link_message {
	struct nlmsghdr h;
	struct ifinfomsg i;
	struct rtattr name;
	uint32_t name_is;
	struct rtattr master;
	uint32_t master_is;
};

/* link_message() - LINK_INDEX is @up, its master is @master; 0: it has none */
static inline struct link_message link_message(bool up, uint32_t master)
{
	struct link_message m = {
		.h = {.nlmsg_len = sizeof(m), .nlmsg_type = RTM_NEWLINK},
		.i = {.ifi_family = AF_UNSPEC,
		      .ifi_index = LINK_INDEX,
		      .ifi_flags = up ? IFF_UP | LINK_CARRIER : LINK_CARRIER},
		.name = {.rta_len = RTA_LENGTH(4), .rta_type = IFLA_IFNAME},
		.master = {.rta_len = RTA_LENGTH(4), .rta_type = IFLA_MASTER},
		.master_is = master,
	};

	memcpy(&m.name_is, "tap", 4);
	if (!master)
		m.h.nlmsg_len = offsetof(struct link_message, master);
	return m;
}

/* link_say() - by socket @fd.  Return: was it said whole? */
static inline bool link_say(int fd, const struct link_message *m)
{
	return send(fd, m, m->h.nlmsg_len, MSG_DONTWAIT) == (ssize_t)m->h.nlmsg_len;
}

#endif

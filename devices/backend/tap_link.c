/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap_link - the kernel's messages on one interface (rtnetlink(7)): reading them, and recovery
 * when some were lost.
 */
#include "devices/backend/tap_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define TAP_LINK_READS   64         /* messages before other sources get their turn */
#define TAP_LINK_CARRY   (1 << 16)  /* IFF_LOWER_UP, which <net/if.h> does not have */
#define TAP_LINK_UNKNOWN UINT32_MAX /* no master has this number: none was reported yet */

struct tap_link_message {
	struct nlmsghdr h;
	union {
		struct nlmsgerr err;
		struct {
			struct ifinfomsg link;
			uint8_t attrs[4096]; /* the attributes that we need come early */
		};
	};
};

/* RTM_NEWLINK and RTM_DELLINK of @index, and the kernel's answers to our requests. A bridge has
 * such messages as well, in which "deleted" is a port that has left it: the family tells them
 * apart. The filter loads big-endian values.
 */
static int tap_link_filter(int fd, unsigned int index)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NLMSG_ERROR), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWLINK), 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELLINK), 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS,
			 offsetof(struct tap_link_message, link.ifi_family)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNSPEC, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct tap_link_message, link.ifi_index)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(index), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = {.len = ARRAY_SIZE(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0
		       ? -errno
		       : 0;
}

/* Ask for the state of @index. The answer is ready to be read when this returns */
static int tap_link_ask(int fd, unsigned int index)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} ask = {.h = {.nlmsg_len = sizeof(ask),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST},
		 .i = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index}};

	return send(fd, &ask, sizeof(ask), MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Attribute @type of the @len bytes of attributes at @p.  Return: its data, @size bytes; NULL: there is
 * none
 */
static const uint8_t *tap_link_attr(const uint8_t *p, size_t len, int type, size_t *size)
{
	struct rtattr a;

	for (size_t at = 0; at + sizeof(a) <= len; at += RTA_ALIGN(a.rta_len)) {
		memcpy(&a, p + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len - at)
			break;
		*size = a.rta_len - sizeof(a);
		if ((a.rta_type & NLA_TYPE_MASK) == type)
			return p + at + sizeof(a);
	}
	return NULL;
}

/* Likewise a number; 0: there is none */
static uint32_t tap_link_u32(const uint8_t *p, size_t len, int type)
{
	uint32_t v = 0;
	size_t size;
	const uint8_t *at = tap_link_attr(p, len, type, &size);

	if (at && size == sizeof(v))
		memcpy(&v, at, sizeof(v));
	return v;
}

/* How many of @len bytes of @m are attributes */
static size_t tap_link_attrs_len(const struct tap_link_message *m, size_t len)
{
	const size_t at = offsetof(struct tap_link_message, attrs);

	len = MIN(len, m->h.nlmsg_len);
	return len > at ? len - at : 0;
}

/* Return: as tap_link_read() */
static bool tap_link_hear(struct tap_link *l, const struct tap_link_message *m,
			  size_t len)
{
	bool was_up = l->up;
	uint32_t master;

	if (len < offsetof(struct tap_link_message, attrs))
		return false;
	if (m->h.nlmsg_type == NLMSG_ERROR)
		l->gone = l->gone || m->err.error == -ENODEV;
	if ((m->h.nlmsg_type != RTM_NEWLINK && m->h.nlmsg_type != RTM_DELLINK) ||
	    m->link.ifi_family != AF_UNSPEC || m->link.ifi_index != (int)l->index)
		return false;
	if (m->h.nlmsg_type == RTM_DELLINK) {
		l->gone = true;
		return false;
	}
	l->up = (m->link.ifi_flags & IFF_UP) && (m->link.ifi_flags & TAP_LINK_CARRY);
	master = tap_link_u32(m->attrs, tap_link_attrs_len(m, len), IFLA_MASTER);
	if (master == l->master)
		return l->up && !was_up;
	l->master = master;
	return true;
}

/* One message from the kernel; other processes may send some as well. Return: its length; 0: a
 * message that is not for us; -errno
 */
static ssize_t tap_link_next(int fd, struct tap_link_message *m)
{
	struct sockaddr_nl from = {0};
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(fd, m, sizeof(*m), MSG_DONTWAIT, (struct sockaddr *)&from,
			       &size);

	if (len < 0)
		return -errno;
	return from.nl_pid ? 0 : len;
}

bool tap_link_read(struct tap_link *l)
{
	struct tap_link_message m;
	bool moved = false;

	for (unsigned int i = 0; i < TAP_LINK_READS; i++) {
		ssize_t len = tap_link_next(l->fd, &m);

		if (len >= 0) {
			moved |= tap_link_hear(l, &m, (size_t)len);
		} else if (len == -ENOBUFS) {
			/* the kernel adds nothing before the rest has been read: ask then */
			l->lost = true;
		} else if (len == -EAGAIN && l->lost) {
			moved = true; /* it may have been: messages were lost */
			l->lost = tap_link_ask(l->fd, l->index) < 0;
			if (l->lost)
				break; /* ask again, with the next message */
		} else {
			break;
		}
	}
	return moved;
}

int tap_link_open(struct tap_link *l, const char *name)
{
	const struct sockaddr_nl us = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	struct ifreq ifr = {0};
	int rc;

	*l = (struct tap_link){
		.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
		.master = TAP_LINK_UNKNOWN};
	if (l->fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	rc = ioctl(l->fd, SIOCGIFINDEX, &ifr) < 0 ? -errno : 0;
	l->index = rc == 0 ? (unsigned int)ifr.ifr_ifindex : 0;
	if (rc == 0)
		rc = tap_link_filter(l->fd, l->index);
	if (rc == 0 && bind(l->fd, (const struct sockaddr *)&us, sizeof(us)) < 0)
		rc = -errno;
	if (rc == 0)
		rc = tap_link_ask(l->fd, l->index);
	if (rc == 0) {
		(void)tap_link_read(l);
		rc = l->master == TAP_LINK_UNKNOWN ? -ENODATA : 0;
	}
	if (rc < 0) {
		close(l->fd);
		l->index = 0;
	}
	return rc;
}

unsigned int tap_link_queues(const char *name)
{
	cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct tap_link_message m;
	const uint8_t *at;
	size_t size = 0;
	ssize_t len;

	if (fd < 0 || tap_link_ask(fd, if_nametoindex(name)) < 0)
		return 0;
	len = tap_link_next(fd, &m);
	if (len <= 0 || m.h.nlmsg_type != RTM_NEWLINK)
		return 0;
	at = tap_link_attr(m.attrs, tap_link_attrs_len(&m, (size_t)len), IFLA_LINKINFO,
			   &size);
	at = at ? tap_link_attr(at, size, IFLA_INFO_DATA, &size) : NULL;
	return at ? tap_link_u32(at, size, IFLA_TUN_NUM_QUEUES) +
			       tap_link_u32(at, size, IFLA_TUN_NUM_DISABLED_QUEUES)
		  : 0;
}

void tap_link_close(struct tap_link *l)
{
	if (l->index)
		close(l->fd);
	l->index = 0;
}

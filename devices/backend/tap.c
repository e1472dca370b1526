/* SPDX-License-Identifier: Apache-2.0 */
/* tap - operations on an open tap; tap_open.c opens it. */
#include "devices/backend/tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define TAP_CHANGES       50 /* a second */
#define TAP_CHANGES_BURST 16

#define TAP_TSO (1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6)

/* Linux 6.2 */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

void tap_close(struct tap *t)
{
	for (unsigned int i = 0; i < t->n; i++)
		close(t->fd[i]);
	t->n = 0;
	tap_link_close(&t->link);
	if (t->changes.loop)
		rate_fini(&t->changes);
}

void tap_limit(struct tap *t, struct loop *l, void (*go_on)(struct rate *r))
{
	const struct config_rate limit = {.ops = TAP_CHANGES,
					  .ops_burst = TAP_CHANGES_BURST};

	rate_init(&t->changes, &limit, l, go_on);
}

int tap_limit_start(struct tap *t, struct device *dev)
{
	return rate_start(&t->changes, dev);
}

void tap_limit_stop(struct tap *t)
{
	rate_stop(&t->changes);
}

bool tap_may_change(struct tap *t)
{
	return rate_ready(&t->changes);
}

bool tap_is_there(const struct tap *t)
{
	struct ifreq ifr;

	return ioctl(t->fd[0], TUNGETIFF, &ifr) == 0;
}

int tap_use(struct tap *t, unsigned int queues)
{
	rate_spend(&t->changes, 1, 0);
	/* EINVAL means that the queue has this state already */
	for (unsigned int i = 1; i < t->n; i++) {
		struct ifreq ifr = {.ifr_flags = i < queues ? IFF_ATTACH_QUEUE
							    : IFF_DETACH_QUEUE};

		if (ioctl(t->fd[i], TUNSETQUEUE, &ifr) < 0 && errno != EINVAL)
			return -errno;
	}
	return 0;
}

int tap_offloads(struct tap *t, uint64_t features)
{
	static const struct {
		unsigned int feature, flag;
	} map[] = {
		{VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM},
		{VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4},
		{VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6},
		{VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN},
		{VIRTIO_NET_F_GUEST_USO4, TUN_F_USO4},
		{VIRTIO_NET_F_GUEST_USO6, TUN_F_USO6},
	};
	const uint64_t asked = features;
	unsigned long flags = 0;

	if (asked == t->told)
		return 0;
	if (!tap_may_change(t))
		return -EAGAIN;
	rate_spend(&t->changes, 1, 0);
	if ((features & TAP_USO) != TAP_USO)
		features &= ~TAP_USO;
	if (!(features & TAP_TSO))
		features &= ~(1ULL << VIRTIO_NET_F_GUEST_ECN);
	if (!(features & (1ULL << VIRTIO_NET_F_GUEST_CSUM)))
		features = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(map); i++)
		if (features & (1ULL << map[i].feature))
			flags |= map[i].flag;
	if (ioctl(t->fd[0], TUNSETOFFLOAD, flags) < 0)
		return -errno;
	t->told = asked;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_link - a card's link, which follows its tap, and the guest's announcement of itself (virtio
 * 1.2, 5.1.4 and 5.1.6.5.4). For cards that we serve and those that the kernel serves.
 *
 * The device watches the tap while it is active; it learns of earlier changes then.
 */
#ifndef MICROVM_VIRTIO_NET_LINK_H
#define MICROVM_VIRTIO_NET_LINK_H

#include <linux/virtio_net.h>

#include "devices/backend/tap.h"
#include "devices/virtio/virtio.h"

/* A driver that has just read that its link is back is not ready: a frame that it sent at once
 * would be lost. And however fast a tap changes hands, no driver is asked more often.
 */
#define NET_ANNOUNCE_MS 100

struct net_link {
	struct virtio_dev *v;
	struct virtio_net_config *config; /* ->status is ours */
	struct tap *tap;                  /* without tap->link it stays up */
	struct loop_source source;        /* tap->link's */
	struct loop_source timer;         /* fd -1: no driver may announce */
	bool soon;  /* it has expired, but at rest: ask the driver after that */
	bool again; /* ask once more after the present request is done */
	bool lost;
};

/* net_link_init() - the link of @v, which is not active yet */
void net_link_init(struct net_link *l, struct virtio_dev *v,
		   struct virtio_net_config *config, struct tap *tap);
/* net_link_arm() - open the announcement's timer, if a driver may need it.  net_link_start(): on
 * activate(). Both: Return 0 or -errno. net_link_stop(): on reset()
 */
int net_link_arm(struct net_link *l);
int net_link_start(struct net_link *l);
void net_link_stop(struct net_link *l);
/* net_link_rest() - handle no event; what is owed to the driver stays owed. net_link_wake(): go
 * on.
 * Return: 0 or -errno.  net_link_loaded(): the device is loaded; @status is what its driver read
 */
void net_link_rest(struct net_link *l);
int net_link_wake(struct net_link *l);
void net_link_loaded(struct net_link *l, uint16_t status);
void net_link_fini(struct net_link *l); /* before the tap goes */

/* net_link_lost() - the tap or stream is gone (@code): down for good; logs that once */
void net_link_lost(struct net_link *l, const char *what, int code);

/* net_link_announce() - ask the guest, soon, to announce itself to its network; does nothing if
 * its driver lacks that feature. Device active
 */
void net_link_announce(struct net_link *l);
/* net_link_announced() - the driver says that it did.  Return: was it asked to? */
bool net_link_announced(struct net_link *l);

#endif

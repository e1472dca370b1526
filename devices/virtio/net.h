/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - what the network device's files share: net_create.c (features), net.c (queues, begin and
 * end), net_life.c (rest, state), net_tx.c and net_rx.c (frames), net_control.c (the control
 * queue), net_link.c.
 *
 * Queues (virtio 1.2, 5.1.2): receive 0, transmit 0, receive 1, transmit 1, ..., control. Each
 * pair uses one queue of the tap; the first is always in use, the others when the driver says so.
 * A driver without VIRTIO_NET_F_MQ has control as its third queue.
 *
 * Receiving. A frame's length is known only after it has been read. So buffers are gathered
 * first, in a window, enough for the frames that come; the frame is read straight into them;
 * buffers that it did not need serve the next frame, and go back to the ring (virtq_unpop()) at
 * the end of the batch. If the window had too little, the end of the frame is in @spill, and the
 * frame waits until buffers for it are found.
 *
 * Sending. Frames that lie in one piece are gathered and given to the kernel together, by the
 * loop's io_uring where there are several; the others are written one by one.
 */
#ifndef MICROVM_VIRTIO_NET_H
#define MICROVM_VIRTIO_NET_H

#include <linux/virtio_net.h>

#include "devices/backend/netstream.h"
#include "devices/backend/ring.h"
#include "devices/backend/tap.h"
#include "devices/virtio/net_link.h"
#include "devices/virtio/virtio.h"
#include "vmm/core/rate.h"

#define NET_QUEUE     256
#define NET_PAIRS_MAX TAP_QUEUES_MAX /* one loop thread serves them all */
#define NET_RX        0              /* of a pair */
#define NET_TX        1
#define NET_BATCH     64 /* frames received before other devices get their turn */
#define NET_TX_BATCH  32 /* frames that the driver is shown as sent together */
#define NET_RX_IOVS   (2 * VQ_SIZE_MAX)
#define NET_READ_MAX  (TAP_HDR_LEN + TAP_FRAME_MAX)

struct net_rx_chain {
	uint16_t head, niov;
	size_t len;
};

struct net_rx {
	/* the window: popped, not pushed, oldest first */
	unsigned int first, n; /* in @chain */
	unsigned int iov_first, niov;
	size_t len; /* bytes of it */
	struct net_rx_chain chain[NET_QUEUE];
	struct iovec iov[NET_RX_IOVS + 1]; /* the last one for @spill */
	size_t frame;       /* 0, or the length of the frame that waits for window */
	size_t had;         /* how much of it is in the window; the rest is in @spill */
	size_t expect;      /* the present size of frames */
	unsigned int small; /* how many smaller ones came in a row */
	unsigned int burst; /* frames until the driver sees them; NET_BATCH at most */
	uint8_t spill[NET_READ_MAX];
};

/* A chain of one piece, popped, not pushed */
struct net_tx_frame {
	struct ring_op op;
	void *p;
	uint32_t len;
	uint16_t head, at; /* @at: its place in the available ring */
};

struct net_tx {
	unsigned int n; /* in @frame, oldest first; the rest of them when blocked */
	struct net_tx_frame frame[NET_TX_BATCH];
	struct ring_user user;
	enum { NET_RING_UNUSED, NET_RING_USED, NET_RING_OFF } ring;
};

/* The states in which a card waits. rx_* and tx_blocked are of a pair, the others of the card:
 *
 * flag         is set when                         and no more when
 *	rx_dry       there is no buffer for a frame      the receive queue is kicked; tokens came; after a rest
 *	rx_held      the receive limit is used up,       tokens came (net_rx_go_on()),
 *	             or a driver came while it @waits    the tap was told (net_late()); after a rest
 *	tx_blocked   the tap or stream is full           it has room (net_on_tap()); at rest
 *	waits        the tap may not be changed yet      it may (net_control_go_on()); at a reset
 *	dead         the tap or stream is gone           never
 *
 * A pair watches its tap for frames unless rx_dry or rx_held, which are never both set; for room
 * while tx_blocked, and only then does it hold frames of the driver's (tx.n) between two calls;
 * and not at all while the card is dead, at rest or not active, or the pair is not in use
 * (net_want()). While the card @waits it receives nothing and obeys no command; it still sends
 * frames.
 */
struct net_pair {
	struct net *n;
	struct virtq *rxq, *txq;
	int fd; /* the tap's queue */
	struct loop_source source;
	bool rx_dry, rx_held, tx_blocked; /* the table above */
	struct net_rx rx;
	struct net_tx tx;
};

struct net {
	struct virtio_dev v;
	struct virtq vq[2 * NET_PAIRS_MAX + 1];
	struct virtio_net_config config;
	struct net_link link;
	struct tap tap;            /* no queues when there is @stream */
	struct netstream *stream;  /* instead of the tap */
	struct loop_poller poller; /* the tap, polled when the queues are */
	unsigned int misses;       /* polls in a row that found nothing */
	bool mergeable, dead;
	bool mac_given; /* by the operator */
	struct net_pair *pair;
	unsigned int npair, used; /* those there are, those in use */
	uint64_t offloads;        /* of TAP_OFFLOADS: those the driver has switched on */
	bool waits; /* for the tap to be told of them; meanwhile it receives nothing */
	struct rate rx_rate, tx_rate;
	unsigned int turn;    /* the pair that goes first when there are tokens again */
	struct virtq_chain c; /* scratch */
};

/* net_create_on() - net_create() on a tap that is open, which it takes over unless it fails.
 * net_create_stream(): the same on @fd, a stream socket (netstream.h)
 */
struct virtio_dev *net_create_on(const struct virtio_env *env, unsigned int i,
				 const struct tap *tap, struct err *e);
struct virtio_dev *net_create_stream(const struct virtio_env *env, unsigned int i, int fd,
				     struct err *e);

/* net_mac() - @c's address.  If none is given, one from the names of machine and interface
 * (@where), so that it is the same at every start and differs between the taps of a host; locally
 * administered
 */
void net_mac(uint8_t mac[6], const struct config *cfg, const struct config_net *c,
	     const char *where);

/* net_init() - @n is a device whose tap or stream is open, of which @fds wake us, one for each of
 * @n->npair pairs; @c has its limits
 */
void net_init(struct net *n, const int *fds, const struct config_net *c);
/* net_want() - watch the tap for events that we can use now */
void net_want(struct net_pair *p);
/* net_lost() - the tap is gone: tell the guest that its link is down; once */
void net_lost(struct net *n, int code);
/* net_late() - tell the tap the offloads that it was not told yet, and receive */
void net_late(struct net *n);
/* net_use() - the first @pairs pairs are in use from now on.  Return: 0 or -errno */
int net_use(struct net *n, unsigned int pairs);
/* net_offload() - let the host leave @offloads to the driver.  Return: 0 or -errno */
int net_offload(struct net *n, uint64_t offloads);

/* net_is_control() - is queue @qi, as negotiated, the control queue? net_control(): obey its
 * commands
 */
bool net_is_control(const struct net *n, unsigned int qi);
void net_control(struct net *n);
void net_control_init(struct net *n); /* the limit on changes of n->tap */

/* net_rx() - hand frames to the driver while there are frames and buffers.
 * Return: were there any?
 */
bool net_rx(struct net_pair *p);
void net_rx_reset(struct net_pair *p);
/* net_rx_rest() - the ring has all buffers back; a frame that waits for more of them goes on waiting */
void net_rx_rest(struct net_pair *p);

/* net_tx() - send what the driver has; loop thread */
void net_tx(struct net_pair *p);
/* net_tx_reset() - forget the chains taken and not sent.  net_tx_fini(): before the tap goes */
void net_tx_reset(struct net_pair *p);
void net_tx_fini(struct net_pair *p);
/* net_tx_arm() - open the loop's io_uring for it now */
void net_tx_arm(struct net_pair *p);
/* net_tx_rest() - the ring has back the chains taken and not sent */
void net_tx_rest(struct net_pair *p);

/* net_life.c: as in virtio_ops */
int net_arm(struct virtio_dev *v, struct err *e);
bool net_rest(struct virtio_dev *v);
void net_wake(struct virtio_dev *v);
void net_state(struct virtio_dev *v, struct state *s);

static inline bool net_acked(const struct net *n, unsigned int feature)
{
	return n->v.acked & (1ULL << feature);
}

#endif

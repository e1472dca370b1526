/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock - what the socket device's files share (virtio 1.2, 5.10): vsock.c (the device and its
 * queues), vsock_packet.c (headers, credit, the buffer), vsock_table.c (the connections),
 * vsock_conn.c (how packets and socket events change one), vsock_rx.c (packets to the guest) and
 * vsock_mux.c (the sockets of the host).
 *
 * Each connection is a unix socket. Bytes go from the driver's buffers into it and from it into
 * the driver's buffers; only bytes that the socket does not take at once are kept, and never more
 * than the credit that the guest was given. All under dev->lock.
 */
#ifndef MICROVM_VIRTIO_VSOCK_H
#define MICROVM_VIRTIO_VSOCK_H

#include <linux/virtio_vsock.h>
#include <sys/queue.h>

#include "devices/backend/unix_listen.h"
#include "devices/virtio/virtio.h"
#include "vmm/core/util.h"

#define VSOCK_QUEUE 256
#define VSOCK_RX    0
#define VSOCK_TX    1
#define VSOCK_EVENT 2

#define VSOCK_F_STREAM 0 /* virtio 1.2, 5.10.3; not in Linux' header */
#define VSOCK_HOST_CID 2
#define VSOCK_HDR_LEN  44
_Static_assert(sizeof(struct virtio_vsock_hdr) == VSOCK_HDR_LEN, "virtio 1.2, 5.10.6");

#define VSOCK_CONNS_MAX 4096
#define VSOCK_BUCKETS   1024 /* a power of two */
/* The limit of a connection's buffer: a part of the pool, which shrinks as there are more of
 * them, and a little in any case. So all together keep at most VSOCK_CONNS_MAX * VSOCK_CREDIT_MIN
 * + VSOCK_CREDIT_POOL = 64 MiB.
 */
#define VSOCK_CREDIT_MIN   4096U
#define VSOCK_CREDIT_POOL  (48U << 20)
#define VSOCK_CREDIT_SHARE 256U    /* a connection gets this part of the rest */
#define VSOCK_SNDBUF       212992U /* Linux' default: a socket with less credit gets less */

#define VSOCK_TIMEOUT_NS   UINT64_C(8000000000) /* for any answer that is due */
#define VSOCK_REFUSALS_MAX 256
#define VSOCK_GATHER_MAX   16 /* receive buffers that one read fills */
#define VSOCK_READ_MAX     65536U
#define VSOCK_SHUT_BOTH    (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

enum vsock_stage {
	VSOCK_GREETING,   /* a client of the host that has not said CONNECT yet; timed */
	VSOCK_CONNECTING, /* the guest has to answer a REQUEST; timed */
	VSOCK_OPEN,
	VSOCK_CLOSING, /* one side is done: an RST is due or expected; timed */
	VSOCK_LINGER,  /* closed for the guest, and the host still reads; timed */
	VSOCK_DEAD,    /* freed at the end of this turn */
};

struct vsock_conn {
	enum vsock_stage stage;
	int fd; /* -1: closed */
	uint32_t guest_port, host_port;
	unsigned int due;          /* packets for the guest: a bit per op */
	uint8_t guest_shut;        /* VIRTIO_VSOCK_SHUTDOWN_*, as the guest said */
	uint8_t host_shut;         /* likewise of the host, as its socket shows */
	bool readable;             /* the last read found no end */
	bool bulk;                 /* the last read filled all buffers */
	bool asked;                /* for credit, and none has come */
	bool watched, watch_out;   /* by epoll; also for room in the socket */
	bool hashed, ready, timed; /* the lists that it is in */
	/* from the guest: @buf is a ring of @credit bytes, @fill of them from @head on */
	uint8_t *buf;
	uint32_t credit, head, fill;
	uint32_t fwd_cnt, fwd_told; /* bytes that left us; the guest's last value */
	/* to the guest */
	uint32_t tx_cnt, peer_alloc, peer_fwd_cnt;
	uint64_t deadline; /* monotonic_ns() */
	LIST_ENTRY(vsock_conn) in_bucket;
	TAILQ_ENTRY(vsock_conn) in_ready, in_timed, in_all;
};
TAILQ_HEAD(vsock_list, vsock_conn);
LIST_HEAD(vsock_bucket, vsock_conn);

/* An RST for a packet of no connection */
struct vsock_refusal {
	uint64_t cid; /* the guest sent to this one */
	uint32_t guest_port, port;
	uint16_t type;
};

/* Receive buffers that one read fills; their headers come after it */
struct vsock_gather {
	unsigned int n, niov, nhdr;
	size_t len; /* of payload */
	struct {
		uint16_t head;
		struct span hdr;
		size_t len;
	} chain[VSOCK_GATHER_MAX];
	struct iovec iov[2 * VQ_SIZE_MAX];
	struct iovec hdr[4 * VSOCK_HDR_LEN];
};

struct vsock {
	struct virtio_dev v;
	struct virtq vq[3];
	struct virtio_vsock_config config;
	struct virtq_chain c;
	bool tx_blocked; /* until there is room in @refusal */
	bool event_due;  /* TRANSPORT_RESET */
	/* vsock_table.c */
	unsigned int nconn, conns_max;
	uint32_t pool, next_port;
	uint64_t seed; /* the guest cannot choose ports that share a bucket */
	struct vsock_bucket bucket[VSOCK_BUCKETS];
	struct vsock_list ready, timed, all, dead;
	/* vsock_rx.c */
	struct vsock_refusal refusal[VSOCK_REFUSALS_MAX];
	unsigned int refusal_first, nrefusal;
	struct vsock_gather gather;
	/* vsock_mux.c */
	struct unix_listener listener;
	int slot; /* of the sockets that guests reach (vmm/core/outside.h) */
	struct loop_source source; /* an epoll of all below */
	uint64_t rests;            /* when the rest began, or 0 */
	int timer;
	bool timer_armed, deaf; /* deaf: no descriptor left to accept with */
};

/* vsock_packet.c */

/* vsock_header() - of a packet of @op to the guest; it announces our credit */
struct virtio_vsock_hdr vsock_header(const struct vsock *s, struct vsock_conn *c,
				     uint16_t op);
/* vsock_credit() - bytes that the guest has room for (5.10.6.3) */
uint32_t vsock_credit(const struct vsock_conn *c);
/* vsock_learn() - read the guest's buffer from @h.  Return: 0; -EPROTO, it is impossible */
int vsock_learn(struct vsock_conn *c, const struct virtio_vsock_hdr *h);
/* vsock_forwarded() - @n bytes of the guest's have left us */
void vsock_forwarded(struct vsock_conn *c, uint32_t n);
/* The buffer: append all of @data (there is room); as iovecs for sendmsg(2), returning how many;
 * take @n bytes off its front
 */
void vsock_buf_put(struct vsock_conn *c, struct span *data);
unsigned int vsock_buf_iov(const struct vsock_conn *c, struct iovec iov[2]);
void vsock_buf_eat(struct vsock_conn *c, uint32_t n);
/* vsock_trim() - cut @v[0 .. @n) to its first @len bytes.  Return: the new number of iovecs */
unsigned int vsock_trim(struct iovec *v, unsigned int n, size_t len);

/* vsock_table.c */

void vsock_table_init(struct vsock *s);
/* vsock_conn_new() - a connection on @fd (taken over), watched; NULL: there is no room, @fd
 * closed. vsock_conn_bind(): give it these ports, and its credit. Return: 0 or -ENOMEM
 */
struct vsock_conn *vsock_conn_new(struct vsock *s, int fd, enum vsock_stage stage);
int vsock_conn_bind(struct vsock *s, struct vsock_conn *c, uint32_t guest_port,
		    uint32_t host_port);
struct vsock_conn *vsock_find(const struct vsock *s, uint32_t guest_port,
			      uint32_t host_port);
/* vsock_unhash() - the guest may use these ports again */
void vsock_unhash(struct vsock_conn *c);
/* vsock_host_port() - a port that no connection to @guest_port has */
uint32_t vsock_host_port(struct vsock *s, uint32_t guest_port);
/* vsock_ready() - queue it if it has a packet for the guest, else take it out */
void vsock_ready(struct vsock *s, struct vsock_conn *c);
/* vsock_time() - its answer is due within VSOCK_TIMEOUT_NS from now */
void vsock_time(struct vsock *s, struct vsock_conn *c);
void vsock_untime(struct vsock *s, struct vsock_conn *c);
/* vsock_bury() - it is over; the memory stays until vsock_reap() */
void vsock_bury(struct vsock *s, struct vsock_conn *c);
void vsock_reap(struct vsock *s);

/* vsock_conn.c */

/* vsock_from_guest() - a packet; @data has the h->len bytes of its payload */
void vsock_from_guest(struct vsock *s, const struct virtio_vsock_hdr *h,
		      struct span *data);
/* vsock_news() - epoll reports @events of its socket */
void vsock_news(struct vsock *s, struct vsock_conn *c, uint32_t events);
/* vsock_told() - the guest has been given a packet of @op */
void vsock_told(struct vsock *s, struct vsock_conn *c, uint16_t op);
/* vsock_host_eof() - the host sends no more.  vsock_host_deaf(): it does not read either */
void vsock_host_eof(struct vsock *s, struct vsock_conn *c);
void vsock_host_deaf(struct vsock *s, struct vsock_conn *c);
/* vsock_reset() - break it off: RST for the guest, end of file for the host */
void vsock_reset(struct vsock *s, struct vsock_conn *c);

/* vsock_rx.c */

/* vsock_refuse() - RST in answer to @h.  At most VSOCK_REFUSALS_MAX wait */
void vsock_refuse(struct vsock *s, const struct virtio_vsock_hdr *h);
/* vsock_rx() - give the guest the ready packets, as far as there are buffers for them */
void vsock_rx(struct vsock *s);

/* vsock_mux.c */

/* vsock_mux_open() - listen at @path, or not if it is NULL.  Return: 0, or -errno with a
 * sentence in @e
 */
int vsock_mux_open(struct vsock *s, const char *path, struct err *e);
void vsock_mux_close(struct vsock *s);
/* vsock_watch() - watch the connection's socket with epoll from now on, for room in it if @out.
 * Return: 0 or -errno. vsock_unwatch(): stop, and close it
 */
int vsock_watch(struct vsock *s, struct vsock_conn *c, bool out);
void vsock_unwatch(struct vsock *s, struct vsock_conn *c);
/* vsock_guest_connects() - to the host's socket for h->dst_port */
void vsock_guest_connects(struct vsock *s, const struct virtio_vsock_hdr *h);
/* vsock_greet() - read the port that the client asks for, if it has sent it */
void vsock_greet(struct vsock *s, struct vsock_conn *c);
/* vsock_mux_rest() - handle no socket and no timer.  vsock_mux_wake(): handle events that came
 * meanwhile, and give each timed connection the time it had left. Return: 0 or -errno
 */
void vsock_mux_rest(struct vsock *s);
int vsock_mux_wake(struct vsock *s);
/* vsock_settle() - at the end of every turn: free, set the timer, listen again */
void vsock_settle(struct vsock *s);

#endif

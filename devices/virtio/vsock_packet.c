/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_packet - headers, credit and the buffer: arithmetic on one connection.
 *
 * Counters run freely modulo 2^32 (virtio 1.2, 5.10.6.3), so only differences are compared.
 */
#include "devices/virtio/vsock.h"

#include <errno.h>

struct virtio_vsock_hdr vsock_header(const struct vsock *s, struct vsock_conn *c,
				     uint16_t op)
{
	c->fwd_told = c->fwd_cnt;
	return (struct virtio_vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = s->config.guest_cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op,
		.flags = op == VIRTIO_VSOCK_OP_SHUTDOWN ? c->host_shut : 0,
		.buf_alloc = c->credit,
		.fwd_cnt = c->fwd_cnt,
	};
}

uint32_t vsock_credit(const struct vsock_conn *c)
{
	uint32_t under_way = c->tx_cnt - c->peer_fwd_cnt;

	return under_way < c->peer_alloc ? c->peer_alloc - under_way : 0;
}

int vsock_learn(struct vsock_conn *c, const struct virtio_vsock_hdr *h)
{
	uint32_t under_way = c->tx_cnt - c->peer_fwd_cnt;
	uint32_t more = h->fwd_cnt - c->peer_fwd_cnt;

	/* Two threads of Linux may queue headers in another order than they made them: an older
	 * count is no lie, and is ignored.
	 */
	if (more > INT32_MAX)
		return 0;
	if (more > under_way)
		return -EPROTO;
	if (more || h->buf_alloc > c->peer_alloc)
		c->asked = false;
	c->peer_fwd_cnt = h->fwd_cnt;
	c->peer_alloc = h->buf_alloc;
	return 0;
}

void vsock_forwarded(struct vsock_conn *c, uint32_t n)
{
	c->fwd_cnt += n;
	if (c->fwd_cnt - c->fwd_told >= c->credit / 2)
		c->due |= 1U << VIRTIO_VSOCK_OP_CREDIT_UPDATE;
}

void vsock_buf_put(struct vsock_conn *c, struct span *data)
{
	BUG_ON(data->len > c->credit - c->fill);
	while (data->len) {
		uint32_t at = (uint32_t)(((uint64_t)c->head + c->fill) % c->credit);
		uint32_t n = (uint32_t)MIN(data->len, c->credit - at);

		BUG_ON(!span_get(data, c->buf + at, n));
		c->fill += n;
	}
}

unsigned int vsock_buf_iov(const struct vsock_conn *c, struct iovec iov[2])
{
	uint32_t n = MIN(c->fill, c->credit - c->head);

	iov[0] = (struct iovec){c->buf + c->head, n};
	iov[1] = (struct iovec){c->buf, c->fill - n};
	return n < c->fill ? 2 : 1;
}

void vsock_buf_eat(struct vsock_conn *c, uint32_t n)
{
	c->fill -= n;
	c->head = c->fill ? (uint32_t)(((uint64_t)c->head + n) % c->credit) : 0;
}

unsigned int vsock_trim(struct iovec *v, unsigned int n, size_t len)
{
	unsigned int i;

	for (i = 0; i < n && len; i++) {
		v[i].iov_len = MIN(v[i].iov_len, len);
		len -= v[i].iov_len;
	}
	return i;
}

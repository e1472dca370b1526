/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netstream - frames over a stream socket.
 *
 * Each direction holds one frame at most, besides bytes read ahead: a frame that the socket took
 * in part is kept until it took all, and no other is accepted before.
 */
#include "devices/backend/netstream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/tap.h"
#include "vmm/core/util.h"

#define NETSTREAM_AHEAD (256 * KIB) /* more than the largest frame: fewer reads */
#define NETSTREAM_PIECE (TAP_FRAME_MAX + sizeof(uint32_t))
#define NETSTREAM_IOVS  512

struct netstream {
	int fd;
	size_t first, have; /* in @in: where the next length is, and bytes from there */
	size_t left;        /* of @out, from @sent on */
	size_t sent;
	uint8_t in[NETSTREAM_AHEAD];
	uint8_t out[NETSTREAM_PIECE];
};

struct netstream *netstream_create(int fd)
{
	struct netstream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = fd;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return s;
}

void netstream_destroy(struct netstream *s)
{
	if (!s)
		return;
	close(s->fd);
	free(s);
}

/* ---- receiving ---- */

static uint32_t netstream_length(const struct netstream *s)
{
	uint32_t len;

	memcpy(&len, s->in + s->first, sizeof(len));
	return ntohl(len);
}

bool netstream_more(const struct netstream *s)
{
	return s->have >= sizeof(uint32_t) &&
	       s->have - sizeof(uint32_t) >= netstream_length(s);
}

/* Read on until there is a whole frame.  Return: as netstream_readv(), 1 for there is */
static ssize_t netstream_fill(struct netstream *s)
{
	for (;;) {
		ssize_t n;

		if (s->have >= sizeof(uint32_t) && (netstream_length(s) > TAP_FRAME_MAX ||
						    netstream_length(s) < ETH_HLEN)) {
			errno = EPROTO;
			return -1;
		}
		if (netstream_more(s))
			return 1;
		if (s->first) {
			memmove(s->in, s->in + s->first, s->have);
			s->first = 0;
		}
		n = read(s->fd, s->in + s->have, sizeof(s->in) - s->have);
		if (n <= 0)
			return n;
		s->have += (size_t)n;
	}
}

ssize_t netstream_readv(struct netstream *s, const struct iovec *v, int n)
{
	static const uint8_t header[TAP_HDR_LEN];
	ssize_t rc = netstream_fill(s);
	const uint8_t *from = header;
	size_t len, left, piece = sizeof(header);

	if (rc <= 0)
		return rc;
	len = netstream_length(s);
	left = len;
	for (size_t at = 0; n > 0 && (piece || left);) {
		size_t k;

		if (!piece) { /* the frame follows the header */
			from = s->in + s->first + sizeof(uint32_t);
			piece = left;
			left = 0;
		}
		k = MIN(piece, v->iov_len - at);
		memcpy((uint8_t *)v->iov_base + at, from, k);
		from += k;
		piece -= k;
		at += k;
		if (at == v->iov_len) {
			v++;
			n--;
			at = 0;
		}
	}
	s->first += sizeof(uint32_t) + len;
	s->have -= sizeof(uint32_t) + len;
	return (ssize_t)(TAP_HDR_LEN + len);
}

/* ---- sending ---- */

bool netstream_flush(struct netstream *s)
{
	while (s->left) {
		ssize_t n = send(s->fd, s->out + s->sent, s->left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return false;
		if (n <= 0) { /* no peer: the reading side notices it */
			s->left = 0;
			break;
		}
		s->sent += (size_t)n;
		s->left -= (size_t)n;
	}
	s->sent = 0;
	return true;
}

/* The bytes of @v after the first @skip, into @out */
static void netstream_keep(struct netstream *s, const struct iovec *v, int n, size_t skip)
{
	for (; n > 0; v++, n--) {
		size_t k = v->iov_len;

		if (skip >= k) {
			skip -= k;
			continue;
		}
		memcpy(s->out + s->left, (const uint8_t *)v->iov_base + skip, k - skip);
		s->left += k - skip;
		skip = 0;
	}
}

/* @v without its first TAP_HDR_LEN bytes, after a length. Return: how many, 0: too many */
static int netstream_wrap(struct iovec *to, uint32_t *len, const struct iovec *v, int n)
{
	size_t skip = TAP_HDR_LEN, sum = 0;
	int m = 1;

	to[0] = (struct iovec){len, sizeof(*len)};
	for (int i = 0; i < n; i++) {
		size_t k = MIN(skip, v[i].iov_len);

		skip -= k;
		if (k == v[i].iov_len)
			continue;
		if (m == NETSTREAM_IOVS)
			return 0;
		to[m++] = (struct iovec){(uint8_t *)v[i].iov_base + k, v[i].iov_len - k};
		sum += v[i].iov_len - k;
	}
	*len = htonl((uint32_t)sum);
	return skip || sum > TAP_FRAME_MAX ? 0 : m;
}

ssize_t netstream_writev(struct netstream *s, const struct iovec *v, int n)
{
	struct iovec to[NETSTREAM_IOVS];
	struct msghdr m = {.msg_iov = to};
	uint32_t len;
	ssize_t rc;
	int count;

	if (!netstream_flush(s)) {
		errno = EAGAIN;
		return -1;
	}
	count = netstream_wrap(to, &len, v, n);
	if (!count) {
		errno = EMSGSIZE;
		return -1;
	}
	m.msg_iovlen = (size_t)count;
	rc = sendmsg(s->fd, &m, MSG_NOSIGNAL);
	if (rc < 0)
		return rc;
	if ((size_t)rc < sizeof(len) + ntohl(len))
		netstream_keep(s, to, count, (size_t)rc);
	return (ssize_t)(TAP_HDR_LEN + ntohl(len));
}

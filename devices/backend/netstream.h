/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netstream - frames over a stream socket, each behind its length in 32 bits, big-endian, as
 * QEMU's stream netdev and passt speak it; to a device it looks like a tap without offloads.
 *
 * Each frame given and taken stands behind a virtio_net_hdr_v1, which says nothing here.
 */
#ifndef MICROVM_BACKEND_NETSTREAM_H
#define MICROVM_BACKEND_NETSTREAM_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

struct netstream;

/* netstream_create() - on @fd, a connected stream socket, which it takes over and makes
 * non-blocking.  NULL: no memory, @fd then still the caller's
 */
struct netstream *netstream_create(int fd);
void netstream_destroy(struct netstream *s); /* NULL is fine */

/* netstream_readv() - the next frame.  Return: its length with header, more than @v holds
 * if the rest is lost; 0, the other side has left; -1 with errno: EAGAIN, none yet; EPROTO,
 * a length that no frame has.  netstream_more(): is there one already, unheard by the
 * socket?
 */
ssize_t netstream_readv(struct netstream *s, const struct iovec *v, int n);
bool netstream_more(const struct netstream *s);
/* netstream_writev() - send a frame.  Return: its length with header, it is on its way;
 * -1 with errno: EAGAIN, netstream_flush() first
 */
ssize_t netstream_writev(struct netstream *s, const struct iovec *v, int n);
/* netstream_flush() - what the socket did not take before.  Return: is all of it gone? */
bool netstream_flush(struct netstream *s);

#endif

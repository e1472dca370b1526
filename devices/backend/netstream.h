/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netstream - frames over a stream socket, each after its length in 32 bits, big-endian, as
 * QEMU's stream netdev and passt speak it; to a device it looks like a tap without offloads.
 *
 * Each frame has a virtio_net_hdr_v1 in front, which holds no information here.
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
void netstream_destroy(struct netstream *s); /* NULL does nothing */

/* netstream_readv() - the next frame.  Return: its length with header, more than @v holds if the
 * rest is lost; 0, the peer has left; -1 with errno: EAGAIN, none yet; EPROTO, a length that no
 * frame has. netstream_more(): has a frame been read ahead, for which the socket will not wake
 * us?
 */
ssize_t netstream_readv(struct netstream *s, const struct iovec *v, int n);
bool netstream_more(const struct netstream *s);
/* netstream_writev() - send a frame.  Return: its length with header, it was accepted;
 * -1 with errno: EAGAIN, netstream_flush() first
 */
ssize_t netstream_writev(struct netstream *s, const struct iovec *v, int n);
/* netstream_flush() - send the rest of a frame.  Return: is all of it gone? */
bool netstream_flush(struct netstream *s);

#endif

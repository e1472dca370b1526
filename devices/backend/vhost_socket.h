/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_socket - the unix sockets that connect us to vhost-user back ends. */
#ifndef MICROVM_BACKEND_VHOST_SOCKET_H
#define MICROVM_BACKEND_VHOST_SOCKET_H

#include "vmm/core/err.h"

/* vhost_socket_connect() - to the back end that listens at @path.  Never waits.
 * Return: the socket, or -errno with a sentence in @e
 */
int vhost_socket_connect(const char *path, struct err *e);
/* vhost_socket_pair() - a socket that listens, for a daemon to accept from, and one that is
 * already connected to it. No other process can connect: it has no name any more.
 * Return: 0, or -errno with a sentence in @e
 */
int vhost_socket_pair(int *listener, int *connected, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* unix_socket - unix sockets: addresses, connections to a path, descriptors that come by one. */
#ifndef MICROVM_CORE_UNIX_SOCKET_H
#define MICROVM_CORE_UNIX_SOCKET_H

#include <sys/un.h>

/* unix_address() - Return: 0, or -ENAMETOOLONG */
int unix_address(struct sockaddr_un *a, const char *path);
/* unix_connect() - to the stream socket at @path.  Never waits: a listener whose backlog is
 * full is -EAGAIN.  Return: a non-blocking fd, or -errno (-ENAMETOOLONG among them)
 */
int unix_connect(const char *path);
/* unix_take_fds() - the descriptors that came with a message that recvmsg(2) put into @h, the first
 * @max of them into @fd, the caller's; all others are closed.  Return: how many are in @fd
 */
struct msghdr;
unsigned int unix_take_fds(struct msghdr *h, int *fd, unsigned int max);

#endif

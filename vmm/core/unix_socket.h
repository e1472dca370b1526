/* SPDX-License-Identifier: Apache-2.0 */
/* unix_socket - addresses of, and connections to, unix sockets with a path. */
#ifndef MICROVM_CORE_UNIX_SOCKET_H
#define MICROVM_CORE_UNIX_SOCKET_H

#include <sys/un.h>

/* unix_address() - Return: 0, or -ENAMETOOLONG */
int unix_address(struct sockaddr_un *a, const char *path);
/* unix_connect() - to the stream socket at @path.  Never waits: a listener whose backlog is
 * full is -EAGAIN.  Return: a non-blocking fd, or -errno (-ENAMETOOLONG among them)
 */
int unix_connect(const char *path);

#endif

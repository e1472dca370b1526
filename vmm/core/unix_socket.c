/* SPDX-License-Identifier: Apache-2.0 */
/* unix_socket - addresses of, and connections to, unix sockets with a path. */
#include "vmm/core/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int unix_address(struct sockaddr_un *a, const char *path)
{
	size_t len = strlen(path);

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	memcpy(a->sun_path, path, len);
	return 0;
}

int unix_connect(const char *path)
{
	struct sockaddr_un a;
	int rc = unix_address(&a, path), fd;

	if (rc < 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

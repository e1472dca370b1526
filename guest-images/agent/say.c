/* SPDX-License-Identifier: Apache-2.0 */
/* say - sentences, and small texts of the kernel's */
#include "guest-images/agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool sentence(char dst[AGENT_SENTENCE + 1], const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(dst, AGENT_SENTENCE + 1, fmt, args);
	va_end(args);
	return false;
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return n == (ssize_t)strlen(text);
}

long read_file(const char *path, char *buf, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, room - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

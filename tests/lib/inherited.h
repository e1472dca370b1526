/* SPDX-License-Identifier: Apache-2.0 */
/* inherited - how many of our descriptors a program that we start would inherit. */
#ifndef MICROVM_TESTS_INHERITED_H
#define MICROVM_TESTS_INHERITED_H

#include <fcntl.h>
#include <unistd.h>

static inline unsigned int inherited(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		n += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	return n;
}

#endif

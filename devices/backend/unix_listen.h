/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unix_listen - a listening unix socket at a path of the operator's: made by us, for our user
 * only, and removed when we end.
 */
#ifndef MICROVM_BACKEND_UNIX_LISTEN_H
#define MICROVM_BACKEND_UNIX_LISTEN_H

#include "vmm/core/err.h"

struct unix_listener {
	int fd;           /* non-blocking, listening; -1: closed */
	const char *path; /* the caller's, outliving the listener */
	int slot;         /* of the path (vmm/core/outside.h) */
};

/* unix_listen() - make a stream socket at @path, mode 0600, and listen.  A socket there without a
 * listener, as a killed process leaves it, is replaced. @what names the thing in the sentence:
 * "vsock".
 * Return: 0, or -errno with the sentence in @e, @l->fd then -1
 */
int unix_listen(struct unix_listener *l, const char *what, const char *path,
		struct err *e);
/* unix_unlisten() - close, and remove the path if it still is our socket */
void unix_unlisten(struct unix_listener *l);

#endif

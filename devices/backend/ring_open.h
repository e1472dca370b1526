/* SPDX-License-Identifier: Apache-2.0 */
/* ring_open - set an io_uring up; for devices/backend/ring only. */
#ifndef MICROVM_BACKEND_RING_OPEN_H
#define MICROVM_BACKEND_RING_OPEN_H

#include <liburing.h>

/* ring_open() - @u, restricted and enabled, with RING_USERS_MAX places for files, all empty.
 * Return: 0, or -errno of the call that failed, with nothing left open
 */
int ring_open(struct io_uring *u);

#endif

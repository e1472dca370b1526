/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - a unix socket by which a machine that runs is asked for things (--control PATH): lines of
 * JSON, as docs/control.md has them.
 *
 * All on the loop's thread. Nothing waits for a client: what one does not take stays with us, one
 * answer at most, and until it has taken that nothing more is read of it. A client's requests are
 * done one after another; the clients have turns, and all of them together a limit on how much of the
 * loop's time they use. A client that is in the way of another one that comes is let go.
 */
#ifndef MICROVM_CONTROL_H
#define MICROVM_CONTROL_H

#include "vmm/core/err.h"
#include "vmm/core/loop.h"
#include "vmm/machine/machine_ops.h"

#define CONTROL_CLIENTS 8 /* at a time */

struct control;

/* control_open() - make the socket at @path, mode 0600, in place of one that a killed process left;
 * clients are answered while @loop runs. @path and @ops must outlive it; @pid is what a status says.
 * After machine_build() and before the process is locked up. Return: 0 and @c; -errno in @e, @c NULL
 */
int control_open(struct control **c, const char *path, const struct machine_ops *ops,
		 struct loop *loop, int pid, struct err *e);
/* control_close() - let go of all clients, and remove the socket; NULL does nothing. The loop does not
 * run any more
 */
void control_close(struct control *c);

#endif

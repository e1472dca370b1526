/* SPDX-License-Identifier: Apache-2.0 */
/* broker_child - how the broker's child is begun, and what its end means. */
#ifndef MICROVM_JAIL_BROKER_CHILD_H
#define MICROVM_JAIL_BROKER_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "vmm/core/err.h"
#include "vmm/jail/jail.h"

struct child {
	pid_t pid;
	int pidfd, wire, relay; /* -1: none.  @wire: questions; @relay: signals */
	int its_wire,
		its_relay; /* the child's ends: what it closes as it ends wakes nobody */
	int lock;          /* of its identity */
	struct cgroup group;
	int status; /* as of waitpid(2), once it has @ended */
	bool ended;
	bool nonsense; /* it asked what cannot be asked, and was killed */
};

/* child_start() - clone it: as root into a pid namespace, as a user without capabilities into a user
 * namespace as well, where the host allows that; in a control group, if @j wants one.
 * Return: 0; -errno in @e
 */
int child_start(struct child *c, struct jail *j, int (*vmm)(void *ctx), void *ctx,
		struct err *e);
/* child_reap() - wait for its end, which has begun */
void child_reap(struct child *c);
/* child_stopped() - has it stopped?  Waits for nothing. If it has ended, @c says so */
bool child_stopped(struct child *c);
/* child_verdict() - its exit status, or -errno and in @e what ended it without one, unless that is
 * there already. @j: as it left it
 */
int child_verdict(const struct child *c, const struct jail *j, struct err *e);
void child_close(struct child *c); /* and its control group ends */

#endif

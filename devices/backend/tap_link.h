/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap_link - the host's side of a tap: is it up, to what does it belong, does it exist?
 *
 * The kernel tells a listener of every interface of a network namespace, and of other things
 * besides; a filter in the kernel passes only messages on this one, so that no other message
 * wakes us.
 */
#ifndef MICROVM_BACKEND_TAP_LINK_H
#define MICROVM_BACKEND_TAP_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct tap_link {
	unsigned int index; /* the interface's number; 0: we get no messages on it */
	int fd;             /* then not ours. Readable: there is a message */
	bool up;            /* and its carrier is on, which `ip link` can switch off */
	bool gone;          /* deleted, or moved to another namespace */
	uint32_t master;    /* the number of its bridge or other master; 0: none */
	bool lost;          /* messages were lost: the socket was full */
};

/* tap_link_open() - watch interface @name of this thread's network namespace from now on, and get
 * its present state. Return: 0, or -errno with l->index 0
 */
int tap_link_open(struct tap_link *l, const char *name);
void tap_link_close(struct tap_link *l); /* any number of times; nothing if index is 0 */

/* tap_link_queues() - how many queues of the tap @name, which can have several, processes have open;
 * 0: none, or the kernel does not say (Linux 4.17)
 */
unsigned int tap_link_queues(const char *name);
/* tap_link_read() - read the messages there are, or a part if there are many.
 * Return: did it come up or change its master, if only for a while?  Then other peers than before
 * may be on its other side
 */
bool tap_link_read(struct tap_link *l);

#endif

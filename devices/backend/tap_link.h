/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap_link - what the host does with a tap: is it up, to what does it belong, is it there?
 *
 * The kernel tells whoever listens of every interface of a network namespace, and of other
 * things besides; a filter in the kernel leaves what concerns this one, so that nothing else
 * wakes us.
 */
#ifndef MICROVM_BACKEND_TAP_LINK_H
#define MICROVM_BACKEND_TAP_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct tap_link {
	unsigned int index; /* the interface's number; 0: nobody tells us of it */
	int fd;             /* then not ours.  Readable: there is something to hear */
	bool up;            /* and its carrier is on, which `ip link` can switch off */
	bool gone;          /* deleted, or moved to another namespace */
	uint32_t master;    /* the number of its bridge or the like; 0: none */
	bool lost;          /* the kernel had more to say than the socket could hold */
};

/* tap_link_open() - hear of interface @name of this thread's network namespace from now on,
 * and how it is now.  Return: 0, or -errno with l->index 0
 */
int tap_link_open(struct tap_link *l, const char *name);
void tap_link_close(struct tap_link *l); /* any number of times; nothing if index is 0 */

/* tap_link_read() - hear what there is to hear, or a part of it if there is much.
 * Return: did it come up or change its master, if only for a while?  Then those on its other
 * side may be others than before
 */
bool tap_link_read(struct tap_link *l);

#endif

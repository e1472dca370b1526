/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_tree - what of the host's root a job may see as its own. */
#ifndef MICROVM_BACKEND_DAEMON_TREE_H
#define MICROVM_BACKEND_DAEMON_TREE_H

/* daemon_tree_mount() - mount at the directory @at a tree in memory in which the host's directories of
 * programs and settings are mounted, with all that is mounted in them, and in which /home, /root,
 * /run, /tmp, /var and the like are empty. Nothing in it can be written, is a device, or gives
 * rights. In a mount namespace of its own, which the host's does not follow; with the rights and
 * the user of a process that is to serve it. System calls only. Return: 0, or -1 with errno
 */
int daemon_tree_mount(const char *at);

#endif

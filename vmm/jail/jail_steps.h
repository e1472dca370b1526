/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail_steps - the steps that jail_take() takes, and the broker's two. The process has one thread.
 *
 * Each that returns int: 0; -EALREADY: it is not needed here; -errno: the host does not give it.
 */
#ifndef MICROVM_JAIL_JAIL_STEPS_H
#define MICROVM_JAIL_JAIL_STEPS_H

#include "vmm/jail/jail.h"

/* jail_namespaces.c. jail_namespaces(): all that the process was not cloned into, each noted by
 * @note; as root all but the user namespace, which has to come after jail_identity()
 */
void jail_namespaces(struct jail *j,
		     void (*note)(struct jail *j, enum jail_layer l, int rc));
int jail_user_namespace(void);
/* An empty root, read-only, in three steps. jail_root_cover(): go into an empty directory of a
 * mount namespace of our own. jail_root_swap(): let go of the host's mounts; after an unmount the
 * kernel waits for all processors. jail_root_enter(): every path begins there. What is left to be
 * taken away from a process without descriptors of directories and without CAP_SYS_CHROOT is its
 * table of mounts
 */
int jail_root_cover(void);
int jail_root_swap(void);
int jail_root_enter(void);

/* jail_identity.c: as root, a uid and gid of its own, and no groups; the right to jail_root_enter()
 * is kept
 */
int jail_identity(const struct jail *j);

/* jail_rights.c */
uint64_t jail_capabilities(void); /* a bit for each in effect */
bool jail_is_root(void);          /* may it have a user of its own, and namespaces? */
/* @j: of processes and file sizes as well, after jail_identity() and all namespaces; NULL: not of those */
int jail_limits(const struct jail *j);
void jail_environment(void);
int jail_no_capabilities(void);
/* Of the capabilities that a change of uid left: what jail_root_enter() and jail_no_capabilities() need,
 * and no other
 */
void jail_raise_two(void);
void jail_few_capabilities(void); /* of the broker */
int jail_no_privileges(void);
int jail_no_dump(void);
int jail_landlock(void);
int jail_no_exec(void);
int jail_has_seccomp(void);

#endif

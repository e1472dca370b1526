/* SPDX-License-Identifier: Apache-2.0 */
/* broker_users - the users in the user namespace that the broker's child is born into. */
#ifndef MICROVM_JAIL_BROKER_USERS_H
#define MICROVM_JAIL_BROKER_USERS_H

#include <stdbool.h>
#include <sys/types.h>

/* broker_users() - give the user namespace of child @pid, which has no maps yet, this user and its
 * subordinate ids, each under its own number, by newuidmap and newgidmap.  A user that has none is
 * no reason for a word, one whose programs refuse is one for a warning.
 * Return: is it done? Else the child maps itself
 */
bool broker_users(pid_t pid);

#endif

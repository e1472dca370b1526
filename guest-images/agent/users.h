/* SPDX-License-Identifier: Apache-2.0 */
/* users - the user of a job, by the root's own /etc/passwd and /etc/group, which may say anything */
#ifndef MICROVM_AGENT_USERS_H
#define MICROVM_AGENT_USERS_H

#include <sys/types.h>

#include "guest-images/agent/agent.h"

#define USER_GROUPS 128 /* supplementary ones; more are left out */

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS];
	unsigned int ngroups;
	char home[256];
};

/* A file in memory, without a NUL at its end; @p may be NULL if @len is 0 */
struct text {
	const char *p;
	size_t len;
};

/*
 * Who @who is: USER or USER:GROUP, by name or number, NULL or "" for root.  A number needs no entry:
 * its group is 0 then and its home is "/".  With GROUP there are no supplementary groups.  Lines that
 * are none are passed over.
 * Return: was he found?  If not, @why says so.
 */
bool user_find(struct user *u, const char *who, struct text passwd, struct text group,
	       char why[AGENT_SENTENCE + 1]);

#endif

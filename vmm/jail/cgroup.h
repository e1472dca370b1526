/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - a control group (version 2) for one machine, made before its process and removed after it.
 *
 * The kernel enforces limits only below a group that has no process of its own and that we may write: one
 * that is given, or the one that we are in if it is delegated to us (systemd: Delegate=). The root
 * group is the exception, it may have processes.
 */
#ifndef MICROVM_JAIL_CGROUP_H
#define MICROVM_JAIL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/core/err.h"

#define CGROUP_NAME  40
#define CGROUP_TRIES 8 /* names that a broker has for its child's group */

/* The group that a machine is to have */
struct cgroup_want {
	const char *dir; /* it is made below this one; NULL: below our own group */
	bool delegated;  /* only below a group that is delegated to us */
	bool must;       /* without it there is no machine */
	uint64_t memory; /* bytes */
	unsigned int tasks;
	unsigned int cpus_milli; /* processors, in thousandths; 0: no limit */
};

/* One that was made. Its descriptors are open for as long as it is there: to end it takes no path */
struct cgroup {
	int parent, dir, events; /* -1: there is none */
	char name[CGROUP_NAME];  /* below @parent */
	uint64_t memory;         /* its limit */
};

/* cgroup_here() - is version 2 where a process looks for its own group? One system call */
bool cgroup_here(void);
/* cgroup_make() - all limits are set, and nothing is in it. Groups that machines left behind whose
 * broker was killed are removed. If we are alone in the parent, we move to a group beside the new
 * one, because the parent may have no process then.
 * Return: 0; -errno with a sentence in @e, and nothing was made
 */
int cgroup_make(struct cgroup *g, const struct cgroup_want *w, struct err *e);
/* cgroup_look() - would cgroup_make() find a group to make it in?  It makes nothing.  Return: 0; -errno
 * with the same sentence in @e
 */
int cgroup_look(const struct cgroup_want *w, struct err *e);
/* cgroup_starved() - after a process in it was killed: did the lack of memory do that? Then a sentence
 * is in @e.  Return: 0: no; -errno
 */
int cgroup_starved(const struct cgroup *g, struct err *e);
/* cgroup_remove() - after its processes have ended; waits a moment for the last of them */
void cgroup_remove(struct cgroup *g);
/* cgroup_close() - only our descriptors of it: of a process that is to be in it */
void cgroup_close(struct cgroup *g);

/* cgroup_name() - the name @nth of the group of that broker's child; CGROUP_TRIES: of its own group */
void cgroup_name(char name[CGROUP_NAME], pid_t broker, int nth);
/* cgroup_broker() - the number of the broker that made the group @name; 0: no broker did */
pid_t cgroup_broker(const char *name);
/* cgroup_own() - which group is ours by @text, /proc/self/cgroup?  Return: 0 and its path below the
 * mount of version 2 in @path; -ENOENT: none, or it was removed; -ENAMETOOLONG
 */
int cgroup_own(const char *text, char *path, size_t size);
/* cgroup_count() - the number of @event in @text, memory.events; 0: it is not there */
uint64_t cgroup_count(const char *text, const char *event);

#endif

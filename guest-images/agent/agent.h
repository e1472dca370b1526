/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent - the first process of a guest of `microvm run` (docs/agent.md): what its files share.
 *
 * One process and one thread serve the port and all sessions.  A session's job is started by a
 * child, the reaper, which is the first process of the job's own namespaces (job.c).
 */
#ifndef MICROVM_AGENT_H
#define MICROVM_AGENT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest-images/agent/proto.h"

#define AGENT_ROOT \
	"/run/root" /* where the jobs' root is mounted, in our mount namespace */

/* Words for a person; cut at AGENT_SENTENCE.  Return: false, for a caller that fails with it. */
bool sentence(char dst[AGENT_SENTENCE + 1], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Say on the console and in the kernel's log why no job can be served, and end: the kernel panics */
_Noreturn void agent_panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Write the whole of @text into the file at @path.  Return: did it work, errno if not? */
bool write_file(const char *path, const char *text);

/* Read @path, a text of the kernel's, into @buf, with a NUL behind it.  Return: bytes, or -1 */
long read_file(const char *path, char *buf, size_t room);

/* init.c: load the modules of group @name, by the file /modules/groups; a kernel that has all built
 * in has no such file.  What fails shows when the driver is missed. */
void modules_load(const char *name);

/* cgroup.c: the groups of the jobs.  All but the first fail with errno. */
void cgroup_init(void);
int cgroup_make(unsigned int slot); /* Return: a descriptor of its directory, or -1 */
bool cgroup_oom(
	unsigned int slot); /* has its memory been full, so that a process was killed? */
void cgroup_remove(unsigned int slot);
unsigned long cgroup_limit(void); /* bytes of memory that all jobs together may have */

/*
 * machine.c: take the text of MACHINE, which is written to, and mount what it says at AGENT_ROOT.
 * Return: is all there?  If not, @why says what is not.
 */
bool machine_make(char *text, size_t len, char why[AGENT_SENTENCE + 1]);
const char *machine_hostname(void);
void machine_flush(void); /* the volumes are written out */

#endif

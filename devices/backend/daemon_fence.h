/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_fence - what is taken from a daemon before it becomes the program.
 *
 * From each: a way to new privileges, and core files. From one that has nothing of its own to
 * isolate itself with (spec.reach): also all files but those it is given and its libraries, the
 * network, new sockets, capabilities, the environment. For devices/backend/daemon*.c only.
 */
#ifndef MICROVM_BACKEND_DAEMON_FENCE_H
#define MICROVM_BACKEND_DAEMON_FENCE_H

#include <linux/filter.h>

#include "devices/backend/daemon.h"

struct daemon_fence {
	const struct daemon_spec *spec;
	int ruleset; /* Landlock's; -1: none */
	int no_net;  /* written by the new process: why it has the host's network */
	char uid_map[32], gid_map[32];
};

/* daemon_fence_init() - for a program at @path, which @s asks for; before the new process starts.
 * A layer that the host lacks is a warning, once, or with JAIL_STRICT a refusal.
 * Return: 0, or -errno with a sentence in @e.  daemon_fence_fini() after it, unless it failed
 */
int daemon_fence_init(struct daemon_fence *f, const struct daemon_spec *s,
		      const char *path, struct err *e);
void daemon_fence_fini(struct daemon_fence *f);
/* daemon_fence_enter() - in the new process, when all else is done, with its number of f->ruleset.
 * System calls only.
 * Return: NULL, or what failed, errno set
 */
const char *daemon_fence_enter(struct daemon_fence *f, int ruleset);
/* daemon_fence_held() - after the new process' exec: what it could not do.  As daemon_fence_init() */
int daemon_fence_held(const struct daemon_fence *f, struct err *e);

/* Of the new process: system calls only.  All return 0, or -1 and errno.
 * room_write() - @text into a file of /proc; room_write_at() - in directory @dir; room_answer() -
 * a seccomp filter: calls @nr[@n] return @errnum without effect (0: they "succeed"), as do all of
 * another architecture
 */
int room_write(const char *path, const char *text);
int room_write_at(int dir, const char *path, const char *text);
int room_answer(const unsigned int *nr, unsigned int n, unsigned int errnum);

#endif

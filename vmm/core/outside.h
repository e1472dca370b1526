/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside - the paths of the host that a machine still needs while it runs.
 *
 * A part registers a path when it is made and gets a slot for it. Afterwards it says what it wants
 * done by slot number. The process does that itself, or, once it is jailed and can reach no path,
 * asks another one (outside_ask()), which has the same table (outside_tell()) and the same code
 * (outside_serve()): a question is three integers.
 *
 * Slots are made and dropped by the main thread before and after the run; questions are asked by
 * any thread, one at a time.
 */
#ifndef MICROVM_CORE_OUTSIDE_H
#define MICROVM_CORE_OUTSIDE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "vmm/core/landlock.h"

#define OUTSIDE_SLOTS_MAX 128
#define OUTSIDE_NO_PORT   UINT32_MAX
#define OUTSIDE_TELL_MAX  (PATH_MAX + 32)

enum outside_verb {
	OUTSIDE_CONNECT,    /* @arg: a port, or OUTSIDE_NO_PORT. Answers a descriptor */
	OUTSIDE_ANEW,       /* a full log becomes PATH.1.  Answers a descriptor */
	OUTSIDE_REWRITE,    /* begin to write a file once more.  Answers a descriptor */
	OUTSIDE_PUT,        /* put it in place; @arg: what OUTSIDE_REWRITE began last */
	OUTSIDE_REMOVE,     /* a file that we made, if it is still there */
	OUTSIDE_STOP,       /* stop both processes; answers when they go on */
	OUTSIDE_FOREGROUND, /* 1: the terminal's, or there is none; 0: another job's */
	OUTSIDE_PEAK_RSS,   /* the asker's, in KiB */
	OUTSIDE_END,    /* end a helper process: by SIGTERM, or with @arg 1 by SIGKILL */
	OUTSIDE_LOCKED, /* the table is whole; answered when the answerer is locked up */
	OUTSIDE_VERBS
};

struct outside_question {
	uint32_t verb, slot, arg;
};

/* All that register a path.  What is done later is done in its directory as that is now, whatever
 * name the directory has by then.  Return: a slot; -errno: it is not there, no memory, no slot left
 *
 * outside_peer() - a unix socket that others listen on; with a port: at PATH_PORT
 */
int outside_peer(const char *path);
/* outside_ours() - a socket or file of ours at @path, removed when it is dropped if it is there */
int outside_ours(const char *path);
/* outside_made() - the file @path, which we made and have open as @fd; it stays when it is dropped */
int outside_made(const char *path, int fd);
/* outside_log() - the regular file @path, as @fd has it open */
int outside_log(const char *path, int fd);
/* outside_file() - a regular file to be replaced in one step.  @older: there is one, and it is
 * @path by its own name. @fd: the descriptor to write to, open for as long as the slot is there
 */
int outside_file(const char *path, const struct stat *older, int *fd);
/* outside_helper() - a process of ours, by the descriptor @pidfd, which stays the caller's */
int outside_helper(int pidfd);
/* outside_drop() - forget a slot, and remove what must not stay: our socket, a file that was not
 * put in place. Jailed, this is left to the other process. -1 is allowed
 */
void outside_drop(int slot);
const char *outside_path(int slot);

/* outside_do() - @verb for @slot.  Waits for the file system only.  Return: a descriptor, which is
 * non-blocking and the caller's, where the verb answers one; else 0 or more; or -errno
 */
int outside_do(enum outside_verb verb, int slot, uint32_t arg);

/* outside_peak_rss_kib() - the most memory that this process ever had in the host's RAM; 0: unknown.
 * Not ru_maxrss, which begins with that of the parent process
 */
int outside_peak_rss_kib(void);

/* outside_part() - this process was just cloned off from the one at the other end of @wire, a
 * SOCK_SEQPACKET socket: slots that there are already are in both tables
 */
void outside_part(int wire);
/* outside_ask() - tell that process all slots that were made since; from now on it is asked.
 * Return: 0 or -errno
 */
int outside_ask(void);
bool outside_asks(void); /* is it so? */
/* outside_wait() - until that process, asked just now, has locked itself up; then, is it still there?
 * Return: 0; -ESRCH: it has ended; another -errno
 */
int outside_wait(void);

/* The other process. outside_serve() - do what @q asks, whatever its numbers are. @fd: the
 * descriptor of the answer, or -1. Return: as outside_do(), but 0 with a descriptor; -ENOSYS: a
 * verb that has nothing to do with paths
 */
int outside_serve(const struct outside_question *q, int *fd);
/* outside_watch() - from now on outside_peak_rss_kib() is about the process @pid */
void outside_watch(int pid);
/* outside_rules() - what outside_serve() and outside_drop() do with paths: the rights that they
 * need, one @rule for each directory. @peers: do they connect to sockets?  Return: how many rules
 */
unsigned int outside_rules(struct landlock_rule rule[OUTSIDE_SLOTS_MAX], bool *peers);
/* outside_hear() - a slot as outside_ask() tells it, in @msg, OUTSIDE_TELL_MAX bytes at most, and
 * with it descriptor @passed, or -1, which is ours from now on.
 * Return: 0; -EINVAL: it is none; -ENOMEM
 */
int outside_hear(const void *msg, size_t len, int passed);
/* outside_drop_heard() - as outside_drop(), of all such slots */
void outside_drop_heard(void);

#endif

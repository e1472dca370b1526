/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - a helper program that a device stands on: started, listened to, told of when
 * it ends, and ended with us.
 *
 * It gets the file descriptors that it is given and no other of ours, stands in a session
 * of its own (a Ctrl-C on our terminal is not for it), and gets SIGTERM when we die,
 * however we die.  What it says on stdout and stderr goes to the log (level info), and the
 * end of it, DAEMON_SAID_MAX bytes in whole lines, into the sentence about its end.
 */
#ifndef MICROVM_BACKEND_DAEMON_H
#define MICROVM_BACKEND_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/core/err.h"
#include "vmm/core/loop.h"

#define DAEMON_SAID_MAX 256
#define DAEMON_HOW_MAX  (DAEMON_SAID_MAX + 128) /* of a sentence about an end */
#define DAEMON_FDS_MAX  16
#define DAEMON_FD_FIRST 3 /* what spec.fd[0] is in the program */

/* A directory that the program finds at @at, so that its option parser never sees the
 * directory's own name.  It is mounted there, with all that is mounted in it, in a mount
 * namespace that only the program is in.
 */
struct daemon_dir {
	int fd; /* ours; O_PATH is enough.  The program does not get it */
	const char *
		at; /* absolute; a directory of the host that the program can do without */
	bool readonly; /* for the program and all that it starts */
};

/* What to start */
struct daemon_spec {
	const char *program;       /* "virtiofsd": looked for in $PATH, then in @places */
	const char *const *places; /* directories, NULL at the end; NULL: none */
	const char *cure; /* when it is not there: "apt install qemu-system-common" */
	const char *const *args; /* what follows its name, NULL at the end */
	const int *fd;           /* @nfd of ours: its 3, 4, ...; they stay ours, too */
	unsigned int nfd;
	const struct daemon_dir *dir; /* NULL: none */
	/* lines with one of these words are logged, but not quoted; NULL at the end; NULL: none */
	const char *const *noise;
	/* it is root in a user namespace of its own, and we are nobody outside of it */
	bool userns;
};

struct daemon {
	const char *program;      /* the spec's */
	const char *const *noise; /* the spec's */
	pid_t pid;                /* 0: none, or it has ended */
	int status;               /* as of waitpid(2), when it has ended */
	struct loop *loop;        /* NULL: not watched */
	struct loop_source end, talk;
	void (*ended)(struct daemon *d, const char *how);
	char said[DAEMON_SAID_MAX]; /* the end of it, printable, lines joined by "; " */
	size_t nsaid;
};

/* daemon_init() - none running.  All below may then be called */
void daemon_init(struct daemon *d);
/* daemon_find() - where the program is, into @path.  Return: 0; -ENOENT, or -EACCES for
 * one that may not be run, with a sentence and the cure in @e
 */
int daemon_find(const struct daemon_spec *s, char *path, size_t size, struct err *e);
/* daemon_start() - start it.  Main thread only (its end is what the program dies with).
 * The strings must outlive the call, program and noise @d.  That it could be executed is not known
 * yet: it is if it answers, and else daemon_dead() knows why not.
 * Return: 0, or -errno with a sentence in @e
 */
int daemon_start(struct daemon *d, const struct daemon_spec *s, struct err *e);
/* daemon_ask() - start it to hear what it says, @size - 1 bytes at most and for two seconds at
 * most, then end it.  Main thread.  Return: 0, @text a string; or -errno as daemon_start()
 */
int daemon_ask(const struct daemon_spec *s, char *text, size_t size, struct err *e);
/* daemon_dead() - it does not answer: has it ended, within @ms milliseconds, and before we
 * are told to end (signals_ending())?
 * Return: 0, it runs; else -errno with the sentence in @e.  Not once it is watched
 */
int daemon_dead(struct daemon *d, int ms, struct err *e);
/* daemon_watch() - from now on its end calls @ended, once, on the loop with @dev's lock held;
 * @how is "virtiofsd ended with status 1: what it said".  @ended may not stop it.
 * Return: 0 or -errno
 */
int daemon_watch(struct daemon *d, struct loop *l, struct device *dev,
		 void (*ended)(struct daemon *d, const char *how));
/* daemon_stop() - SIGTERM, after a second SIGKILL, and wait for the end; @ended is not
 * called.  At our exit, or when the start did not work out
 */
void daemon_stop(struct daemon *d);

#endif

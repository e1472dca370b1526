/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - a helper program of a device: started, logged, watched for its end, and ended with us.
 *
 * It gets the file descriptors that it is given and no other of ours, runs in a session of its
 * own (a Ctrl-C on our terminal does not reach it), and gets SIGTERM when we die, however we die.
 * Its stdout and stderr go to the log (level info), and the last part, DAEMON_SAID_MAX bytes in
 * whole lines, into the sentence about its end.
 */
#ifndef MICROVM_BACKEND_DAEMON_H
#define MICROVM_BACKEND_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/landlock.h"
#include "vmm/core/loop.h"

#define DAEMON_SAID_MAX  256
#define DAEMON_HOW_MAX   (DAEMON_SAID_MAX + 128) /* of a sentence about an end */
#define DAEMON_FDS_MAX   16
#define DAEMON_FD_FIRST  3 /* what spec.fd[0] is in the program */
#define DAEMON_REACH_MAX 64

/* A directory that the program finds at @at, so that its option parser never sees the directory's
 * own name. It is mounted there, with all that is mounted in it, in a mount namespace of the
 * program's own.
 */
struct daemon_dir {
	int fd;         /* ours; O_PATH is enough.  The program does not get it */
	const char *at; /* absolute; a directory that the program does not need */
	bool readonly;  /* for the program and all processes that it starts */
	bool host;      /* not @fd, but what daemon_tree.h shows of the host's root */
};

/* The user that it is */
enum daemon_users {
	DAEMON_OURS, /* ours, in our user namespace */
	DAEMON_ROOM, /* root of a user namespace of its own, and outside of it ours */
	/* likewise, but outside a user that owns nothing, in no group: it may do what every user may */
	DAEMON_OTHER,
};

/* What to start */
struct daemon_spec {
	const char *program;       /* "virtiofsd": looked for in $PATH, then in @places */
	const char *const *places; /* directories, NULL at the end; NULL: none */
	const char *cure;        /* if it is missing: "apt install qemu-system-common" */
	const char *const *args; /* the arguments after its name, NULL at the end */
	const int *fd;           /* @nfd of ours become its 3, 4, ...; we keep ours */
	unsigned int nfd;
	const struct daemon_dir *dir; /* NULL: none */
	/* lines with one of these words are logged, not quoted; NULL at the end; NULL: none */
	const char *const *noise;
	enum daemon_users users;
	/* It isolates itself with nothing of its own: it may open these @nreach files, its program and
	 * the system's libraries alone, has no network and makes no sockets, and has an empty
	 * environment and the capabilities @keep (a bit each). NULL: it does isolate itself
	 */
	const struct landlock_rule *reach;
	unsigned int nreach;
	uint64_t keep;
	bool uring;          /* but it may use io_uring, which could make sockets */
	enum jail_mode jail; /* JAIL_OFF: nothing of this */
};

struct daemon {
	const char *program;      /* the spec's */
	const char *const *noise; /* the spec's */
	pid_t pid;                /* 0: none, or it has ended */
	int status;               /* as of waitpid(2), after its end */
	int slot;          /* by which it is ended (vmm/core/outside.h); -1: none */
	struct loop *loop; /* NULL: not watched */
	struct loop_source end, talk;
	void (*ended)(struct daemon *d, const char *how);
	char said[DAEMON_SAID_MAX]; /* its last output, printable, lines joined by "; " */
	size_t nsaid;
};

/* daemon_init() - none running.  All below may then be called */
void daemon_init(struct daemon *d);
/* daemon_find() - where the program is, into @path.  Return: 0; -ENOENT, or -EACCES for
 * one that may not be run, with a sentence and the cure in @e
 */
int daemon_find(const struct daemon_spec *s, char *path, size_t size, struct err *e);
/* daemon_start() - start it.  Main thread only (the program dies with the thread that started
 * it). The strings must outlive the call, program and noise @d. Success does not mean that exec
 * worked: if the program does not answer, daemon_dead() tells why.
 * Return: 0, or -errno with a sentence in @e
 */
int daemon_start(struct daemon *d, const struct daemon_spec *s, struct err *e);
/* daemon_ask() - run it for its output, @size - 1 bytes and two seconds at most, then end it.
 * Main thread. Return: 0, @text a string; or -errno as daemon_start()
 */
int daemon_ask(const struct daemon_spec *s, char *text, size_t size, struct err *e);
/* daemon_dead() - it does not answer: has it ended, within @ms milliseconds, and before we
 * are told to end (signals_ending())?
 * Return: 0, it runs; else -errno with the sentence in @e.  Not once it is watched
 */
int daemon_dead(struct daemon *d, int ms, struct err *e);
/* daemon_watch() - from now on its end calls @ended, once, on the loop with @dev's lock held;
 * @how is "virtiofsd ended with status 1: its last words". @ended may not stop it.
 * Return: 0 or -errno
 */
int daemon_watch(struct daemon *d, struct loop *l, struct device *dev,
		 void (*ended)(struct daemon *d, const char *how));
/* daemon_stop() - SIGTERM, after a second SIGKILL, and wait for the end; @ended is not called. At
 * our exit, or after a failed start
 */
void daemon_stop(struct daemon *d);

#endif

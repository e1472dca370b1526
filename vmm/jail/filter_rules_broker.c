/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_rules_broker - which system calls the broker may make once its child is locked.
 *
 * It answers questions, tells signals, and afterwards restores the terminal, writes the report of a
 * child that cannot, and removes what must not stay. It has calls that take a path: Landlock limits
 * them to names below the directories of its slots (broker_lock.c), and none of them executes.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

/* O_NOFOLLOW has another number on arm64; either is O_LARGEFILE for the other one, or nothing */
#define NOFOLLOW (0100000 | 0400000)
#define MAKES    (O_EXCL | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | NOFOLLOW)

#define SEND(sig, why) \
	ARGS("pidfd_send_signal", BROKER, 0, why, INT(1, sig), LONG(2, 0), INT(3, 0))
#define PATHS(call, why, ...) ARGS(call, BROKER, JAIL_EXTRA_PATHS, why, __VA_ARGS__)

const struct filter_rule filter_rules_broker[] = {
	/* ---- messages, signals, the child ---- */
	ANY("epoll_wait|epoll_pwait", BROKER, 0, "the broker sleeps"),
	ANY("recvmsg", BROKER, 0, "a question"),
	ANY("sendmsg", BROKER, 0, "its answer, and a descriptor"),
	ANY("read", BROKER, 0, "a signal that was sent to us"),
	ANY("write", BROKER, 0, "the child is told of it; sentences; a report"),
	ARGS("epoll_ctl", BROKER, 0, "does the child read them", INT(1, EPOLL_CTL_ADD)),
	ARGS("epoll_ctl", BROKER, 0, "it has read them", INT(1, EPOLL_CTL_DEL)),
	ANY("close", BROKER, 0, "a descriptor that was passed on"),
	SEND(SIGKILL, "the child talks nonsense; a helper has to end"),
	SEND(SIGTERM, "a helper has to end"),
	SEND(SIGSTOP, "the child stops"),
	SEND(SIGCONT, "the child goes on"),
	ARGS("kill", BROKER, 0, "the broker stops as well", INT(0, FILTER_PID),
	     INT(1, SIGSTOP)),
	ARGS("wait4", BROKER, 0, "has the child stopped, how has it ended",
	     INT_IN(2, WNOHANG | WUNTRACED)),
	ANY("restart_syscall", BROKER, 0, "goes on with a sleep after a stop"),
	ANY("preadv2", BROKER, 0, "how much memory had the child"),

	/* ---- the terminal ---- */
	ARGS("getpgid", BROKER, 0, "are we its foreground", INT(0, 0)),
	IOCTL(TIOCGPGRP, FD_STDIO, BROKER, "the same"),
	IOCTL(TCGETS, FD_STDIO, BROKER, "the terminal's mode"),
	IOCTL(TCSETS, FD_STDIO, BROKER, "what it was, after the child's end"),
	ANY("rt_sigprocmask", BROKER, 0, "it may be set from the background"),

	/* ---- the program's end ---- */
	ANY("poll|ppoll", BROKER, 0, "does a reader take the sentence"),
	ANY("clock_gettime", BROKER, 0, "when, where there is no vDSO"),
	ANY("getrusage", BROKER, 0, "a report says how much was used"),
	{FSTAT, BROKER, 0, {{FSTAT_FLAGS, AT_EMPTY_PATH, 3}}, "is the report a file"},
	ARGS("ftruncate", BROKER, 0, "a report that cannot be replaced begins anew",
	     LONG(1, 0)),
	ANY("munmap", BROKER, 0, "the pages that both processes have"),
	ANY("brk", BROKER, 0, "malloc()"),
	ANY("exit_group", BROKER, 0, "the program's end, and this filter's sentence"),

	/* ---- slots ---- */
	ARGS("socket", BROKER, JAIL_EXTRA_SOCKETS, "a peer that others serve",
	     INT(0, AF_UNIX), INT(1, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK),
	     INT(2, 0)),
	ANY("connect", BROKER, JAIL_EXTRA_SOCKETS, "the same"),
	PATHS("openat", "a log begins anew; a report is written",
	      INT_BUT(2, MAKES, O_WRONLY | O_CREAT)),
	PATHS("newfstatat", "is a file still ours", INT(3, AT_SYMLINK_NOFOLLOW)),
	PATHS("renameat", "a full log is put aside, a report put in place", {0}),
	PATHS("unlinkat", "what must not stay is removed; the child's control group",
	      INT_IN(2, AT_REMOVEDIR)),
	PATHS("getrandom", "a name for a report that is not whole", {0}),
	PATHS("fchown", "it is like the older one", {0}),
	PATHS("fchmod", "the same", INT_IN(1, 0777)),
	PATHS("fgetxattr", "the same: an access list", {0}),
	PATHS("fsetxattr", "the same", {0}),
};
const unsigned int filter_rules_broker_n = ARRAY_SIZE(filter_rules_broker);

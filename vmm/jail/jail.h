/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail - what a guest that has taken over the process can still reach: nothing but the descriptors
 * that the machine needs.
 *
 * The process that was started becomes the broker (broker.h). Its child builds the machine with
 * the whole host in sight, and locks itself up before the first guest instruction (jail_lock()).
 * docs/security.md says what each layer is for, and which a host may lack.
 */
#ifndef MICROVM_JAIL_JAIL_H
#define MICROVM_JAIL_JAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/jail/cgroup.h"

/* In the order in which they are put on; a bit each */
enum jail_layer {
	JAIL_USER_NS,  /* user namespace: no capability counts outside */
	JAIL_PID_NS,   /* no other process can be named */
	JAIL_MOUNT_NS, /* with the next */
	JAIL_ROOT,     /* an empty root, read-only */
	JAIL_IPC_NS,
	JAIL_UTS_NS,
	JAIL_CGROUP_NS,
	JAIL_NET_NS,   /* --jail strict; the filter allows no socket in any case */
	JAIL_CGROUP,   /* no more memory, processes and time than it is given */
	JAIL_IDENTITY, /* started as root: a user and a group of its own */
	JAIL_LIMITS,   /* no core dump, no more descriptors, no larger files */
	JAIL_CAPS,     /* no capabilities */
	JAIL_NO_PRIVS, /* no_new_privs */
	JAIL_NO_DUMP,  /* no process of the same user reads its memory */
	JAIL_LANDLOCK, /* no path, port or signal, whatever the above */
	JAIL_NO_EXEC,  /* memory never becomes executable (Linux 6.3) */
	JAIL_SECCOMP,  /* a list of system calls for each thread */
	JAIL_LAYERS
};

/* How the child was begun, and what holds */
struct jail {
	enum jail_mode mode;
	bool user_ns, pid_ns; /* it was cloned into them */
	int clone_errno;      /* why not; 0: not tried */
	bool root;            /* it has CAP_SYS_ADMIN over the host until it is locked */
	int identity;         /* as root: of jail_claim() */
	unsigned int tasks;   /* most threads and processes that it needs; 0: not told */
	uint64_t
		file_size; /* bytes of the largest file that it may write; 0: not known */
	bool users; /* its user namespace should have the subordinate ids of this user */
	const struct cgroup_want *group; /* that it should be in; NULL: none */
	bool grouped;                    /* it is */
	struct err no_group;             /* why not */
	uint32_t held;                   /* a bit for each layer */
	uint32_t spared;                 /* left out on purpose: no warning */
	const int *
		said; /* the status that its process will end with, -1 before; NULL: none */
	int why[JAIL_LAYERS]; /* errno of those that the host does not give */
};

/* jail_claim() - a number that no other machine of this host has while the descriptor @lock, the
 * caller's, is open.  Return: it, or -errno
 */
int jail_claim(int *lock);
/* jail_layer_wanted() - would a machine that this user starts get layer @l, if the host has it? */
bool jail_layer_wanted(enum jail_layer l, enum jail_mode mode);
const char *jail_mode_name(enum jail_mode m);
const char *jail_layer_name(enum jail_layer l);
const char *jail_layer_cure(enum jail_layer l); /* where the host does not give it */
/* jail_note() - @rc of the step that puts @l on: 0, -EALREADY (not needed), or -errno */
void jail_note(struct jail *j, enum jail_layer l, int rc);
/* jail_take() - all layers but the filters, on the one thread that there is; threads that start later
 * inherit them. @j says which hold
 */
void jail_take(struct jail *j);
/* jail_lock() - jail_take(), and a judgement: --jail auto warns of layers that the host does not
 * give, and refuses to go on without those that every host gives; strict refuses without any.
 * Return: 0; -errno in @e: the process must end
 */
int jail_lock(struct jail *j, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fds - descriptors numbered by their role, in a machine that is jailed.
 *
 * A filter of system calls compares an argument once a rule (vmm/jail/filter_rules.h). So all
 * descriptors that one rule is about stand in one block of numbers, whose size is a power of two
 * and which begins at a multiple of it: "is this a vCPU?" is one comparison.
 */
#ifndef MICROVM_CORE_FDS_H
#define MICROVM_CORE_FDS_H

#include <stdbool.h>

#include "vmm/core/err.h"

/* Role, first number, how many. Descriptors of no role take the lowest free number, as ever: few
 * of them reach these, and what a filter lets a thread do with a vCPU means nothing to a socket.
 */
#define FD_BLOCKS(X)                                                              \
	X(FD_STDIO, 0, 4)      /* where the standard streams are */               \
	X(FD_TAP, 768, 64)     /* a queue of a tap each */                        \
	X(FD_VHOST, 832, 64)   /* /dev/vhost-net, opened once a pair of queues */ \
	X(FD_DISK, 896, 64)    /* a disk that is a block device */                \
	X(FD_VM, 960, 1)       /* KVM's virtual machine */                        \
	X(FD_CONSOLE, 992, 32) /* a console's output, which a vCPU writes */      \
	X(FD_VCPU, 1024, 1024) /* KVM's vCPUs */                                  \
	X(FD_WAKE, 2048, 2048) /* eventfds that a vCPU writes */

/* Every block is below it; Linux's own hard limit is no lower */
#define FDS_END 4096

enum fd_role {
#define FD_BLOCK_ROLE(role, first, count) role,
	FD_BLOCKS(FD_BLOCK_ROLE)
#undef FD_BLOCK_ROLE
		FD_ROLES
};

/* FD_VCPU_FIRST, FD_VCPU_COUNT and so on */
enum fd_block {
#define FD_BLOCK_RANGE(role, first, count) role##_FIRST = (first), role##_COUNT = (count),
	FD_BLOCKS(FD_BLOCK_RANGE)
#undef FD_BLOCK_RANGE
};

/* fds_number() - from now on fd_place() moves descriptors, and number 3 is standard error as well,
 * unless it was open. Before there is a second thread: the
 * table of descriptors grows here, which later would wait for all processors. It raises the soft
 * limit where that is too low.
 * Return: 0, or -errno with a sentence in @e: the hard limit is too low
 */
int fds_number(struct err *e);
/* fds_look() - has the process that started us left anything open but the standard streams? Before
 * anything of ours is open: what it finds saves fds_drop_inherited() its work
 */
void fds_look(void);
/* fds_drop_inherited() - close what the process that started us had open and no setting names: all
 * but the standard streams that execve(2) would pass on. What a setting names has to be taken
 * before, close-on-exec. There is one thread
 */
void fds_drop_inherited(void);
/* fds_numbered() - was fds_number() called? */
bool fds_numbered(void);
/* fd_place() - move @fd, which nothing else has remembered yet, into the block of @role; close on
 * exec. What it cannot move it closes. The result of a call that opens may be given as it is: -1
 * stays -1's errno. Any thread.
 * Return: the new number (without fds_number(): @fd itself); or -errno, which is in errno as well:
 * EMFILE if the block is full
 */
int fd_place(int fd, enum fd_role role);

#endif

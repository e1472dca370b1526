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

/* A large machine needs more vCPUs and eventfds than fit below the lowest hard limit that is usual
 * (runc: 1024 open files). So a block may have parts, one in each page of numbers, which are filled
 * in turn: bits of the page are no part of the comparison. Only such a machine needs a higher limit.
 */
#define FDS_PAGE  1024
#define FDS_PAGES 8
#define FDS_END   8192 /* FDS_PAGE * FDS_PAGES */

/* Role, first number, how many in a page, in how many pages. Descriptors of no role take the lowest
 * free number, as ever: many connections (vsock) reach the blocks, last those of what a vCPU writes.
 */
#define FD_BLOCKS(X)                                                                  \
	X(FD_STDIO, 0, 4, 1)            /* where the standard streams are */          \
	X(FD_GIC, 510, 1, 1)            /* arm64: KVM's interrupt controller */       \
	X(FD_VM, 511, 1, 1)             /* KVM's virtual machine */                   \
	X(FD_VCPU, 512, 128, FDS_PAGES) /* KVM's vCPUs */                             \
	X(FD_DISK, 640, 32, 1)          /* a disk that is a block device */           \
	X(FD_TAP, 672, 32, FDS_PAGES)   /* a queue of a tap each */                   \
	X(FD_VHOST, 704, 32, FDS_PAGES) /* vhost-net, a pair of queues each */        \
	X(FD_CONSOLE, 736, 32, 1)       /* a console's output, which a vCPU writes */ \
	X(FD_WAKE, 768, 256, FDS_PAGES) /* eventfds that a vCPU writes */

enum fd_role {
#define FD_BLOCK_ROLE(role, first, count, pages) role,
	FD_BLOCKS(FD_BLOCK_ROLE)
#undef FD_BLOCK_ROLE
		FD_ROLES
};

/* FD_VCPU_FIRST, FD_VCPU_COUNT and so on; FD_VCPU_BITS: those in which the block's numbers differ */
enum fd_block {
#define FD_BLOCK_RANGE(role, first, count, pages)       \
	role##_FIRST = (first), role##_COUNT = (count), \
	role##_BITS = ((count)-1) | FDS_PAGE * ((pages)-1),
	FD_BLOCKS(FD_BLOCK_RANGE)
#undef FD_BLOCK_RANGE
};

/* fds_number() - from now on fd_place() moves descriptors, and number 3 is standard error as well,
 * unless it was open. Before there is a second thread: the
 * table of descriptors grows here to a page, which later would wait for all processors. It raises
 * the soft limit where that is too low.
 * Return: 0, or -errno with a sentence in @e: the hard limit is below a page; -EBUSY: whoever
 * started us left so many files open that KVM's machine finds no number
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
 * EMFILE if the block is full, as far as the limit of open files lets it be
 */
int fd_place(int fd, enum fd_role role);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* ring_open - set an io_uring up for what a disk needs, and nothing else. */
#include "devices/backend/ring_open.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/backend/ring.h"
#include "vmm/core/util.h"

#define RING_ENTRIES     256
#define RING_COMPLETIONS 4096 /* no overflow before RING_SHARE of 16 users */

/* Debian 12's shared liburing forgot to export its functions for two of these */
static int ring_register(struct io_uring *u, unsigned int op, const void *arg,
			 unsigned int n)
{
	return syscall(__NR_io_uring_register, u->ring_fd, op, arg, n) < 0 ? -errno : 0;
}

/* Only these operations, only on registered files; of the calls that change a ring only the one
 * that registers files.
 */
static int ring_restrict(struct io_uring *u)
{
	static const uint8_t ops[] = {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV,
				      IORING_OP_WRITEV, IORING_OP_FSYNC};
	struct io_uring_restriction rule[ARRAY_SIZE(ops) + 3] = {0};
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++)
		rule[n++] = (struct io_uring_restriction){
			.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = ops[i]};
	rule[n++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = IOSQE_FIXED_FILE};
	rule[n++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
		.sqe_flags = IOSQE_FIXED_FILE};
	rule[n++] = (struct io_uring_restriction){
		.opcode = IORING_RESTRICTION_REGISTER_OP,
		.register_op = IORING_REGISTER_FILES_UPDATE};
	return ring_register(u, IORING_REGISTER_RESTRICTIONS, rule, n);
}

/* A kernel refuses flags that it does not know: newest first */
static int ring_setup(struct io_uring *u)
{
	static const unsigned int flags[] = {
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int rc = -EINVAL;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags) && rc == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = flags[i] | IORING_SETUP_R_DISABLED |
				 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = RING_COMPLETIONS,
		};

		rc = ring_sys->setup(RING_ENTRIES, u, &p);
	}
	return rc;
}

int ring_open(struct io_uring *u)
{
	int none[RING_USERS_MAX], rc = ring_setup(u);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < RING_USERS_MAX; i++)
		none[i] = -1;
	if ((rc = io_uring_register_files(u, none, RING_USERS_MAX)) < 0 ||
	    (rc = ring_restrict(u)) < 0 ||
	    (rc = ring_register(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0)) < 0)
		io_uring_queue_exit(u);
	return MIN(rc, 0);
}

int ring_probe(void)
{
	struct io_uring u;
	int rc = ring_open(&u);

	if (rc == 0)
		io_uring_queue_exit(&u);
	return rc;
}

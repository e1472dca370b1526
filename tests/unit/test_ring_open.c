/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an io_uring can do once it is open: a guest that owns the process has the ring's memory,
 * and no filter of system calls looks at what is submitted there.
 */
#include <check.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/backend/ring.h"
#include "devices/backend/ring_open.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define OPCODES         256 /* all that an SQE can hold */
#define REGISTER        256
#define REGISTERED_RING (1U << 31) /* a flag beside the operation, Linux 6.3 */

static struct io_uring u;
static bool open_;

static void setup(void)
{
	int rc = ring_open(&u);

	open_ = rc == 0;
	if (!open_)
		printf("no io_uring here (%s): nothing of it is tested\n", strerror(-rc));
}

static void teardown(void)
{
	if (open_)
		io_uring_queue_exit(&u);
}

/* Submit @op with @flags on a descriptor or a place of a registered file.  Return: its result */
static int submit(uint8_t op, uint8_t flags, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u);
	struct io_uring_cqe *cqe;
	int rc;

	ck_assert_ptr_nonnull(sqe);
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = op;
	sqe->flags = flags;
	sqe->fd = fd;
	if (io_uring_submit(&u) < 1 || io_uring_wait_cqe(&u, &cqe) < 0)
		return 1;
	rc = cqe->res;
	io_uring_cqe_seen(&u, cqe);
	return rc;
}

static bool may(unsigned int op)
{
	return op == IORING_OP_READ || op == IORING_OP_WRITE || op == IORING_OP_READV ||
	       op == IORING_OP_WRITEV || op == IORING_OP_FSYNC;
}

START_TEST(only_reads_writes_and_flushes_are_taken)
{
	for (unsigned int op = 0; open_ && op < OPCODES; op++) {
		int rc = submit((uint8_t)op, IOSQE_FIXED_FILE, 0);

		/* a place without a file; an opcode that the kernel does not have */
		if (may(op))
			ck_assert_msg(rc == -EBADF, "operation %u: %d", op, rc);
		else
			ck_assert_msg(rc == -EACCES || rc == -EINVAL, "operation %u: %d",
				      op, rc);
	}
}
END_TEST

START_TEST(no_descriptor_that_is_not_registered_is_reached)
{
	for (unsigned int op = 0; open_ && op < OPCODES; op++)
		for (int fd = 0; fd < 4; fd++) {
			int rc = submit((uint8_t)op, 0, fd);

			ck_assert_msg(rc == -EACCES || (rc == -EINVAL && !may(op)),
				      "operation %u on descriptor %d: %d", op, fd, rc);
		}
}
END_TEST

START_TEST(no_flag_but_that_of_registered_files_is_taken)
{
	for (unsigned int bit = 0; open_ && bit < 8; bit++) {
		uint8_t flag = (uint8_t)(1U << bit);

		if (flag != IOSQE_FIXED_FILE)
			ck_assert_int_eq(
				submit(IORING_OP_READ, IOSQE_FIXED_FILE | flag, 0),
				flag > IOSQE_CQE_SKIP_SUCCESS ? -EINVAL : -EACCES);
	}
}
END_TEST

START_TEST(every_change_of_the_ring_but_a_file_in_its_place_is_refused)
{
	for (unsigned int op = 0; open_ && op < REGISTER; op++)
		for (unsigned int flag = 0; flag < 2; flag++) {
			unsigned int opcode = op | (flag ? REGISTERED_RING : 0);
			uint64_t none[64] = {0};
			long rc = syscall(SYS_io_uring_register, u.ring_fd, opcode, none,
					  1);

			if (opcode == IORING_REGISTER_FILES_UPDATE)
				continue;
			ck_assert_msg(rc < 0, "operation %#x is done", opcode);
			ck_assert_msg(errno == EACCES || errno == EINVAL || flag,
				      "operation %#x: %s", opcode, strerror(errno));
		}
}
END_TEST

START_TEST(a_file_gets_its_place)
{
	int fd = STDIN_FILENO;

	if (open_)
		ck_assert_int_eq(io_uring_register_files_update(&u, 0, &fd, 1), 1);
}
END_TEST

UNIT_MAIN("ring_open", setup, teardown, t)
{
	tcase_add_test(t, only_reads_writes_and_flushes_are_taken);
	tcase_add_test(t, no_descriptor_that_is_not_registered_is_reached);
	tcase_add_test(t, no_flag_but_that_of_registered_files_is_taken);
	tcase_add_test(t, every_change_of_the_ring_but_a_file_in_its_place_is_refused);
	tcase_add_test(t, a_file_gets_its_place);
}

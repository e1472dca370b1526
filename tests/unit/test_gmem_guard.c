/* SPDX-License-Identifier: Apache-2.0 */
/* test_gmem_guard - the file under guest memory is cut short, and we touch what is gone. */
#include "vmm/core/gmem_guard.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/gmem.h"
#include "vmm/core/util.h"

#define LEN (4 * MIB)

static struct gmem m;
static struct err err;
static int file, says[2];

static void setup(void)
{
	file = memfd_create("kernel", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, LEN), 0);
	ck_assert_int_eq(pipe(says), 0);
	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, 0, 16 * MIB, &err), 0);
	ck_assert_int_eq(gmem_map_file(&m, MIB, file, 0, LEN), 0);
}

static void teardown(void)
{
	gmem_fini(&m);
	close(file), close(says[0]), close(says[1]);
}

/* In a child, whose stderr is ours to read: how it ended */
static int end_of(void (*fn)(void))
{
	struct rlimit none = {0, 0};
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		dup2(says[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void touch_kernel(void)
{
	uint32_t v = 0;

	(void)!ftruncate(file, 4096);
	(void)gmem_read(&m, 3 * MIB, &v, sizeof(v));
}

/* As the host's memory file behaves when there is no page for it */
static void touch_ram(void)
{
	(void)!ftruncate(m.region[0].fd, 0);
	*(volatile char *)gmem_slice(&m, 8 * MIB, 1) = 1;
}

static void touch_other(void)
{
	int fd = memfd_create("other", MFD_CLOEXEC);
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	(void)p[0];
}

static void be_killed(void)
{
	raise(SIGBUS);
}

START_TEST(file_cut_short_ends_us_with_a_sentence)
{
	char text[256] = "";
	int status = end_of(touch_kernel);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_int_gt(read(says[0], text, sizeof(text) - 1), 0);
	ck_assert_ptr_nonnull(strstr(text, "microvm: the kernel's file was cut short"));
}
END_TEST

START_TEST(ram_without_a_page_ends_us_with_a_sentence)
{
	int fd = memfd_create("RAM", MFD_CLOEXEC);
	char text[256] = "";
	int status;

	/* RAM in a memory file is sealed against just that; so one that is not takes its place */
	ck_assert_int_eq(ftruncate(fd, 16 * MIB), 0);
	ck_assert_ptr_ne(mmap(m.region[0].host + 8 * MIB, MIB, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, 8 * (off_t)MIB),
			 MAP_FAILED);
	m.region[0].fd = fd;
	status = end_of(touch_ram);
	m.region[0].fd = -1;
	close(fd);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_int_gt(read(says[0], text, sizeof(text) - 1), 0);
	ck_assert_ptr_nonnull(strstr(text, "no page left for the guest's RAM"));
	ck_assert_ptr_nonnull(strstr(text, "vm.nr_hugepages"));
}
END_TEST

START_TEST(another_fault_still_kills)
{
	int status = end_of(touch_other);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	status = end_of(be_killed);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}
END_TEST

UNIT_MAIN("gmem_guard", setup, teardown, t)
{
	tcase_add_test(t, file_cut_short_ends_us_with_a_sentence);
	tcase_add_test(t, ram_without_a_page_ends_us_with_a_sentence);
	tcase_add_test(t, another_fault_still_kills);
}

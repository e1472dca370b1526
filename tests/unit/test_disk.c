/* SPDX-License-Identifier: Apache-2.0 */
/* Disks: what is refused and in which words, who may share one, and failing system calls. */
#include "devices/backend/disk.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/inherited.h"
#include "tests/lib/nop_device.h"
#include "tests/lib/unit.h"
#include "vmm/core/device.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define SIZE (1 * MIB)

static char dir[64], path[96];
static struct config cfg;
static struct err err;
static struct disk *disk;
static struct loop *loop;
static struct work_pool *pool;
static struct device dev;
static unsigned int nfinished;

static void make_file(const char *p, off_t size)
{
	int fd = open(p, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, size), 0);
	close(fd);
}

static void on_done(void *ctx, struct disk_req *list)
{
	(void)ctx;
	for (; list; list = list->next)
		nfinished++;
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/microvm-disk.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/disk", dir);
	make_file(path, SIZE);
	cfg = (struct config){.ndisk = 1, .disk[0].path = path};
	loop = loop_create();
	pool = work_pool_create(loop, 4);
	device_init(&dev, &nop_ops, DEVICE_VIRTIO_MMIO, "blk0", 0, 4096);
	nfinished = 0;
}

static void teardown(void)
{
	char cmd[128];

	work_pool_destroy(pool);
	disk_close(disk);
	disk = NULL;
	loop_destroy(loop);
	device_fini(&dev);
	disk_sys = &disk_sys_host;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void open_ok(void)
{
	disk = disk_open(&cfg, 0, &err);
	ck_assert_msg(disk != NULL, "%s", err.msg);
	ck_assert_int_eq(disk_start(disk, pool, &dev, on_done, NULL), 0);
}

/* A sentence: it names the disk and has @word; whole, on one line */
static void refused(unsigned int i, const char *word)
{
	err = (struct err){0};
	ck_assert_ptr_null(disk_open(&cfg, i, &err));
	ck_assert_msg(strstr(err.msg, cfg.disk[i].path) != NULL, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, word) != NULL, "%s", err.msg);
	ck_assert_ptr_null(strchr(err.msg, '\n'));
	ck_assert_int_gt(err.code, 0);
}

static void run(struct disk_req *r, unsigned int n)
{
	pthread_mutex_lock(&dev.lock);
	nfinished = 0;
	for (unsigned int i = 0; i < n; i++)
		disk_submit(disk, &r[i]);
	disk_commit(disk);
	work_drain(pool, &dev);
	ck_assert_uint_eq(nfinished, n);
	pthread_mutex_unlock(&dev.lock);
}

static int run_one(enum disk_op op, uint64_t off, void *p, size_t len)
{
	struct iovec v = {p, len};
	struct disk_req r = {.op = op, .off = off, .iov = &v, .niov = 1, .len = len};

	if (op == DISK_FLUSH)
		r.niov = 0;
	run(&r, 1);
	return r.result;
}

/* ---- opening ---- */

START_TEST(missing_disk_is_refused)
{
	cfg.disk[0].path = (char[]){"/nonexistent/disk.img"};
	refused(0, "does not exist");
}
END_TEST

START_TEST(empty_disk_is_refused)
{
	make_file(path, 0);
	refused(0, "is empty");
}
END_TEST

START_TEST(odd_size_is_refused)
{
	make_file(path, 1025);
	refused(0, "not a multiple of 512");
}
END_TEST

START_TEST(directory_is_refused)
{
	cfg.disk[0].path = dir;
	refused(0, "a directory");
	cfg.disk[0].readonly = true;
	refused(0, "a directory");
}
END_TEST

START_TEST(fifo_is_refused_without_waiting)
{
	char p[96];

	snprintf(p, sizeof(p), "%s/fifo", dir);
	ck_assert_int_eq(mkfifo(p, 0600), 0);
	cfg.disk[0].path = p;
	refused(0, "a FIFO");
	cfg.disk[0].readonly = true;
	refused(0, "a FIFO");
}
END_TEST

START_TEST(socket_is_refused)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/sock", dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cfg.disk[0].path = sa.sun_path;
	refused(0, "a socket");
	close(fd);
}
END_TEST

START_TEST(character_device_is_refused)
{
	cfg.disk[0].path = (char[]){"/dev/null"};
	refused(0, "a character device");
}
END_TEST

/* Root may read anything, so ask as another user, in a child. */
static void refused_as_nobody(const char *word)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (geteuid() == 0 && seteuid(65534) < 0)
			_exit(77);
		_exit(!disk_open(&cfg, 0, &err) && strstr(err.msg, word) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(unreadable_disk_is_refused)
{
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(chmod(path, 0), 0);
	refused_as_nobody("cannot be read");
	cfg.disk[0].readonly = true;
	refused_as_nobody("cannot be read");
}
END_TEST

START_TEST(unwritable_disk_is_refused_with_the_cure)
{
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(chmod(path, 0444), 0);
	refused_as_nobody("add ,ro");
}
END_TEST

/* ---- sharing ---- */

static void open_in_child(bool readonly, int ready, int go)
{
	char c = 0;

	cfg.disk[0].readonly = readonly;
	if (!disk_open(&cfg, 0, &err))
		_exit(1);
	(void)!write(ready, &c, 1);
	(void)!read(go, &c, 1);
	_exit(0);
}

static void with_another_user(bool readonly, void (*then)(void))
{
	int ready[2], go[2], status;
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		open_in_child(readonly, ready[1], go[0]);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	then();
	close(go[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void refuse_both(void)
{
	refused(0, "in use by another process (read-write)");
	cfg.disk[0].readonly = true;
	refused(0, "in use by another process (read-write)");
}

static void refuse_writer_only(void)
{
	cfg.disk[0].readonly = false;
	refused(0, "in use by another process (read-only)");
	cfg.disk[0].readonly = true;
	open_ok();
}

/* As the kernel does with what an io_uring knew, for a moment */
START_TEST(closed_disk_is_unlocked_though_still_held_open)
{
	int held, other = open(path, O_RDWR | O_CLOEXEC);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	open_ok();
	held = dup(disk->fd);
	ck_assert_int_lt(fcntl(other, F_OFD_SETLK, &l), 0);
	disk_close(disk);
	disk = NULL;
	ck_assert_int_eq(fcntl(other, F_OFD_SETLK, &l), 0);
	close(held);
	close(other);
}
END_TEST

START_TEST(open_disk_is_not_inherited)
{
	unsigned int before = inherited();

	open_ok();
	ck_assert_uint_eq(inherited(), before);
}
END_TEST

START_TEST(disk_with_a_writer_elsewhere_is_refused)
{
	with_another_user(false, refuse_both);
}
END_TEST

START_TEST(disk_with_a_reader_elsewhere_cannot_be_written)
{
	with_another_user(true, refuse_writer_only);
}
END_TEST

START_TEST(same_disk_twice_is_refused_by_any_name)
{
	char link[96];

	snprintf(link, sizeof(link), "%s/link", dir);
	ck_assert_int_eq(symlink(path, link), 0);
	cfg.ndisk = 2;
	cfg.disk[1].path = link;
	cfg.disk[1].readonly = true;
	open_ok();
	refused(1, "given twice (also as ");
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	/* and with one name that is not said again */
	cfg.disk[1].path = path;
	refused(1, "is given twice and would be written");
}
END_TEST

START_TEST(same_disk_twice_for_reading_is_fine)
{
	struct disk *second;

	cfg.ndisk = 2;
	cfg.disk[1].path = path;
	cfg.disk[0].readonly = cfg.disk[1].readonly = true;
	open_ok();
	second = disk_open(&cfg, 1, &err);
	ck_assert_msg(second != NULL, "%s", err.msg);
	disk_close(second);
}
END_TEST

/* ---- data ---- */

START_TEST(what_was_written_is_read_back)
{
	char in[2048], out[2048];

	memset(out, 'x', sizeof(out));
	open_ok();
	ck_assert_uint_eq(disk->size, SIZE);
	ck_assert_int_eq(run_one(DISK_WRITE, SIZE - sizeof(out), out, sizeof(out)), 0);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_int_eq(run_one(DISK_READ, SIZE - sizeof(in), in, sizeof(in)), 0);
	ck_assert_mem_eq(in, out, sizeof(in));
}
END_TEST

/* Buffers at every odd place, larger than a bounce buffer, in uneven pieces */
START_TEST(unaligned_buffers_work_with_direct)
{
	size_t len = 256 * KIB;
	uint8_t *out = malloc(len + 1), *in = malloc(len + 3);

	cfg.disk[0].direct = true;
	disk = disk_open(&cfg, 0, &err);
	if (!disk) { /* tmpfs of an old kernel */
		ck_assert_msg(strstr(err.msg, "O_DIRECT") != NULL, "%s", err.msg);
		goto out;
	}
	ck_assert_int_eq(disk_start(disk, pool, &dev, on_done, NULL), 0);
	for (size_t i = 0; i < len; i++)
		out[i + 1] = (uint8_t)(i * 7 + i / 4096);
	ck_assert_int_eq(run_one(DISK_WRITE, 4096, out + 1, len), 0);

	struct iovec v[3] = {
		{in + 3, 1000}, {in + 1003, 100000}, {in + 101003, len - 101000}};
	struct disk_req r = {
		.op = DISK_READ, .off = 4096, .iov = v, .niov = 3, .len = len};

	run(&r, 1);
	ck_assert_int_eq(r.result, 0);
	ck_assert_int_eq(memcmp(in + 3, out + 1, len), 0);
	/* not even on a block boundary: an error, not a wrong answer */
	if (disk->block > DISK_SECTOR)
		ck_assert_int_lt(run_one(DISK_WRITE, 512, out + 1, 512), 0);
out:
	free(out);
	free(in);
}
END_TEST

START_TEST(many_at_once_all_finish)
{
	static char buf[64][512];
	struct iovec v[64];
	struct disk_req r[64];

	open_ok();
	for (int round = 0; round < 50; round++) {
		for (unsigned int i = 0; i < 64; i++) {
			v[i] = (struct iovec){buf[i], 512};
			r[i] = (struct disk_req){.op = i % 2 ? DISK_WRITE : DISK_READ,
						 .off = i * 512ULL,
						 .iov = &v[i],
						 .niov = 1,
						 .len = 512,
						 .result = 1};
		}
		run(r, 64);
		for (unsigned int i = 0; i < 64; i++)
			ck_assert_int_eq(r[i].result, 0);
	}
}
END_TEST

/* ---- failing system calls ---- */

static int fault;             /* errno that the calls fail with */
static atomic_uint nfault;    /* how many more of them fail */
static unsigned int max_move; /* bytes one call moves at most; 0: all */
static atomic_uint nsync;
static atomic_uint in_sync; /* calls of datasync that run */
static bool meet; /* each waits a moment for a second; false once two have met */

static bool fails(void)
{
	if (!nfault)
		return false;
	nfault--;
	errno = fault;
	return true;
}

static int shorten(const struct iovec *v, struct iovec *one, int n)
{
	if (!max_move)
		return n;
	*one = (struct iovec){v->iov_base, MIN(v->iov_len, max_move)};
	return 1;
}

static ssize_t bad_readv(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	struct iovec one;

	if (flags & RWF_NOWAIT) {
		errno = EAGAIN;
		return -1;
	}
	if (fails())
		return fault ? -1 : 0;
	n = shorten(v, &one, n);
	return preadv2(fd, max_move ? &one : v, n, off, flags);
}

static ssize_t bad_writev(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	struct iovec one;

	if (fails())
		return -1;
	n = shorten(v, &one, n);
	return pwritev2(fd, max_move ? &one : v, n, off, flags);
}

static int bad_datasync(int fd)
{
	nsync++;
	in_sync++;
	for (unsigned int ms = 0; meet && in_sync < 2 && ms < 50; ms++)
		(void)usleep(1000);
	meet = meet && in_sync < 2;
	in_sync--;
	return fails() ? -1 : fdatasync(fd);
}

static const struct disk_sys bad_sys = {
	.readv = bad_readv, .writev = bad_writev, .datasync = bad_datasync};

static void open_faulty(int code, unsigned int times)
{
	disk_sys = &bad_sys;
	fault = code;
	nfault = times;
	max_move = 0;
	nsync = 0;
	open_ok();
}

START_TEST(io_errors_reach_the_request)
{
	static const int codes[] = {EIO, ENOSPC, EDQUOT, EFBIG, ENOMEM};
	char buf[512] = {0};

	open_faulty(0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fault = codes[i];
		nfault = 1;
		ck_assert_int_eq(run_one(DISK_WRITE, 0, buf, 512), -codes[i]);
		nfault = 1;
		ck_assert_int_eq(run_one(DISK_READ, 0, buf, 512), -codes[i]);
		ck_assert_int_eq(run_one(DISK_READ, 0, buf, 512), 0);
	}
}
END_TEST

START_TEST(interrupted_calls_go_on)
{
	char buf[512] = {0};

	open_faulty(EINTR, 3);
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf, 512), 0);
	nfault = 3;
	ck_assert_int_eq(run_one(DISK_READ, 0, buf, 512), 0);
	nfault = 3;
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), 0);
	ck_assert_uint_eq(nsync, 4);
}
END_TEST

START_TEST(short_counts_are_continued)
{
	char out[4096], in[4096];

	open_faulty(0, 0);
	max_move = 7;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 31);

	struct iovec v[2] = {{out, 1000}, {out + 1000, 3096}};
	struct disk_req w = {.op = DISK_WRITE, .iov = v, .niov = 2, .len = 4096};

	run(&w, 1);
	ck_assert_int_eq(w.result, 0);
	ck_assert_int_eq(run_one(DISK_READ, 0, in, sizeof(in)), 0);
	ck_assert_mem_eq(in, out, sizeof(in));
}
END_TEST

START_TEST(error_after_a_short_write_is_an_error)
{
	static char buf[1024];
	struct iovec v[2] = {{buf, 512}, {(void *)8, 512}}; /* the second faults */
	struct disk_req r = {.op = DISK_WRITE, .iov = v, .niov = 2, .len = 1024};

	open_ok();
	run(&r, 1);
	ck_assert_int_eq(r.result, -EFAULT);
}
END_TEST

START_TEST(file_cut_short_under_us_is_an_error)
{
	char buf[512];

	open_ok();
	ck_assert_int_eq(truncate(path, 512), 0);
	ck_assert_int_eq(run_one(DISK_READ, 512, buf, 512), -EIO);
	ck_assert_int_eq(run_one(DISK_READ, 0, buf, 512), 0);
}
END_TEST

START_TEST(no_flush_succeeds_after_one_failed)
{
	char buf[512] = {0};

	open_faulty(EIO, 1);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
	ck_assert_int_eq(run_one(DISK_WRITE, 0, buf, 512), 0);
	ck_assert_int_eq(run_one(DISK_FLUSH, 0, NULL, 0), -EIO);
}
END_TEST

/* The kernel tells one caller of a lost page, once: flushes that overlap must not differ */
START_TEST(no_overlapping_flush_succeeds_when_one_fails)
{
	struct disk_req r[4] = {0};
	unsigned int nok = 0;

	for (unsigned int i = 0; i < 4; i++)
		r[i].op = DISK_FLUSH;
	open_faulty(EIO, 1);
	meet = true;
	run(r, 4);
	ck_assert(meet); /* no two of them ran at once */
	meet = false;
	for (unsigned int i = 0; i < 4; i++)
		nok += r[i].result == 0;
	ck_assert_uint_eq(nok, 0);
	ck_assert_uint_eq(nsync, 1);
}
END_TEST

START_TEST(durable_write_is_synced_before_it_finishes)
{
	char buf[512] = {0};
	struct iovec v = {buf, 512};
	struct disk_req r = {
		.op = DISK_WRITE, .durable = true, .iov = &v, .niov = 1, .len = 512};

	open_faulty(0, 0);
	run(&r, 1);
	ck_assert_int_eq(r.result, 0);
	ck_assert_uint_eq(nsync, 1);
}
END_TEST

START_TEST(cancel_finishes_everything)
{
	static char buf[128][512];
	struct iovec v[128];
	struct disk_req r[128];

	open_ok();
	pthread_mutex_lock(&dev.lock);
	for (unsigned int i = 0; i < 128; i++) {
		v[i] = (struct iovec){buf[i], 512};
		r[i] = (struct disk_req){.op = DISK_WRITE,
					 .off = i * 512ULL,
					 .iov = &v[i],
					 .niov = 1,
					 .len = 512,
					 .result = 1};
		disk_submit(disk, &r[i]);
		if (i == 100)
			disk_commit(disk);
	}
	disk_cancel(disk);
	ck_assert_uint_eq(nfinished, 128);
	for (unsigned int i = 0; i < 128; i++)
		ck_assert(r[i].result == 0 || r[i].result == -ECANCELED);
	ck_assert_int_eq(r[127].result, -ECANCELED);
	pthread_mutex_unlock(&dev.lock);
	ck_assert_int_eq(run_one(DISK_READ, 0, buf, 512), 0);
}
END_TEST

UNIT_MAIN("disk", setup, teardown, t)
{
	log_threshold = LOG_ERROR;
	tcase_add_test(t, missing_disk_is_refused);
	tcase_add_test(t, empty_disk_is_refused);
	tcase_add_test(t, odd_size_is_refused);
	tcase_add_test(t, directory_is_refused);
	tcase_add_test(t, fifo_is_refused_without_waiting);
	tcase_add_test(t, socket_is_refused);
	tcase_add_test(t, character_device_is_refused);
	tcase_add_test(t, unreadable_disk_is_refused);
	tcase_add_test(t, unwritable_disk_is_refused_with_the_cure);
	tcase_add_test(t, closed_disk_is_unlocked_though_still_held_open);
	tcase_add_test(t, open_disk_is_not_inherited);
	tcase_add_test(t, disk_with_a_writer_elsewhere_is_refused);
	tcase_add_test(t, disk_with_a_reader_elsewhere_cannot_be_written);
	tcase_add_test(t, same_disk_twice_is_refused_by_any_name);
	tcase_add_test(t, same_disk_twice_for_reading_is_fine);
	tcase_add_test(t, what_was_written_is_read_back);
	tcase_add_test(t, unaligned_buffers_work_with_direct);
	tcase_add_test(t, many_at_once_all_finish);
	tcase_add_test(t, io_errors_reach_the_request);
	tcase_add_test(t, interrupted_calls_go_on);
	tcase_add_test(t, short_counts_are_continued);
	tcase_add_test(t, error_after_a_short_write_is_an_error);
	tcase_add_test(t, file_cut_short_under_us_is_an_error);
	tcase_add_test(t, no_flush_succeeds_after_one_failed);
	tcase_add_test(t, no_overlapping_flush_succeeds_when_one_fails);
	tcase_add_test(t, durable_write_is_synced_before_it_finishes);
	tcase_add_test(t, cancel_finishes_everything);
}

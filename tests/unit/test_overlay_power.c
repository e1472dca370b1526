/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_overlay_power - the host loses its power: what a flush acknowledged is in the overlay,
 * and all else is something that the guest once wrote, or the base.
 *
 * Theory of operation.  Every call that changes the overlay's file is logged.  A crash at a
 * call is an image with all calls before the last fdatasync in it, and of those after it any,
 * by sectors, as chance has it.  A sector's content is the number of the change that made it.
 */
#include "tests/unit/blk_fixture.h"

#include <pthread.h>
#include <sys/syscall.h>

#include "devices/backend/overlay.h"
#include "tests/lib/unit.h"

#define CLUSTER (64 * KIB)
#define SIZE    (12 * CLUSTER + 512 * 3) /* the last cluster is a part of one */
#define SECTORS (SIZE / 512)
#define CALLS   4096
#define CHANGES 160
#define CRASHES 60
#define BASE    UINT64_C(0x5a5a5a5a5a5a5a5a)

/* ---- what happened ---- */

struct call {
	enum { WROTE, PUNCHED, SYNCED } kind;
	uint64_t off, len;
	uint8_t *bytes;
};

static struct call calls[CALLS];
static unsigned int ncall;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* By number, from 1 on: when it began, and what it left in its sectors */
static struct change {
	unsigned int begun; /* calls before it */
	uint64_t sector, n, value;
} changes[CHANGES + 1];

static struct {
	unsigned int done;   /* calls before it was acknowledged */
	unsigned int change; /* the last one before it */
} flushes[CHANGES];
static unsigned int nflush;

static char top[96], crashed[96];
static uint8_t *first; /* the file as it began */
static uint64_t disk[SECTORS * 64];
static size_t length;

static void note(struct call c)
{
	pthread_mutex_lock(&lock);
	ck_assert_uint_lt(ncall, CALLS);
	calls[ncall++] = c;
	pthread_mutex_unlock(&lock);
}

static ssize_t noted_writev(int fd, const struct iovec *v, int n, off_t off, int flags)
{
	ssize_t len = pwritev2(fd, v, n, off, flags);
	struct call c = {.kind = WROTE, .off = (uint64_t)off, .len = (uint64_t)len};

	if (len <= 0)
		return len;
	c.bytes = malloc((size_t)len);
	for (size_t at = 0; at < (size_t)len; v++) {
		size_t k = MIN(v->iov_len, (size_t)len - at);

		memcpy(c.bytes + at, v->iov_base, k);
		at += k;
	}
	note(c);
	return len;
}

static int noted_datasync(int fd)
{
	int rc = fdatasync(fd);

	note((struct call){.kind = SYNCED});
	return rc;
}

static int noted_allocate(int fd, int mode, off_t off, off_t len)
{
	int rc = fallocate(fd, mode, off, len);

	if (rc == 0)
		note((struct call){
			.kind = PUNCHED, .off = (uint64_t)off, .len = (uint64_t)len});
	return rc;
}

static unsigned int ndirectory; /* calls of fsync() for it */

/* Replaces the C library's */
int fsync(int fd)
{
	struct stat st, want;

	if (fstat(fd, &st) == 0 && stat(dir, &want) == 0 && st.st_ino == want.st_ino)
		ndirectory++;
	return (int)syscall(SYS_fsync, fd);
}

static const struct disk_sys noted = {.readv = preadv2,
				      .writev = noted_writev,
				      .datasync = noted_datasync,
				      .allocate = noted_allocate};

/* ---- a guest that changes things ---- */

static void change(unsigned int i)
{
	struct change *c = &changes[i];
	bool zero = random() % 4 == 0;
	uint64_t *p;

	c->begun = ncall;
	c->sector = (uint64_t)random() % SECTORS;
	c->n = 1 + (uint64_t)random() % MIN(SECTORS - c->sector, i % 4 ? 20U : 300U);
	c->value = zero ? 0 : i;
	if (zero) {
		ck_assert_uint_eq(request_range(random() % 2 ? VIRTIO_BLK_T_DISCARD
							     : VIRTIO_BLK_T_WRITE_ZEROES,
						c->sector, (uint32_t)c->n, 0),
				  VIRTIO_BLK_S_OK);
		return;
	}
	p = driver_ptr(&d, data, c->n * 512);
	for (uint64_t k = 0; k < c->n * 64; k++)
		p[k] = i;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, c->sector, (uint32_t)c->n * 512),
			  VIRTIO_BLK_S_OK);
}

static void live(void)
{
	for (unsigned int i = 1; i <= CHANGES; i++) {
		change(i);
		if (random() % 6)
			continue;
		ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0), VIRTIO_BLK_S_OK);
		flushes[nflush].change = i;
		flushes[nflush++].done = ncall;
	}
}

/* ---- the crash ---- */

static void redo(uint8_t *image, const struct call *c, bool safe)
{
	for (uint64_t at = 0; c->kind != SYNCED && at < c->len; at += 512) {
		size_t k = MIN(512U, c->len - at);

		if (!safe && random() % 2)
			continue;
		if (c->kind == WROTE)
			memcpy(image + c->off + at, c->bytes + at, k);
		else
			memset(image + c->off + at, 0, k);
	}
}

static void crash(unsigned int at)
{
	uint8_t *image = malloc(length);
	unsigned int safe = at;
	int fd = open(crashed, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	while (safe && calls[safe - 1].kind != SYNCED)
		safe--;
	memcpy(image, first, length);
	for (unsigned int i = 0; i < at; i++)
		redo(image, &calls[i], i < safe);
	ck_assert_int_eq(write(fd, image, length), (ssize_t)length);
	close(fd);
	free(image);
}

/* May sector @s hold @value after a crash at @at, where the first @kept changes are safe? */
static bool allowed(uint64_t s, uint64_t value, unsigned int at, unsigned int kept)
{
	for (unsigned int i = CHANGES; i > 0; i--) {
		const struct change *c = &changes[i];

		if (c->begun >= at || s < c->sector || s >= c->sector + c->n)
			continue;
		if (c->value == value)
			return true;
		if (i <= kept)
			return false;
	}
	return value == BASE;
}

static void check(unsigned int at)
{
	struct config cfg = {.ndisk = 1, .disk[0] = {.path = path, .overlay = crashed}};
	struct err e = {0};
	struct disk *o = disk_open(&cfg, 0, &e);
	const struct overlay *ov;
	unsigned int kept = 0;

	ck_assert_msg(o != NULL, "%s", e.msg);
	ov = o->engine;
	for (unsigned int i = 0; i < nflush && flushes[i].done <= at; i++)
		kept = flushes[i].change;
	ck_assert_int_eq(pread(ov->top->fd, disk, SIZE, (off_t)ov->head.data),
			 (ssize_t)SIZE);
	for (uint64_t s = 0; s < SECTORS; s++) {
		const uint64_t *v = &disk[s * 64];
		bool in_top;

		(void)overlay_map_run(&ov->map, s * 512 / CLUSTER, 1, &in_top);
		if (in_top && (memcmp(v, v + 1, 504) != 0 || !allowed(s, *v, at, kept)))
			ck_abort_msg("crash at call %u, %u changes flushed: sector %llu "
				     "holds %llu",
				     at, kept, (unsigned long long)s,
				     (unsigned long long)*v);
		if (!in_top && !allowed(s, BASE, at, kept))
			ck_abort_msg("crash at call %u, %u changes flushed: sector %llu "
				     "is lost",
				     at, kept, (unsigned long long)s);
	}
	disk_close(o);
}

static void begin(void)
{
	int fd;

	fixture_dir();
	disk_sys = &noted;
	snprintf(top, sizeof(top), "%s/top", dir);
	snprintf(crashed, sizeof(crashed), "%s/crashed", dir);
	make_file(path, SIZE, 0x5a);
	plug((struct config_disk){.path = path, .overlay = top}, 1);
	length = (size_t)file_stat(top).st_size;
	first = malloc(length);
	fd = open(top, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, first, length), (ssize_t)length);
	close(fd);
}

START_TEST(power_lost_at_any_call_costs_nothing_that_was_flushed)
{
	unsigned int n;

	srandom(3 + (unsigned int)_i);
	begin();
	live();
	n = ncall;
	for (unsigned int i = 0; i < CRASHES; i++) {
		unsigned int at = i ? (unsigned int)random() % (n + 1) : n;

		crash(at);
		check(at);
	}
	fixture_end();
}
END_TEST

/* A flush makes the file's data stable, not its directory entry */
START_TEST(new_overlay_has_its_name_before_its_guest_runs)
{
	begin();
	ck_assert_uint_eq(ndirectory, 1);
	unplug();
	plug((struct config_disk){.path = path, .overlay = top}, 1);
	ck_assert_uint_eq(ndirectory, 1); /* the file was there */
	fixture_end();
}
END_TEST

UNIT_MAIN("overlay_power", NULL, NULL, t)
{
	tcase_add_test(t, new_overlay_has_its_name_before_its_guest_runs);
	tcase_add_loop_test(t, power_lost_at_any_call_costs_nothing_that_was_flushed, 0,
			    2);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_pmem - a file as guest memory: what is mapped, what a flush says, what is refused. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/disk.h"
#include "devices/virtio/pmem.h"
#include "tests/lib/driver.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define AT         (8 * GIB)
#define EIO_ANSWER 1

static struct driver d;
static char path[] = "/tmp/test_pmem.XXXXXX";
static gpa_t type, answer;
static atomic_int fail_sync;
static atomic_uint nsync;
static atomic_bool slow, under_way; /* datasync takes a while; one runs */
static atomic_bool held;            /* it does not come back */

static int counted_datasync(int fd)
{
	under_way = true;
	nsync++;
	if (slow)
		(void)usleep(20000);
	while (held)
		(void)usleep(100);
	under_way = false;
	errno = fail_sync;
	return fail_sync ? -1 : fdatasync(fd);
}

static struct disk_sys sys;

static struct virtio_dev *make(uint64_t size, bool readonly)
{
	int fd;

	(void)snprintf(path, sizeof(path), "/tmp/test_pmem.XXXXXX");
	fd = mkstemp(path);
	ck_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	ck_assert_int_eq(pwrite(fd, "image", 5, 0), 5);
	close(fd);
	sys = disk_sys_host;
	sys.datasync = counted_datasync;
	disk_sys = &sys;
	fail_sync = 0;
	nsync = 0;
	driver_init(&d, 16 * MIB);
	d.cfg.pmem[0] = (struct config_pmem){path, readonly};
	d.cfg.npmem = 1;
	return pmem_create(&d.env, 0, AT, &d.err);
}

static void plug(uint64_t size, bool readonly)
{
	driver_plug(&d, make(size, readonly));
	ck_assert(driver_bring_up(&d, ~0ULL));
	type = driver_alloc(&d, 4, 4);
	answer = driver_alloc(&d, 4, 4);
}

static void teardown(void)
{
	driver_fini(&d);
	(void)unlink(path);
	disk_sys = &disk_sys_host;
}

/* Return: what the device answers; -1 if it does not */
static int ask(uint32_t what)
{
	struct driver_buf b[] = {{type, 4, false}, {answer, 4, true}};
	uint32_t id, len, ret = 77;

	memcpy(driver_ptr(&d, type, 4), &what, 4);
	memcpy(driver_ptr(&d, answer, 4), &ret, 4);
	driver_send(&d, 0, b, 2);
	if (!driver_wait(&d, 0, &id, &len))
		return -1;
	ck_assert_uint_eq(len, 4);
	memcpy(&ret, driver_ptr(&d, answer, 4), 4);
	return (int)ret;
}

START_TEST(place_and_size_are_told)
{
	plug(6 * MIB, false);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_PMEM);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG, 8), AT);
	ck_assert_uint_eq(driver_read_n(&d, VIRTIO_MMIO_CONFIG + 8, 8), 6 * MIB);
}
END_TEST

START_TEST(what_is_written_is_in_the_file)
{
	char back[5] = "";
	struct pmem_range r;
	int fd;

	plug(2 * MIB, false);
	r = pmem_range(d.v);
	ck_assert(!r.readonly && r.len == 2 * MIB && r.gpa == AT);
	ck_assert_uint_eq((uintptr_t)r.host % PMEM_ALIGN, 0);
	ck_assert_mem_eq(r.host, "image", 5);
	memcpy(r.host, "guest", 5);
	ck_assert_int_eq(ask(0), 0);
	ck_assert_uint_eq(nsync, 1);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(pread(fd, back, 5, 0), 5);
	ck_assert_mem_eq(back, "guest", 5);
	close(fd);
}
END_TEST

START_TEST(rest_of_a_readonly_file_is_zero)
{
	struct pmem_range r;
	const uint8_t *p;

	plug(2 * MIB + 4096, true);
	r = pmem_range(d.v);
	p = r.host;
	ck_assert(r.readonly && r.len == 4 * MIB);
	ck_assert_mem_eq(p, "image", 5);
	ck_assert_uint_eq(p[4 * MIB - 1], 0);
	ck_assert_int_eq(ask(0), 0);
	ck_assert_uint_eq(nsync, 0);
}
END_TEST

START_TEST(failed_flush_is_never_made_good)
{
	plug(2 * MIB, false);
	fail_sync = EIO;
	ck_assert_int_eq(ask(0), EIO_ANSWER);
	fail_sync = 0;
	ck_assert_int_eq(ask(0), EIO_ANSWER);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_int_eq(ask(0), EIO_ANSWER);
}
END_TEST

START_TEST(reset_waits_for_a_flush_under_way)
{
	struct driver_buf b[2];

	plug(2 * MIB, false);
	memset(driver_ptr(&d, type, 4), 0, 4);
	b[0] = (struct driver_buf){type, 4, false};
	b[1] = (struct driver_buf){answer, 4, true};
	slow = true;
	driver_send(&d, 0, b, 2);
	ck_assert(driver_until(&d, nsync == 1));
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert(!under_way);
	slow = false;
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_int_eq(ask(0), 0);
}
END_TEST

static bool rest(void)
{
	bool yes;

	pthread_mutex_lock(&d.dev->lock);
	yes = d.dev->ops->rest(d.dev);
	pthread_mutex_unlock(&d.dev->lock);
	return yes;
}

static void wake(void)
{
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->wake(d.dev);
	pthread_mutex_unlock(&d.dev->lock);
}

/* Return: the place of the answer, which is 77 until then */
static const volatile uint32_t *begin_flush(void)
{
	gpa_t at = driver_alloc(&d, 8, 8);
	struct driver_buf b[] = {{at, 4, false}, {at + 4, 4, true}};
	uint32_t init[] = {0, 77};

	memcpy(driver_ptr(&d, at, 8), init, 8);
	driver_send(&d, 0, b, 2);
	return driver_ptr(&d, at + 4, 4);
}

START_TEST(rest_waits_for_flushes_under_way_and_begins_none)
{
	const volatile uint32_t *first, *second;
	uint32_t id, len;

	plug(2 * MIB, false);
	for (unsigned int i = 0; i < 20; i++) {
		held = true;
		first = begin_flush();
		ck_assert(driver_until(&d, under_way));
		ck_assert(!rest());
		held = false;
		ck_assert(driver_until(&d, rest()));
		ck_assert_uint_eq(*first, 0);
		ck_assert_uint_eq(d.v->vq->inflight, 0);
		second = begin_flush();
		driver_settle(&d);
		ck_assert_uint_eq(*second, 77);
		ck_assert_uint_eq(nsync, 2 * i + 1);
		wake();
		ck_assert(driver_wait(&d, 0, &id, &len));
		ck_assert(driver_wait(&d, 0, &id, &len));
		ck_assert_uint_eq(*second, 0);
	}
}
END_TEST

/* ---- its state ---- */

static uint8_t saved[1024];
static size_t saved_len;
static struct state st;

static void save(void)
{
	ck_assert(driver_until(&d, rest()));
	state_saver(&st, saved, sizeof(saved));
	d.dev->ops->state(d.dev, &st);
	ck_assert_msg(state_ok(&st), "%s", st.why);
	saved_len = st.pos;
}

/* A fresh device on the file, as it is now */
static void load_at(gpa_t at, bool readonly)
{
	driver_unplug(&d);
	d.cfg.pmem[0].readonly = readonly;
	driver_plug(&d, pmem_create(&d.env, 0, at, &d.err));
	state_loader(&st, saved, saved_len);
	d.dev->ops->state(d.dev, &st);
}

START_TEST(live_device_goes_on_where_it_was_saved)
{
	const volatile uint32_t *flush;
	uint32_t id, len;

	plug(2 * MIB, _i);
	memcpy(driver_ptr(&d, type, 4), &(uint32_t){0}, 4);
	ck_assert_int_eq(ask(0), 0);
	ck_assert(driver_until(&d, rest()));
	flush = begin_flush(); /* in the ring only */
	save();
	load_at(AT, _i);
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert_mem_eq(pmem_range(d.v).host, "image", 5);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert_uint_eq(*flush, 0);
	ck_assert_int_eq(ask(0), 0);
}
END_TEST

START_TEST(failed_flush_is_no_better_for_a_loaded_device)
{
	plug(2 * MIB, false);
	fail_sync = EIO;
	ck_assert_int_eq(ask(0), EIO_ANSWER);
	fail_sync = 0;
	save();
	load_at(AT, false);
	ck_assert_msg(state_ok(&st), "%s", st.why);
	ck_assert_int_eq(ask(0), EIO_ANSWER);
}
END_TEST

static void make_larger(void)
{
	ck_assert_int_eq(truncate(path, 4 * (off_t)MIB), 0);
}

static void leave(void)
{
}

static const struct {
	gpa_t at;
	bool readonly;
	void (*change)(void);
	const char *says;
} wrong[] = {
	{AT + GIB, false, leave,
	 "at guest address 0x200000000, this machine at 0x240000000"},
	{AT, true, leave, "it was writable when it was saved"},
	{AT, false, make_larger, "sectors"},
};

START_TEST(state_of_another_file_is_refused)
{
	plug(2 * MIB, false);
	fail_sync = EIO;
	ck_assert_int_eq(ask(0), EIO_ANSWER);
	fail_sync = 0;
	save();
	wrong[_i].change();
	load_at(wrong[_i].at, wrong[_i].readonly);
	ck_assert_msg(!state_ok(&st) && strstr(st.why, "pmem0: ") == st.why &&
			      strstr(st.why, wrong[_i].says),
		      "%s", st.why ? st.why : "it was loaded");
	ck_assert_uint_eq(driver_status(&d), 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_int_eq(ask(0), 0);
}
END_TEST

START_TEST(unknown_request_is_an_error)
{
	plug(2 * MIB, false);
	ck_assert_int_eq(ask(1), EIO_ANSWER);
	ck_assert_int_eq(ask(UINT32_MAX), EIO_ANSWER);
	ck_assert_int_eq(ask(0), 0);
	ck_assert_uint_eq(nsync, 1);
}
END_TEST

START_TEST(request_without_its_parts_costs_the_device)
{
	struct driver_buf b[][2] = {{{4096, 4, false}, {4096, 4, false}},
				    {{4096, 4, true}, {8192, 4, true}},
				    {{4096, 3, false}, {8192, 4, true}},
				    {{4096, 4, false}, {8192, 3, true}},
				    /* the file is no place for devices */
				    {{AT, 4, false}, {8192, 4, true}}};
	uint32_t id, len;

	plug(2 * MIB, false);
	driver_send(&d, 0, b[_i], 2);
	ck_assert(!driver_wait(&d, 0, &id, &len));
	ck_assert(driver_broken(&d));
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_int_eq(ask(0), 0);
}
END_TEST

START_TEST(file_cut_short_does_not_touch_us)
{
	plug(2 * MIB, false);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(ask(0), 0);
	driver_unplug(&d);
}
END_TEST

static const struct {
	uint64_t size;
	bool readonly;
	const char *says;
} refused[] = {
	{2 * MIB + 4096, false, "truncate -s %2048K"},
	{2 * MIB + 512, true, "truncate -s %4K"},
	/* at once, not after the rule of a disk */
	{2 * MIB + 7, false, "truncate -s %2048K"},
	{2 * MIB + 7, true, "truncate -s %4K"},
};

START_TEST(odd_size_is_refused_with_the_cure)
{
	ck_assert_ptr_null(make(refused[_i].size, refused[_i].readonly));
	ck_assert_msg(strstr(d.err.msg, refused[_i].says), "%s", d.err.msg);
	ck_assert_ptr_nonnull(strstr(d.err.msg, "--pmem: "));
}
END_TEST

START_TEST(missing_and_empty_files_are_refused)
{
	plug(2 * MIB, true);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_ptr_null(pmem_create(&d.env, 0, AT, &d.err));
	ck_assert_ptr_nonnull(strstr(d.err.msg, "is empty"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_null(pmem_create(&d.env, 0, AT, &d.err));
	ck_assert_ptr_nonnull(strstr(d.err.msg, "does not exist"));
}
END_TEST

START_TEST(file_that_somebody_writes_is_not_shared)
{
	struct virtio_dev *other;

	plug(2 * MIB, _i);
	other = pmem_create(&d.env, 0, AT, &d.err);
	ck_assert_int_eq(other != NULL, _i);
	if (other)
		other->ops->destroy(other);
	else
		ck_assert_ptr_nonnull(strstr(d.err.msg, "in use"));
}
END_TEST

UNIT_MAIN("pmem", NULL, teardown, t)
{
	tcase_add_test(t, place_and_size_are_told);
	tcase_add_test(t, what_is_written_is_in_the_file);
	tcase_add_test(t, rest_of_a_readonly_file_is_zero);
	tcase_add_test(t, failed_flush_is_never_made_good);
	tcase_add_test(t, reset_waits_for_a_flush_under_way);
	tcase_add_test(t, rest_waits_for_flushes_under_way_and_begins_none);
	tcase_add_loop_test(t, live_device_goes_on_where_it_was_saved, 0, 2);
	tcase_add_test(t, failed_flush_is_no_better_for_a_loaded_device);
	tcase_add_loop_test(t, state_of_another_file_is_refused, 0, 3);
	tcase_add_test(t, unknown_request_is_an_error);
	tcase_add_loop_test(t, request_without_its_parts_costs_the_device, 0, 5);
	tcase_add_test(t, file_cut_short_does_not_touch_us);
	tcase_add_loop_test(t, odd_size_is_refused_with_the_cure, 0, 2);
	tcase_add_test(t, missing_and_empty_files_are_refused);
	tcase_add_loop_test(t, file_that_somebody_writes_is_not_shared, 0, 2);
}

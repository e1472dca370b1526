/* SPDX-License-Identifier: Apache-2.0 */
/* test_mmio_state - snapshots of a live virtio device, good ones and damaged ones. */
#include <check.h>
#include <errno.h>
#include <linux/virtio_mmio.h>

#include "tests/lib/unit.h"
#include "tests/unit/mmio_fixture.h"

/* The same guest with a fresh device behind the registers */
static void replug(void)
{
	driver_unplug(&d);
	plug();
}

static void state(struct state *s)
{
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->state(d.dev, s);
	pthread_mutex_unlock(&d.dev->lock);
}

START_TEST(live_device_goes_on_from_a_snapshot)
{
	gpa_t at = driver_alloc(&d, 2, 1);
	uint8_t buf[1024], page[VIRTIO_MMIO_WINDOW];
	uint32_t sum, id, len;
	struct state s;

	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int n = 0; n < 5; n++)
		ck_assert(fake_round(&d, 0));
	/* a chain that was shown and kicked, but not seen yet */
	driver_add(&d.ring[0], &(struct driver_buf){at, 1, true}, 1);
	driver_publish(&d.ring[0]);
	sum = f->sum;
	memcpy(page, d.page, sizeof(page));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	ck_assert_ptr_null(s.why);
	replug();
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(f->sum, sum);
	ck_assert_uint_eq(f->activated, 1);
	ck_assert_mem_eq(page, d.page, sizeof(page));
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert(fake_round(&d, 0));
}
END_TEST

START_TEST(snapshot_cut_short_leaves_a_reset_device)
{
	uint8_t buf[1024];
	struct state s;
	size_t len;

	ck_assert(driver_bring_up(&d, ~0ULL));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	len = s.pos;
	for (size_t cut = 0; cut < len; cut++) {
		state_loader(&s, buf, cut);
		state(&s);
		ck_assert_ptr_nonnull(s.why);
		ck_assert_uint_eq(driver_status(&d), 0);
		ck_assert(!f->v.active);
	}
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
}
END_TEST

START_TEST(snapshot_with_any_byte_wrong_is_survived)
{
	uint8_t buf[1024], bad[1024];
	struct state s;
	size_t len;

	ck_assert(driver_bring_up(&d, ~0ULL));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	len = s.pos;
	for (size_t i = 0; i < len * 8; i++) {
		memcpy(bad, buf, len);
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		state_loader(&s, bad, len);
		state(&s);
		for (unsigned int qi = 0; qi < FAKE_QUEUES; qi++)
			driver_kick(&d, qi);
		driver_pump(&d);
	}
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
}
END_TEST

START_TEST(snapshot_with_features_not_offered_is_refused)
{
	uint8_t buf[1024];
	struct state s;

	ck_assert(driver_bring_up(&d, ~0ULL));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	replug();
	f->v.offered &= ~(1ULL << 40);
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_nonnull(s.why);
	ck_assert_uint_eq(driver_status(&d), 0);
}
END_TEST

/* The state itself says that they were not offered */
START_TEST(snapshot_with_features_that_it_does_not_offer_is_refused)
{
	uint8_t buf[1024], *at;
	struct state s;
	uint64_t offered = f->v.offered;

	ck_assert(driver_bring_up(&d, ~0ULL));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	at = memmem(buf, s.pos, &offered, sizeof(offered));
	ck_assert_ptr_nonnull(at);
	offered &= ~(1ULL << 40);
	memcpy(at, &offered, sizeof(offered));
	replug();
	f->v.offered = offered;
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_nonnull(s.why);
	ck_assert_uint_eq(driver_status(&d), 0);
}
END_TEST

/* A reset that the device takes part in is no call for a vCPU's thread */
START_TEST(reset_after_a_load_is_slow)
{
	uint8_t buf[1024];
	struct state s;

	ck_assert(!d.dev->slow(d.dev, VIRTIO_MMIO_STATUS, 4, 0));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_null(s.why);
	ck_assert(d.dev->slow(d.dev, VIRTIO_MMIO_STATUS, 4, 0));
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	ck_assert(!d.dev->slow(d.dev, VIRTIO_MMIO_STATUS, 4, 0));
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(d.dev->slow(d.dev, VIRTIO_MMIO_STATUS, 4, 0));
}
END_TEST

static void ck_refused(const uint8_t *buf, size_t len, const char *why)
{
	struct state s;

	state_loader(&s, buf, len);
	state(&s);
	ck_assert_msg(s.why && strstr(s.why, why), "%s", s.why);
	ck_assert_int_eq(strncmp(s.why, f->v.name, strlen(f->v.name)), 0);
	ck_assert_uint_eq(driver_status(&d), 0);
	ck_assert(!f->v.active);
}

START_TEST(snapshot_of_another_device_is_refused)
{
	uint8_t buf[1024];
	struct state s;

	ck_assert(driver_bring_up(&d, ~0ULL));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	driver_unplug(&d);
	f = fake_create_wide(&d.env, FAKE_QUEUES - 1);
	driver_plug(&d, &f->v);
	ck_refused(buf, s.pos, "3 queues");
	replug();
	f->v.id++;
	ck_refused(buf, s.pos, "virtio type");
	replug();
	f->activate_rc = -EIO;
	ck_refused(buf, s.pos, "the host refuses");
	ck_assert_uint_eq(f->resets, 1);
	replug();
	ck_refused(buf, s.pos - 1, "");
}
END_TEST

/* One that was on its way to a vCPU when the machine was saved */
START_TEST(pending_interrupt_is_pushed_again)
{
	uint8_t buf[1024];
	struct state s;

	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
	ck_assert(driver_rest(&d));
	state_saver(&s, buf, sizeof(buf));
	state(&s);
	(void)driver_irqs(&d);
	replug();
	state_loader(&s, buf, s.pos);
	state(&s);
	ck_assert_ptr_null(s.why);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	ck_assert(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_VRING);
}
END_TEST

UNIT_MAIN("mmio_state", setup, teardown, t)
{
	tcase_add_test(t, snapshot_of_another_device_is_refused);
	tcase_add_test(t, pending_interrupt_is_pushed_again);
	tcase_add_test(t, live_device_goes_on_from_a_snapshot);
	tcase_add_test(t, snapshot_cut_short_leaves_a_reset_device);
	tcase_add_test(t, snapshot_with_any_byte_wrong_is_survived);
	tcase_add_test(t, reset_after_a_load_is_slow);
	tcase_add_test(t, snapshot_with_features_not_offered_is_refused);
	tcase_add_test(t, snapshot_with_features_that_it_does_not_offer_is_refused);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_mmio_notify - kicks, interrupts, and a device that its driver broke. */
#include <check.h>
#include <dirent.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "devices/virtio/mmio.h"
#include "tests/lib/unit.h"
#include "tests/unit/mmio_fixture.h"

static unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

START_TEST(requests_go_through_every_queue)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int qi = 0; qi < FAKE_QUEUES; qi++)
		for (unsigned int n = 0; n < 100; n++)
			ck_assert(fake_round(&d, qi));
	ck_assert_uint_eq(f->chains, 100 * FAKE_QUEUES);
}
END_TEST

START_TEST(widest_device_hears_each_of_its_queues)
{
	driver_unplug(&d);
	f = fake_create_wide(&d.env, VIRTIO_QUEUES_MAX);
	driver_plug(&d, &f->v);
	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int qi = VIRTIO_QUEUES_MAX; qi > 0; qi--)
		ck_assert(fake_round(&d, qi - 1));
	driver_kick(&d, VIRTIO_QUEUES_MAX); /* one past the last */
	driver_pump(&d);
	for (unsigned int qi = 0; qi < VIRTIO_QUEUES_MAX; qi++)
		ck_assert_uint_eq(f->kicks[qi], 1);
}
END_TEST

START_TEST(untouched_device_holds_one_descriptor)
{
	unsigned int before;
	struct driver e;

	driver_init(&e, MIB);
	before = open_fds();
	driver_plug(&e, &fake_create(&e.env)->v);
	ck_assert_uint_eq(open_fds(), before + 1); /* its interrupt */
	ck_assert(driver_bring_up(&e, ~0ULL));
	ck_assert_uint_eq(open_fds(), before + 1 + FAKE_QUEUES + 1);
	ck_assert(driver_bring_up(&e, ~0ULL));
	ck_assert_uint_eq(open_fds(), before + 1 + FAKE_QUEUES + 1);
	driver_fini(&e);
}
END_TEST

START_TEST(doorbells_are_bound_once)
{
	d.binds = true;
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(d.nbound, FAKE_QUEUES + 1);
	for (unsigned int i = 0; i < FAKE_QUEUES; i++) {
		ck_assert_uint_eq(d.bound[i].addr,
				  DRIVER_BASE + VIRTIO_MMIO_QUEUE_NOTIFY);
		ck_assert_uint_eq(d.bound[i].value, i);
	}
	ck_assert_uint_eq(d.bound[FAKE_QUEUES].addr,
			  DRIVER_BASE + VIRTIO_MMIO_INTERRUPT_ACK);
	ck_assert_uint_eq(d.bound[FAKE_QUEUES].value, VIRTIO_MMIO_INT_VRING);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(d.nbound, FAKE_QUEUES + 1);
}
END_TEST

START_TEST(bound_doorbell_kicks_without_a_register_write)
{
	gpa_t at = driver_alloc(&d, 1, 1);
	uint32_t id, len;

	d.binds = true;
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_add(&d.ring[1], &(struct driver_buf){at, 1, true}, 1);
	driver_publish(&d.ring[1]);
	ck_assert_int_eq(eventfd_write(d.bound[1].fd, 1), 0);
	ck_assert(driver_wait(&d, 1, &id, &len));
}
END_TEST

START_TEST(acknowledgements_that_never_reach_us_lose_nothing)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int n = 1; n <= 10; n++) {
		driver_want_irqs(&d.ring[0], true);
		ck_assert(fake_round(&d, 0));
		ck_assert_uint_eq(driver_irqs(&d), 1); /* though bit 0 is still set */
		ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS),
				  VIRTIO_MMIO_INT_VRING);
	}
	virtio_config_changed(&f->v);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}
END_TEST

START_TEST(acknowledgement_clears_its_own_bits_only)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
	virtio_config_changed(&f->v);
	driver_write(&d, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS),
			  VIRTIO_MMIO_INT_CONFIG);
}
END_TEST

START_TEST(kicks_of_what_is_not_there_are_dropped)
{
	static const uint32_t wild[] = {FAKE_QUEUES, 8, 255, 0x80000000, UINT32_MAX};

	driver_kick(&d, 0); /* before anything was set up */
	ck_assert_uint_ne(driver_negotiate(&d, ~0ULL), 0);
	driver_queue(&d, 0, FAKE_QUEUE_SIZE);
	driver_kick(&d, 0); /* before DRIVER_OK */
	driver_write(&d, VIRTIO_MMIO_STATUS,
		     driver_status(&d) | VIRTIO_CONFIG_S_DRIVER_OK);
	for (unsigned int i = 0; i < ARRAY_SIZE(wild); i++)
		driver_kick(&d, wild[i]);
	driver_kick(&d, 1); /* exists, but is not ready */
	driver_pump(&d);
	ck_assert_uint_eq(f->kicks[0] + f->kicks[1] + f->kicks[2], 0);
	ck_assert(fake_round(&d, 0));
}
END_TEST

START_TEST(stale_kick_after_a_reset_is_harmless)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_kick(&d, 0);
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	driver_pump(&d);
	ck_assert_uint_eq(f->kicks[0], 0);
	ck_assert_uint_eq(f->resets, 1);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
}
END_TEST

static sem_t waits, may_go;

/* As for a disk that hangs; the time ends a test that fails */
static void wait_in_reset(struct fake *fake)
{
	struct timespec end;

	(void)fake;
	(void)clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20; /* device_lock_soon() takes long where it is seldom run */
	(void)sem_post(&waits);
	(void)sem_timedwait(&may_go, &end);
}

static void *reset(void *arg)
{
	(void)arg;
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	return NULL;
}

START_TEST(reset_that_waits_for_the_host_does_not_stop_the_loop)
{
	pthread_t vcpu;

	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_int_eq(sem_init(&waits, 0, 0) | sem_init(&may_go, 0, 0), 0);
	f->resetting = wait_in_reset;
	ck_assert_int_eq(pthread_create(&vcpu, NULL, reset, NULL), 0);
	while (sem_wait(&waits) < 0)
		;
	ck_assert(!device_lock_soon(d.dev)); /* the loop would pass the device over */
	(void)sem_post(&may_go);
	pthread_join(vcpu, NULL);
	f->resetting = NULL;
	ck_assert(device_lock_soon(d.dev));
	pthread_mutex_unlock(&d.dev->lock);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
}
END_TEST

/* Row 8 of the catalogue: a second vCPU refills the ring as fast as it is drained */
static void refill(struct fake *fake)
{
	ck_assert_uint_lt(fake->chains, 1000); /* or it drains for ever */
	driver_offer(&d.ring[0], 0);
}

START_TEST(ring_refilled_while_it_drains_holds_nobody_up)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	f->echoed = refill;
	driver_desc(&d.ring[0], 0, 0x100, 1, 0, 0);
	driver_offer(&d.ring[0], 0);
	driver_kick(&d, 0);
	for (unsigned int n = 1; n <= 5; n++) {
		driver_pump(&d);
		ck_assert_uint_eq(f->chains, n * FAKE_QUEUE_SIZE);
	}
	ck_assert(fake_round(&d, 1)); /* the neighbour gets its turn */
	f->echoed = NULL;
	driver_run(&d, 5); /* and it comes to rest without another kick */
	ck_assert(!virtq_pending(&f->vq[0]));
	ck_assert(!driver_broken(&d));
}
END_TEST

START_TEST(queue_filled_to_the_brim_is_drained_by_one_kick)
{
	uint32_t id, len;

	ck_assert(driver_bring_up(&d, ~0ULL));
	for (unsigned int i = 0; i < FAKE_QUEUE_SIZE; i++)
		driver_add(&d.ring[0], &(struct driver_buf){0x100, 1, true}, 1);
	ck_assert(driver_publish(&d.ring[0]));
	driver_kick(&d, 0);
	driver_run(&d, 5);
	ck_assert_uint_eq(f->chains, FAKE_QUEUE_SIZE);
	while (driver_used(&d.ring[0], &id, &len))
		;
	ck_assert(fake_round(&d, 0)); /* kicks were asked for again */
}
END_TEST

START_TEST(lying_driver_loses_its_device_until_a_reset)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_desc(&d.ring[0], 0, MIB - 1, 2, 0, 0);
	driver_offer(&d.ring[0], 0);
	driver_kick(&d, 0);
	driver_pump(&d);
	ck_assert(driver_broken(&d));
	ck_assert(!f->v.active);
	ck_assert_uint_eq(driver_read(&d, VIRTIO_MMIO_INTERRUPT_STATUS),
			  VIRTIO_MMIO_INT_CONFIG);
	ck_assert_uint_eq(driver_irqs(&d), 1);
	for (unsigned int qi = 0; qi < FAKE_QUEUES; qi++)
		driver_kick(&d, qi);
	driver_pump(&d);
	ck_assert_uint_eq(f->kicks[0] + f->kicks[1] + f->kicks[2], 1);
	ck_assert(!virtio_pop(&f->v, &f->vq[1], &(struct virtq_chain){0}));
	ck_assert_uint_eq(f->resets, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(f->resets, 1);
	ck_assert(fake_round(&d, 0));
}
END_TEST

START_TEST(driver_that_gave_up_is_left_alone)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_write(&d, VIRTIO_MMIO_STATUS, driver_status(&d) | VIRTIO_CONFIG_S_FAILED);
	driver_kick(&d, 0);
	driver_pump(&d);
	ck_assert_uint_eq(f->kicks[0], 0);
	ck_assert_uint_eq(driver_irqs(&d), 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(f->resets, 1);
}
END_TEST

START_TEST(device_that_refuses_to_start_is_broken)
{
	f->activate_rc = -1;
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(driver_broken(&d));
	f->activate_rc = 0;
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(f->resets, 1); /* the failed start was cleaned up */
	ck_assert(fake_round(&d, 0));
}
END_TEST

/* As when the user's epoll watches are used up: better broken than never heard */
START_TEST(queue_that_cannot_be_polled_breaks_the_device)
{
	struct mmio_kick *k = &mmio_of(&f->v)->kick[1];
	int fd;

	k->source.fd = memfd_create("kick", MFD_CLOEXEC); /* epoll takes no files */
	ck_assert_int_ge(k->source.fd, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(driver_broken(&d));
	fd = k->source.fd;
	k->source.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	close(fd);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 1));
}
END_TEST

/* ---- rest ---- */

/* Chains and kicks that come meanwhile are found, each once */
START_TEST(device_at_rest_takes_nothing_and_goes_on)
{
	gpa_t at = driver_alloc(&d, 2, 1);
	struct driver_buf b[] = {{at, 1, false}, {at + 1, 1, true}};
	uint32_t id, len;

	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert_uint_eq(f->armed, 1);
	ck_assert(fake_round(&d, 0));
	ck_assert(driver_rest(&d));
	driver_send(&d, 0, b, 2);
	driver_add(&d.ring[2], b, 2); /* and no kick of this one */
	driver_publish(&d.ring[2]);
	driver_settle(&d);
	ck_assert_uint_eq(f->chains, 1);
	driver_wake(&d);
	ck_assert(driver_wait(&d, 0, &id, &len));
	ck_assert(driver_wait(&d, 2, &id, &len));
	driver_settle(&d);
	ck_assert_uint_eq(f->chains, 3);
	ck_assert_uint_eq(f->rests, 1);
	ck_assert_uint_eq(f->wakes, 1);
	ck_assert_uint_eq(f->activated, 1);
}
END_TEST

START_TEST(device_that_does_not_rest_goes_on)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	f->restless = true;
	ck_assert(!driver_rest(&d));
	ck_assert(!driver_rest(&d));
	driver_wake(&d);
	ck_assert_uint_eq(f->wakes, 1);
	ck_assert(fake_round(&d, 1));
}
END_TEST

/* One that never lived, one that was reset while it rested, one that lied */
START_TEST(device_that_is_not_live_rests)
{
	gpa_t at = driver_alloc(&d, 1, 1);

	ck_assert(driver_rest(&d));
	driver_wake(&d);
	ck_assert_uint_eq(f->rests + f->wakes, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(driver_rest(&d));
	driver_write(&d, VIRTIO_MMIO_STATUS, 0);
	driver_wake(&d);
	ck_assert_uint_eq(f->wakes, 0);
	ck_assert(driver_bring_up(&d, ~0ULL));
	ck_assert(fake_round(&d, 0));
	driver_desc(&d.ring[1], 0, at, 1, 0, 0);
	driver_avail_slot(&d.ring[1], 0,
			  FAKE_QUEUE_SIZE); /* there is no such descriptor */
	driver_avail_idx(&d.ring[1], 1);
	driver_kick(&d, 1);
	driver_settle(&d);
	ck_assert(driver_broken(&d));
	ck_assert(driver_rest(&d));
	driver_wake(&d);
	ck_assert(driver_broken(&d));
	driver_kick(&d, 0);
	driver_settle(&d);
	ck_assert_uint_eq(f->chains, 1);
}
END_TEST

UNIT_MAIN("mmio_notify", setup, teardown, t)
{
	tcase_add_test(t, device_at_rest_takes_nothing_and_goes_on);
	tcase_add_test(t, device_that_does_not_rest_goes_on);
	tcase_add_test(t, device_that_is_not_live_rests);
	tcase_add_test(t, requests_go_through_every_queue);
	tcase_add_test(t, widest_device_hears_each_of_its_queues);
	tcase_add_test(t, untouched_device_holds_one_descriptor);
	tcase_add_test(t, doorbells_are_bound_once);
	tcase_add_test(t, bound_doorbell_kicks_without_a_register_write);
	tcase_add_test(t, acknowledgements_that_never_reach_us_lose_nothing);
	tcase_add_test(t, acknowledgement_clears_its_own_bits_only);
	tcase_add_test(t, kicks_of_what_is_not_there_are_dropped);
	tcase_add_test(t, stale_kick_after_a_reset_is_harmless);
	tcase_add_test(t, ring_refilled_while_it_drains_holds_nobody_up);
	tcase_add_test(t, reset_that_waits_for_the_host_does_not_stop_the_loop);
	tcase_add_test(t, queue_filled_to_the_brim_is_drained_by_one_kick);
	tcase_add_test(t, lying_driver_loses_its_device_until_a_reset);
	tcase_add_test(t, driver_that_gave_up_is_left_alone);
	tcase_add_test(t, queue_that_cannot_be_polled_breaks_the_device);
	tcase_add_test(t, device_that_refuses_to_start_is_broken);
}

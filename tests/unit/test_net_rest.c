/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_net_rest - a network card comes to rest and goes on while frames come and go, and nothing
 * is lost, doubled or overtaken.
 *
 * Each frame has a number, and a length that follows from it.
 */
#include "tests/unit/net_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/rest.h"
#include "tests/lib/unit.h"

#define CYCLES  1500
#define RX_LEN  512 /* of a receive buffer: long frames take several */
#define RX_N    200
#define TX_LEN  2048
#define TX_N    100
#define NUMBER  (TAP_HDR_LEN + ETH_HLEN) /* where a frame has its number */
#define SNDBUF  40000                    /* a tap that is full at times */
#define LEN_MAX 1900

static struct ring *ring;
static uint32_t sent, seen; /* by the guest and on the wire */
static uint32_t told, got;  /* on the wire and by the guest */
static gpa_t rx_at[RX_N], tx_at[TX_N];
static gpa_t of_head[2][NET_QUEUE]; /* the buffer of a chain */
static gpa_t rx_free[RX_N], tx_free[TX_N];
static unsigned int nrx, ntx;

static size_t length_of(uint32_t number)
{
	return FRAME + (number * 2654435761U >> 8) % (LEN_MAX - FRAME);
}

static void put_number(uint8_t *p, uint32_t number)
{
	memset(p, 0, TAP_HDR_LEN);
	for (size_t i = TAP_HDR_LEN; i < length_of(number); i++)
		p[i] = (uint8_t)(number + i);
	memcpy(p + NUMBER, &number, sizeof(number));
}

static void expect_number(const uint8_t *p, size_t len, uint32_t number)
{
	uint32_t is;
	bool right = true;

	memcpy(&is, p + NUMBER, sizeof(is));
	ck_assert_uint_eq(is, number);
	ck_assert_uint_eq(len, length_of(number));
	for (size_t i = NUMBER + sizeof(is); i < len; i += 7)
		right &= p[i] == (uint8_t)(number + i);
	ck_assert(right);
}

static void setup_load(bool with_ring)
{
	setup();
	if (with_ring)
		ring = d.env.ring = ring_create(d.loop);
	sent = seen = told = got = 0;
	nrx = ntx = 0;
	for (unsigned int i = 0; i < RX_N; i++)
		rx_free[nrx++] = rx_at[i] = buf + (gpa_t)i * RX_LEN;
	for (unsigned int i = 0; i < TX_N; i++)
		tx_free[ntx++] = tx_at[i] = buf + 512 * KIB + (gpa_t)i * TX_LEN;
}

static void setup_one_by_one(void)
{
	setup_load(false);
}

static void setup_by_ring(void)
{
	setup_load(true);
}

static void teardown_load(void)
{
	driver_unplug(&d);
	ring_destroy(ring); /* while the loop is there */
	ring = NULL;
	teardown();
}

static void narrow(void)
{
	int size = SNDBUF, fd = container_of(d.v, struct net, v)->pair[0].fd;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* ---- the guest ---- */

static void guest_posts(unsigned int n)
{
	for (; n && nrx; n--) {
		gpa_t at = rx_free[--nrx];
		int head = driver_add(&d.ring[NET_RX],
				      &(struct driver_buf){at, RX_LEN, true}, 1);

		ck_assert_int_ge(head, 0);
		of_head[NET_RX][head] = at;
	}
	if (driver_publish(&d.ring[NET_RX]))
		driver_kick(&d, NET_RX);
}

/* Some in one piece, some in two */
static void guest_sends(unsigned int n)
{
	for (; n && ntx; n--) {
		gpa_t at = tx_free[--ntx];
		uint32_t len = (uint32_t)length_of(sent), cut = sent % 7 ? len : 40;
		struct driver_buf b[] = {{at, cut, false}, {at + cut, len - cut, false}};
		int head;

		put_number(driver_ptr(&d, at, TX_LEN), sent++);
		head = driver_add(&d.ring[NET_TX], b, cut < len ? 2 : 1);
		ck_assert_int_ge(head, 0);
		of_head[NET_TX][head] = at;
	}
	if (driver_publish(&d.ring[NET_TX]))
		driver_kick(&d, NET_TX);
}

static void guest_collects(void)
{
	static uint8_t whole[NET_READ_MAX];
	uint32_t id, len;

	while (driver_used(&d.ring[NET_TX], &id, &len))
		tx_free[ntx++] = of_head[NET_TX][id];
	while (driver_used(&d.ring[NET_RX], &id, &len)) {
		uint16_t count = header(of_head[NET_RX][id])->num_buffers;
		size_t have = 0;

		for (unsigned int i = 0; i < count; i++) {
			gpa_t at = of_head[NET_RX][id];

			memcpy(whole + have, driver_ptr(&d, at, len), len);
			have += len;
			rx_free[nrx++] = at;
			if (i + 1 < count) /* published together */
				ck_assert(driver_used(&d.ring[NET_RX], &id, &len));
		}
		expect_number(whole, have, got++);
	}
}

/* ---- the wire ---- */

static void wire_tells(unsigned int n)
{
	static uint8_t p[NET_READ_MAX];

	for (; n; n--) {
		put_number(p, told);
		if (write(wire, p, length_of(told)) < 0)
			return; /* it is full */
		told++;
	}
}

static void wire_hears(unsigned int n)
{
	static uint8_t p[NET_READ_MAX];

	for (; n; n--) {
		ssize_t len = read(wire, p, sizeof(p));

		if (len < 0)
			return;
		expect_number(p, (size_t)len, seen++);
	}
}

/* ---- both, and rest ---- */

/* The table in net.h */
static void flags_agree(void)
{
	const struct net *n = container_of(d.v, struct net, v);
	const struct net_pair *p = n->pair;
	uint32_t want = (p->rx_dry || p->rx_held ? 0U : (uint32_t)EPOLLIN) |
			(p->tx_blocked ? (uint32_t)EPOLLOUT : 0U);

	ck_assert(!(p->rx_dry && p->rx_held));
	ck_assert(p->tx_blocked || !p->tx.n);
	ck_assert(!n->v.resting || (!p->tx_blocked && !p->rx.n));
	ck_assert_uint_eq(p->source.events, n->dead || n->v.resting ? 0 : want);
}

static void some_of_all(void)
{
	flags_agree();
	wire_tells((unsigned int)rand() % 20);
	guest_sends((unsigned int)rand() % 20);
	guest_posts((unsigned int)rand() % 16);
	if (rand() % 2)
		driver_pump(&d);
	guest_collects();
	wire_hears((unsigned int)rand() % 30);
}

/* At rest nothing moves, whatever the other two do */
static void expect_rest(void)
{
	uint16_t rx = driver_used_idx(&d.ring[NET_RX]);
	uint16_t tx = driver_used_idx(&d.ring[NET_TX]);

	ck_assert(rest_reached(&d));
	rx = driver_used_idx(&d.ring[NET_RX]);
	tx = driver_used_idx(&d.ring[NET_TX]);
	wire_tells((unsigned int)rand() % 3);
	guest_posts((unsigned int)rand() % 3);
	guest_sends((unsigned int)rand() % 3);
	driver_pump(&d);
	flags_agree();
	ck_assert_uint_eq(driver_used_idx(&d.ring[NET_RX]), rx);
	ck_assert_uint_eq(driver_used_idx(&d.ring[NET_TX]), tx);
}

static void finish(void)
{
	ck_assert(driver_until(&d, (guest_posts(RX_N), guest_collects(), wire_hears(100),
				    got == told && seen == sent)));
	driver_settle(&d);
	guest_collects();
	ck_assert_uint_eq(ntx, TX_N);
	ck_assert(!driver_broken(&d));
}

START_TEST(nothing_is_lost_or_doubled_however_often)
{
	narrow();
	for (unsigned int i = 0; i < CYCLES; i++) {
		some_of_all();
		expect_rest();
		if (rand() % 4 == 0)
			ck_assert(driver_rest(&d));
		driver_wake(&d);
	}
	finish();
	ck_assert_uint_gt(seen, CYCLES);
	ck_assert_uint_gt(got, CYCLES);
}
END_TEST

/* The frame has been read; what it has of the window goes back to the ring */
START_TEST(frame_that_waits_for_buffers_is_delivered_after_rest)
{
	for (unsigned int i = 0; i < 300; i++) {
		while (length_of(told) <= 3 * RX_LEN)
			told = ++got;
		guest_posts(1 + i % 3);
		wire_tells(1);
		driver_settle(&d);
		guest_collects();
		ck_assert_uint_eq(got, told - 1);
		ck_assert(rest_reached(&d));
		driver_wake(&d);
		guest_posts(3 - i % 3);
		ck_assert(driver_until(&d, (guest_collects(), got == told)));
	}
	finish();
}
END_TEST

START_TEST(rest_costs_no_time)
{
	uint64_t before;

	narrow();
	for (unsigned int i = 0; i < 100; i++)
		some_of_all();
	guest_sends(TX_N);
	guest_posts(RX_N);
	driver_pump(&d);
	ck_assert(rest_reached(&d));
	wire_tells(50);
	before = cpu_us();
	driver_run(&d, 100);
	ck_assert_uint_lt(cpu_us() - before, 50000);
	driver_wake(&d);
	finish();
}
END_TEST

/* What the one before had taken or read is not the next driver's */
START_TEST(reset_at_rest_begins_anew)
{
	narrow();
	for (unsigned int i = 0; i < 100; i++) {
		some_of_all();
		ck_assert(rest_reached(&d));
		d.heap = DRIVER_HEAP;
		ck_assert(driver_bring_up(&d, ~0ULL)); /* while it rests */
		while (read(wire, frame, sizeof(frame)) > 0)
			;
		sent = seen = told = got = 0;
		nrx = ntx = 0;
		for (unsigned int k = 0; k < RX_N; k++)
			rx_free[nrx++] = rx_at[k];
		for (unsigned int k = 0; k < TX_N; k++)
			tx_free[ntx++] = tx_at[k];
		guest_posts(RX_N);
		guest_sends(5);
		wire_tells(5);
		driver_pump(&d);
		ck_assert_uint_eq(driver_used_idx(&d.ring[NET_RX]), 0);
		ck_assert_uint_eq(driver_used_idx(&d.ring[NET_TX]), 0);
		driver_wake(&d);
		finish();
	}
}
END_TEST

START_TEST(broken_card_rests_and_stays_broken)
{
	uint32_t id, len;

	driver_send(&d, NET_RX, &(struct driver_buf){buf, 64, false}, 1);
	driver_settle(&d);
	ck_assert(driver_broken(&d));
	for (unsigned int i = 0; i < 10; i++) {
		ck_assert(rest_reached(&d));
		driver_wake(&d);
		driver_settle(&d);
		ck_assert(driver_broken(&d));
	}
	ck_assert(!driver_used(&d.ring[NET_RX], &id, &len));
	d.heap = DRIVER_HEAP;
	ck_assert(driver_bring_up(&d, ~0ULL));
	guest_sends(3);
	finish();
}
END_TEST

START_TEST(host_that_leaves_meanwhile_is_missed_afterwards)
{
	uint32_t id, len;

	guest_posts(5);
	driver_settle(&d);
	ck_assert(rest_reached(&d));
	close(wire);
	wire = -1;
	driver_run(&d, 20);
	driver_wake(&d);
	guest_sends(3);
	for (unsigned int i = 0; i < 3; i++) /* lost, and the buffers are back */
		ck_assert(driver_wait(&d, NET_TX, &id, &len));
	ck_assert(!driver_broken(&d));
}
END_TEST

/* The loop looked at the queues when the card came to rest, and sleeps when it goes on */
START_TEST(kicks_are_asked_for_again)
{
	for (unsigned int i = 0; i < d.v->nvq; i++)
		virtq_poll_begin(&d.v->vq[i]);
	ck_assert(rest_reached(&d));
	driver_wake(&d);
	driver_settle(&d);
	driver_add(&d.ring[NET_TX], &(struct driver_buf){buf, FRAME, false}, 1);
	ck_assert(driver_publish(&d.ring[NET_TX]));
}
END_TEST

START_TEST(limits_hold_nothing_awake)
{
	fixture_limits.tx = fixture_limits.rx = (struct config_rate){.ops = 1000};
	teardown_load();
	setup_load(false);
	fixture_limits = (struct config_net){0};
	for (unsigned int i = 0; i < 20; i++) {
		guest_sends(20);
		guest_posts(RX_N);
		wire_tells(20);
		driver_pump(&d);
		expect_rest();
		driver_wake(&d);
		guest_collects();
		wire_hears(100);
	}
	finish();
}
END_TEST

UNIT_MAIN("net_rest", setup_one_by_one, teardown_load, t)
{
	TCase *by_ring = unit_case(suite, "by-ring", setup_by_ring, teardown_load);

	tcase_add_test(t, nothing_is_lost_or_doubled_however_often);
	tcase_add_test(t, frame_that_waits_for_buffers_is_delivered_after_rest);
	tcase_add_test(t, rest_costs_no_time);
	tcase_add_test(t, reset_at_rest_begins_anew);
	tcase_add_test(t, broken_card_rests_and_stays_broken);
	tcase_add_test(t, host_that_leaves_meanwhile_is_missed_afterwards);
	tcase_add_test(t, kicks_are_asked_for_again);
	tcase_add_test(t, limits_hold_nothing_awake);
	tcase_add_test(by_ring, nothing_is_lost_or_doubled_however_often);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_net_rate - limits on what a network card sends and receives. */
#include "tests/unit/net_fixture.h"

#include <sys/epoll.h>
#include <stdlib.h>

#include "tests/lib/unit.h"

/* Bursts are what comes in 100 ms, so that a host that does not let us run for a while takes
 * nothing away; they are over soon, for the wire and the driver are faster than any limit here
 */
#define REST_NS UINT64_C(100000000)
#define RUN_NS  UINT64_C(500000000)

static struct config_rate rx, tx;

static void setup_limited(void)
{
	fixture_limits.rx = rx;
	fixture_limits.tx = tx;
	setup();
}

static unsigned int count_used(unsigned int qi)
{
	unsigned int n = 0;
	uint32_t id, len;

	while (driver_used(&d.ring[qi], &id, &len))
		n++;
	return n;
}

/* As many @step()s as go in @for_ns.  Return: did the host let us run all the time, but for
 * what a limit makes up for (RATE_LATE_NS)?
 */
static bool go_on(unsigned int (*step)(size_t len), size_t len, uint64_t for_ns,
		  uint64_t *n, uint64_t *ns)
{
	uint64_t start = monotonic_ns(), last = start, now;
	bool steady = true;

	for (*n = 0; last - start < for_ns; last = now) {
		*n += step(len);
		now = monotonic_ns();
		steady &= now - last < RATE_LATE_NS / 2;
	}
	*ns = last - start;
	return steady;
}

/* The driver sends or receives, and is measured when the burst is over: how many frames *@n
 * in *@ns.  Return: false, this host does not let us run for as long as that
 */
static bool measure(unsigned int (*step)(size_t len), size_t len, uint64_t *n,
		    uint64_t *ns)
{
	for (unsigned int tries = 0; tries < 20; tries++)
		if (go_on(step, len, REST_NS, n, ns) && go_on(step, len, RUN_NS, n, ns))
			return true;
	return false;
}

/* Frames of @size, sent or received by @step(@len), are as many as @limit (a second) allows.
 * Where the processor is slow the burst takes longer, and what we measure may be its rest:
 * then once more, for a limit that is kept is kept in the end
 */
static void expect_rate(unsigned int (*step)(size_t len), size_t len, uint64_t size,
			uint64_t limit)
{
	double had = 0, wanted = 0;
	uint64_t n, ns;

	for (unsigned int tries = 0; tries < 5; tries++) {
		if (!measure(step, len, &n, &ns))
			return; /* nothing can be said of a rate here */
		had = (double)(n * size);
		wanted = (double)limit * (double)ns / 1e9;
		if (had <= wanted * 1.02 + (double)size &&
		    had >= wanted * 0.98 - (double)size)
			return;
	}
	ck_abort_msg("%.0f of %.0f", had, wanted);
}

static unsigned int send_some(size_t len)
{
	static uint8_t sink[NET_READ_MAX];
	const struct driver_buf b = {buf, (uint32_t)len, false};

	while (driver_add(&d.ring[NET_TX], &b, 1) >= 0)
		;
	(void)driver_publish(&d.ring[NET_TX]);
	driver_kick(&d, NET_TX);
	driver_run(&d, 2);
	while (read(wire, sink, sizeof(sink)) > 0)
		;
	return count_used(NET_TX);
}

static unsigned int receive_some(size_t len)
{
	struct driver_ring *r = &d.ring[NET_RX];

	while (r->nfree)
		post(buf + 2048 * r->nfree, 2048);
	while (write(wire, frame, len) == (ssize_t)len)
		;
	driver_run(&d, 2);
	return count_used(NET_RX);
}

static void set_tx(void)
{
	tx = (struct config_rate){.ops = 5000, .ops_burst = 500};
	setup_limited();
}

START_TEST(frames_sent_keep_to_their_number)
{
	expect_rate(send_some, FRAME, 1, 5000);
}
END_TEST

static void set_tx_bytes(void)
{
	tx = (struct config_rate){.bytes = 5000000, .bytes_burst = 500000};
	setup_limited();
}

START_TEST(bytes_sent_keep_to_their_number)
{
	expect_rate(send_some, TAP_HDR_LEN + 1500, 1500, 5000000);
}
END_TEST

START_TEST(reset_ends_the_waiting)
{
	uint64_t n, ns;

	(void)measure(send_some, TAP_HDR_LEN + 1500, &n, &ns);
	ck_assert(driver_bring_up(&d, ~0ULL));
	driver_run(&d, 20);
	ck_assert_uint_eq(count_used(NET_TX), 0);
	ck_assert(!driver_broken(&d));
}
END_TEST

static void set_rx(void)
{
	rx = (struct config_rate){.ops = 5000, .ops_burst = 500};
	setup_limited();
}

/* What is over the limit stays in the tap, which drops what it has no room for; we do not
 * look at it meanwhile
 */
START_TEST(frames_received_keep_to_their_number)
{
	const struct net_pair *p = &container_of(d.v, struct net, v)->pair[0];

	expect_rate(receive_some, FRAME, 1, 5000);
	/* until the limit is reached again, which a slow host may never do */
	for (unsigned int i = 0; i < 1000 && !p->rx_held; i++)
		(void)receive_some(FRAME);
	if (p->rx_held)
		ck_assert_uint_eq(p->source.events & EPOLLIN, 0);
}
END_TEST

static void set_rx_bytes(void)
{
	rx = (struct config_rate){.bytes = 5000000, .bytes_burst = 500000};
	setup_limited();
}

START_TEST(bytes_received_keep_to_their_number)
{
	expect_rate(receive_some, TAP_HDR_LEN + 1500, 1500, 5000000);
}
END_TEST

UNIT_MAIN("net_rate", set_tx, teardown, t)
{
	TCase *tx_bytes = unit_case(suite, "tx-bytes", set_tx_bytes, teardown);
	TCase *rx_frames = unit_case(suite, "rx", set_rx, teardown);
	TCase *rx_bytes = unit_case(suite, "rx-bytes", set_rx_bytes, teardown);

	tcase_add_test(t, frames_sent_keep_to_their_number);
	tcase_add_test(tx_bytes, bytes_sent_keep_to_their_number);
	tcase_add_test(tx_bytes, reset_ends_the_waiting);
	tcase_add_test(rx_frames, frames_received_keep_to_their_number);
	tcase_add_test(rx_bytes, bytes_received_keep_to_their_number);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_agent_dhcp - what a guest asks of its network, and answers that anybody may have sent */
#include <arpa/inet.h>
#include <check.h>
#include <string.h>

#include "guest-images/agent/net.h"
#include "tests/lib/unit.h"

static struct dhcp d;
static uint8_t p[DHCP_MAX];
static size_t len;

/* An offer with @options behind its cookie */
static void offer(const char *options, size_t n)
{
	memset(p, 0, sizeof(p));
	p[0] = 2;
	memcpy(p + 4, &d.xid, 4);
	memcpy(p + 16, "\x0a\0\0\x07", 4);
	memcpy(p + 236, "\x63\x82\x53\x63", 4);
	memcpy(p + 240, options, n);
	len = 240 + n;
}

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	d.xid = 0x12345678;
}

#define OFFER "\x35\1\2"
#define ALL                                \
	OFFER "\1\4\xff\xff\xff\0"         \
	      "\3\4\x0a\0\0\1"             \
	      "\0\0"                       \
	      "\6\x08\x0a\0\0\2\x0a\0\0\3" \
	      "\x36\4\x0a\0\0\1"

START_TEST(an_offer_is_taken_and_asked_for)
{
	const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};

	offer(ALL "\xff", sizeof(ALL));
	ck_assert(dhcp_take(p, len, &d, DHCP_OFFER));
	ck_assert_uint_eq(d.address, inet_addr("10.0.0.7"));
	ck_assert_uint_eq(d.mask, inet_addr("255.255.255.0"));
	ck_assert_uint_eq(d.router, inet_addr("10.0.0.1"));
	ck_assert_uint_eq(d.nameserver, inet_addr("10.0.0.2"));
	ck_assert_uint_ge(dhcp_ask(p, &d, mac, DHCP_REQUEST), 300);
	ck_assert_uint_eq(p[0], 1);
	ck_assert_mem_eq(p + 28, mac, 6);
	ck_assert_mem_eq(p + 240, "\x35\1\3\x32\4\x0a\0\0\7\x36\4\x0a\0\0\1", 15);
}
END_TEST

START_TEST(another_answer_changes_nothing)
{
	const struct dhcp before = d;

	offer(ALL "\xff", sizeof(ALL));
	ck_assert(!dhcp_take(p, len, &d, DHCP_ACK));
	p[4] ^= 1;
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	offer(ALL "\xff", sizeof(ALL));
	p[0] = 1;
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	offer(ALL "\xff", sizeof(ALL));
	memset(p + 16, 0, 4);
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	offer("\1\4\xff\xff\xff\0\xff", 7);
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	ck_assert_mem_eq(&d, &before, sizeof(d));
}
END_TEST

START_TEST(an_option_that_is_cut_is_refused)
{
	for (size_t n = 0; n < 240; n += 13) {
		offer(ALL, sizeof(ALL) - 1);
		ck_assert(!dhcp_take(p, n, &d, DHCP_OFFER));
	}
	offer(OFFER "\1\4\xff", 6);
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	offer(OFFER "\1", 4);
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	offer(OFFER "\3\xff", 5);
	ck_assert(!dhcp_take(p, len, &d, DHCP_OFFER));
	offer(OFFER "\1\2\xff\xff", 7); /* too short for what it is: left out */
	ck_assert(dhcp_take(p, len, &d, DHCP_OFFER));
	ck_assert_uint_eq(d.mask, 0);
}
END_TEST

UNIT_MAIN("agent_dhcp", setup, NULL, t)
{
	tcase_add_test(t, an_offer_is_taken_and_asked_for);
	tcase_add_test(t, another_answer_changes_nothing);
	tcase_add_test(t, an_option_that_is_cut_is_refused);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a stream socket: whole, in pieces, and from somebody who lies. */
#include "devices/backend/netstream.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/tap.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static struct netstream *stream;
static int ours, peer;
static uint8_t got[TAP_HDR_LEN + TAP_FRAME_MAX];

static void setup(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ours = pair[0];
	stream = netstream_create(ours);
	ck_assert_ptr_nonnull(stream);
	peer = pair[1];
}

static void teardown(void)
{
	netstream_destroy(stream);
	if (peer >= 0)
		close(peer);
}

static void say(const void *p, size_t n)
{
	ck_assert_int_eq(write(peer, p, n), (ssize_t)n);
}

static void say_frame(uint8_t fill, uint32_t len)
{
	uint8_t frame[2000];
	uint32_t be = htonl(len);

	memset(frame, fill, sizeof(frame));
	say(&be, sizeof(be));
	say(frame, len);
}

static ssize_t next(void)
{
	struct iovec v[3] = {{got, 5}, {got + 5, 20}, {got + 25, sizeof(got) - 25}};

	memset(got, 0xee, sizeof(got));
	return netstream_readv(stream, v, 3);
}

static void expect_frame(uint8_t fill, uint32_t len)
{
	static const uint8_t zero[TAP_HDR_LEN];

	ck_assert_int_eq(next(), TAP_HDR_LEN + (ssize_t)len);
	ck_assert_mem_eq(got, zero, sizeof(zero));
	ck_assert(got[TAP_HDR_LEN] == fill && got[TAP_HDR_LEN + len - 1] == fill);
	ck_assert_uint_eq(got[TAP_HDR_LEN + len], 0xee);
}

static void expect_none(int code)
{
	ck_assert_int_eq(next(), -1);
	ck_assert_int_eq(errno, code);
}

START_TEST(frames_come_one_by_one)
{
	say_frame(1, 60);
	say_frame(2, 1514);
	say_frame(3, 14);
	expect_frame(1, 60);
	ck_assert(netstream_more(stream)); /* the socket will not say so again */
	expect_frame(2, 1514);
	expect_frame(3, 14);
	ck_assert(!netstream_more(stream));
	expect_none(EAGAIN);
}
END_TEST

START_TEST(frame_in_pieces_waits_for_its_end)
{
	const uint8_t wire[24] = {0, 0, 0, 20, [4 ... 23] = 9};

	for (size_t i = 0; i < sizeof(wire); i++) {
		expect_none(EAGAIN);
		say(wire + i, 1);
	}
	expect_frame(9, 20);
}
END_TEST

START_TEST(longer_than_the_buffers_is_told_and_cut)
{
	struct iovec v = {got, 40};

	say_frame(7, 100);
	say_frame(8, 50);
	ck_assert_int_eq(netstream_readv(stream, &v, 1), TAP_HDR_LEN + 100);
	expect_frame(8, 50);
}
END_TEST

START_TEST(impossible_lengths_are_refused)
{
	static const uint32_t lengths[] = {0, 13, TAP_FRAME_MAX + 1, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint32_t be = htonl(lengths[i]);

		say(&be, sizeof(be));
		expect_none(EPROTO);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(peer_that_left_is_an_end)
{
	say_frame(1, 60);
	close(peer);
	peer = -1;
	expect_frame(1, 60);
	ck_assert_int_eq(next(), 0);
	ck_assert(netstream_flush(stream));
}
END_TEST

static ssize_t send_frame(uint8_t fill, size_t len)
{
	static uint8_t out[TAP_HDR_LEN + TAP_FRAME_MAX];
	struct iovec v[3] = {{out, 3}, {out + 3, 12}, {out + 15, TAP_HDR_LEN + len - 15}};

	memset(out, fill, sizeof(out));
	return netstream_writev(stream, v, 3);
}

static void hear_frame(uint8_t fill, size_t len)
{
	uint32_t be;

	ck_assert_int_eq(read_full(peer, &be, sizeof(be)), sizeof(be));
	ck_assert_uint_eq(ntohl(be), len);
	ck_assert_int_eq(read_full(peer, got, len), (long)len);
	ck_assert(got[0] == fill && got[len - 1] == fill);
}

START_TEST(frames_go_without_their_header)
{
	ck_assert_int_eq(send_frame(1, 60), TAP_HDR_LEN + 60);
	ck_assert_int_eq(send_frame(2, TAP_FRAME_MAX), TAP_HDR_LEN + TAP_FRAME_MAX);
	ck_assert(netstream_flush(stream));
	hear_frame(1, 60);
	hear_frame(2, TAP_FRAME_MAX);
	ck_assert_int_eq(send_frame(2, TAP_FRAME_MAX + 1), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
}
END_TEST

/* A socket that is full takes a part of a frame: the rest follows before any other */
START_TEST(slow_peer_gets_every_frame_whole)
{
	unsigned int sent = 0, heard = 0;

	while (heard < 200) {
		while (sent < 200 && netstream_flush(stream) &&
		       send_frame((uint8_t)sent, 1000 + sent * 37) > 0)
			sent++;
		ck_assert(sent > heard);
		(void)netstream_flush(stream);
		/* the end of the last one may still be here */
		if (sent < 200 || sent - heard > 1 || netstream_flush(stream)) {
			hear_frame((uint8_t)heard, 1000 + heard * 37);
			heard++;
		}
	}
}
END_TEST

#define LARGE 60000

static uint8_t large_byte(unsigned int frame, size_t i)
{
	return (uint8_t)(i * 7 + i / 251 + frame * 13);
}

static void hear_large(unsigned int frame)
{
	static const uint8_t length[] = {0, 0, LARGE >> 8, LARGE & 0xff};
	static uint8_t wire[sizeof(length) + LARGE];
	size_t have = 0;

	while (have < sizeof(wire)) {
		ssize_t n;

		(void)netstream_flush(stream);
		n = recv(peer, wire + have, sizeof(wire) - have, MSG_DONTWAIT);
		ck_assert_msg(n > 0, "%zu bytes of frame %u are lost",
			      sizeof(wire) - have, frame);
		have += (size_t)n;
	}
	ck_assert_mem_eq(wire, length, sizeof(length));
	for (size_t i = 0; i < LARGE; i++)
		ck_assert_uint_eq(wire[4 + i], large_byte(frame, i));
}

/* The socket's buffer is smaller than a frame, so each write takes a part of it */
START_TEST(socket_that_takes_a_part_gets_each_byte_once)
{
	static uint8_t out[TAP_HDR_LEN + LARGE];
	struct iovec v[2] = {{out, 100}, {out + 100, sizeof(out) - 100}};
	const int small = 4096;

	ck_assert_int_eq(setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
			 0);
	for (unsigned int frame = 0; frame < 3; frame++) {
		for (size_t i = 0; i < LARGE; i++)
			out[TAP_HDR_LEN + i] = large_byte(frame, i);
		ck_assert_int_eq(netstream_writev(stream, v, 2), sizeof(out));
		ck_assert(!netstream_flush(stream)); /* a part is left */
		hear_large(frame);
	}
}
END_TEST

UNIT_MAIN("netstream", setup, teardown, t)
{
	tcase_add_test(t, frames_come_one_by_one);
	tcase_add_test(t, frame_in_pieces_waits_for_its_end);
	tcase_add_test(t, longer_than_the_buffers_is_told_and_cut);
	tcase_add_test(t, impossible_lengths_are_refused);
	tcase_add_test(t, peer_that_left_is_an_end);
	tcase_add_test(t, frames_go_without_their_header);
	tcase_add_test(t, slow_peer_gets_every_frame_whole);
	tcase_add_test(t, socket_that_takes_a_part_gets_each_byte_once);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_netstream - frames over a stream socket, whose other end says whatever it likes, in
 * pieces of any size, and takes what is sent in pieces of any size.
 *
 * What comes is taken apart a second time here, from one buffer with all of it; what goes
 * has to come out whole.
 */
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/netstream.h"
#include "devices/backend/tap.h"
#include "vmm/core/util.h"

#define SAID_MAX (512 * KIB)
#define IOVS     8

enum step { SAY, SAY_FRAME, TAKE, SEND, HEAR, NSTEPS };

static uint8_t said[SAID_MAX], frame[TAP_HDR_LEN + TAP_FRAME_MAX], got[SAID_MAX];
static size_t nsaid, ntaken; /* of @said: written by the other end; read by us */
static size_t nsent, nheard; /* bytes, with lengths */
static struct {
	uint32_t len, left;
	unsigned int nlen; /* bytes of @len so far */
} hearing;
static int wire;
static struct netstream *s;

static void begin(void)
{
	int sv[2], size = 16 * KIB;

	BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv));
	(void)setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	wire = sv[1];
	s = netstream_create(sv[0]);
	BUG_ON(!s);
	nsaid = ntaken = nsent = nheard = 0;
	memset(&hearing, 0, sizeof(hearing));
}

/* @len bytes that are in @said already, as many as there is room for */
static void say(size_t len)
{
	ssize_t n = write(wire, said + nsaid, MIN(len, SAID_MAX - nsaid));

	nsaid += n > 0 ? (size_t)n : 0;
}

static void say_bytes(struct fuzz_in *in)
{
	size_t len = fuzz_u8(in) % 32;

	for (size_t i = 0; i < len && nsaid + i < SAID_MAX; i++)
		said[nsaid + i] = fuzz_u8(in);
	say(len);
}

/* A length, mostly one that a frame has, and most of what it promises */
static void say_frame(struct fuzz_in *in)
{
	uint32_t len = fuzz_u16(in) + (fuzz_u8(in) % 8 ? 0U : 1000U), n = htonl(len);

	if (nsaid + sizeof(n) + len > SAID_MAX)
		return;
	memcpy(said + nsaid, &n, sizeof(n));
	memset(said + nsaid + sizeof(n), (int)(len & 0xff), len);
	say(sizeof(n) + len - MIN(len, fuzz_u8(in) % 4U));
}

/* The next frame as it should be.  Return: its length; 0, not all of it is there; -1, none */
static ssize_t next_frame(const uint8_t **p)
{
	uint32_t len;

	if (nsaid - ntaken < sizeof(len))
		return 0;
	memcpy(&len, said + ntaken, sizeof(len));
	len = ntohl(len);
	if (len < ETH_HLEN || len > TAP_FRAME_MAX)
		return -1;
	*p = said + ntaken + sizeof(len);
	return nsaid - ntaken - sizeof(len) < len ? 0 : (ssize_t)len;
}

/* Return: may it go on? */
static bool take(struct fuzz_in *in)
{
	struct iovec v[IOVS];
	const uint8_t *p = NULL;
	ssize_t want = next_frame(&p), rc;
	size_t room = 0;
	int n = 1 + fuzz_u8(in) % IOVS;

	for (int i = 0; i < n; i++) {
		size_t len = 1 + fuzz_u16(in) % (sizeof(frame) / IOVS);

		v[i] = (struct iovec){got + room, len};
		room += len;
	}
	got[room] = 0xa5;
	rc = netstream_readv(s, v, n);
	fuzz_check(got[room] == 0xa5);
	if (want <= 0) {
		fuzz_check(rc == -1 && errno == (want ? EPROTO : EAGAIN));
		return want == 0;
	}
	fuzz_check(rc == TAP_HDR_LEN + want);
	for (size_t i = 0; i < MIN(room, (size_t)rc); i++)
		fuzz_check(got[i] == (i < TAP_HDR_LEN ? 0 : p[i - TAP_HDR_LEN]));
	ntaken += sizeof(uint32_t) + (size_t)want;
	fuzz_check(!netstream_more(s) || next_frame(&p)); /* or what is none */
	return true;
}

static void send_frame(struct fuzz_in *in)
{
	struct iovec v[2];
	size_t len = fuzz_u16(in), cut = fuzz_u16(in) % (TAP_HDR_LEN + len);

	if (!cut)
		cut = 1;
	memset(frame, (int)(len & 0xff), sizeof(frame));
	v[0] = (struct iovec){frame, cut};
	v[1] = (struct iovec){frame + cut, TAP_HDR_LEN + len - cut};
	if (netstream_writev(s, v, 2) >= 0)
		nsent += sizeof(uint32_t) + len;
}

/* Frames come out of the socket as they went in: a length, and that many of its last byte */
static void hear_byte(uint8_t c)
{
	nheard++;
	if (hearing.nlen == sizeof(hearing.len)) {
		fuzz_check(c == (uint8_t)hearing.len);
		hearing.left--;
	} else {
		hearing.len = hearing.len << 8 | c;
		if (++hearing.nlen < sizeof(hearing.len))
			return;
		hearing.left = hearing.len;
	}
	if (!hearing.left)
		memset(&hearing, 0, sizeof(hearing));
}

static void hear(bool all)
{
	ssize_t n;

	do {
		n = read(wire, got, all ? sizeof(got) : 5000);
		for (ssize_t i = 0; i < n; i++)
			hear_byte(got[i]);
	} while (all && (!netstream_flush(s) || n > 0));
	fuzz_check(!all || nheard == nsent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	bool more = true;

	begin();
	while (in.n && more) {
		switch ((enum step)(fuzz_u8(&in) % NSTEPS)) {
		case SAY:
			say_bytes(&in);
			break;
		case SAY_FRAME:
			say_frame(&in);
			break;
		case TAKE:
			more = take(&in);
			break;
		case SEND:
			send_frame(&in);
			break;
		case HEAR:
			(void)netstream_flush(s);
			hear(false);
			break;
		case NSTEPS:
			break;
		}
	}
	hear(true);
	close(wire);
	netstream_destroy(s);
	return 0;
}

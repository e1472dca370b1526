/* SPDX-License-Identifier: Apache-2.0 */
/* net_load - a load generator for benchmarks: frames as fast as they go. */
#include "guest-images/payloads/net.h"

#include "guest-images/payloads/net_frame.h"

#define LOAD_WAIT UINT64_C(500000000) /* until a peer has filled the queue */
#define HDR       ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define ROOM      ((uint32_t)sizeof(struct net_frame))

static struct vio nic;
static struct vq rx, tx;
static uint8_t *buf; /* @each bytes for each of @n */
static uint32_t each;

static bool load_open(uint64_t features)
{
	return vio_find(&nic, VIRTIO_ID_NET, 0) &&
	       vio_begin(&nic, features | UINT64_C(1) << VIRTIO_NET_F_MAC |
				       UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX) &&
	       vq_init(&rx, &nic, 0, NET_FRAMES) && vq_init(&tx, &nic, 1, NET_FRAMES);
}

static void load_frames(unsigned int n, uint32_t size, uint8_t to)
{
	each = (HDR + size + 63) & ~63U;
	buf = rt_alloc((size_t)n * each, 4096);
	for (unsigned int i = 0; i < n; i++)
		net_frame_make((struct net_frame *)(void *)(buf + (size_t)i * each), size,
			       to);
}

static void load_report(const char *what, uint32_t size, uint64_t count, uint64_t ns)
{
	if (!cmdline_is("quiet", "1"))
		print("load: %s size=%u count=%lu ns=%lu frames_per_s=%lu\n", what, size,
		      count, ns, count * 1000000000 / ns);
}

/* A frame's buffer is the one of its head: heads come back in the order that we gave them */
bool net_transmit(uint64_t count, uint32_t size)
{
	uint64_t tso = UINT64_C(1) << VIRTIO_NET_F_CSUM |
		       UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4;
	uint64_t t, n;

	if (size < ETH_HLEN || size > NET_FRAME_MAX || !load_open(tso))
		return false;
	load_frames(NET_FRAMES, size, NET_FOR_NOBODY);
	vio_driver_ok(&nic);
	t = now_ns();
	for (n = 0; n < count || !rt_let_go(); n++) {
		struct vbuf b = {buf + n % NET_FRAMES * each, HDR + size, false};

		while (vq_take(&tx, NULL) >= 0)
			;
		if (!tx.nfree && vq_wait(&tx, NULL) < 0)
			return false;
		vq_add(&tx, &b, 1);
		vq_kick(&tx);
	}
	while (tx.nfree < tx.size)
		if (vq_wait(&tx, NULL) < 0)
			return false;
	load_report("transmit", size, n, now_ns() - t);
	return true;
}

static void load_post(unsigned int i)
{
	struct vbuf b = {buf + (size_t)i * each, each, true};

	vq_add(&rx, &b, 1);
}

/* One frame and wait for it */
static bool load_send(uint32_t size)
{
	struct vbuf b = {buf + (size_t)NET_FRAMES * each, HDR + size, false};

	return vq_request(&tx, &b, 1, NULL);
}

/* A frame of ours tells the peer that we are there; half a second later @count frames wait
 * for us, and only now we have buffers for them.
 */
bool net_receive(uint64_t count, uint32_t size)
{
	uint64_t t;

	if (size < ETH_HLEN || size > ETH_FRAME_LEN || !load_open(0))
		return false;
	load_frames(NET_FRAMES + 1, ETH_FRAME_LEN, NET_FOR_ALL);
	vio_driver_ok(&nic);
	if (!load_send(size))
		return false;
	for (t = now_ns(); now_ns() - t < LOAD_WAIT;)
		cpu_relax();
	t = now_ns();
	for (unsigned int i = 0; i < NET_FRAMES; i++)
		load_post(i);
	vq_kick(&rx);
	for (uint64_t n = 0; n < count; n++) {
		int head = vq_wait(&rx, NULL);

		if (head < 0)
			return false;
		load_post((unsigned int)head);
		vq_kick(&rx);
	}
	load_report("receive", size, count, now_ns() - t);
	return true;
}

/* One that is not ours (the host greets a new network) is not waited for.
 * Return: did one of @proto come?
 */
static bool load_await(uint16_t proto)
{
	const struct net_frame *f;

	do {
		int head = vq_wait(&rx, NULL);

		if (head < 0)
			return false;
		f = (const struct net_frame *)(const void *)(buf + (size_t)head * each);
		load_post((unsigned int)head);
		vq_kick(&rx);
	} while (f->eth.h_proto != proto);
	return true;
}

bool net_trip(uint64_t count, bool ask)
{
	struct net_frame *out;
	uint32_t size = ETH_ZLEN;
	uint64_t t;

	if (!load_open(0))
		return false;
	load_frames(NET_FRAMES + 1, ETH_FRAME_LEN, NET_FOR_ALL);
	out = (struct net_frame *)(void *)(buf + (size_t)NET_FRAMES * each);
	if (ask)
		size = net_frame_ask(out);
	vio_driver_ok(&nic);
	for (unsigned int i = 0; i < NET_FRAMES; i++)
		load_post(i);
	vq_kick(&rx);
	t = now_ns();
	for (uint64_t n = 0; n < count; n++)
		if (!load_send(size) || !load_await(out->eth.h_proto))
			return false;
	load_report(ask ? "ask" : "trip", size, count, now_ns() - t);
	return true;
}

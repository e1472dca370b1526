/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - mode=echo sends frames of our protocol back to where they came from, until one says
 * that it is the last, and wants to have seen count= of them then; before that the driver changes
 * its mind in waver= bursts.  transmit, receive, trip and ask are net_load.c's.
 */
#include "guest-images/payloads/net.h"

#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "guest-images/payloads/net_frame.h"

#define QUEUE    64
#define BUF      2048
#define PATIENCE UINT64_C(10000000000)
#define WAVERS   101                /* a burst */
#define REST     UINT64_C(40000000) /* ns, after it */

struct frame {
	struct virtio_net_hdr_mrg_rxbuf hdr;
	struct ethhdr eth;
	uint8_t data[BUF - sizeof(struct virtio_net_hdr_mrg_rxbuf) -
		     sizeof(struct ethhdr)];
} __attribute__((packed));

static struct vio nic;
static struct vq rx, tx;
static struct frame in[QUEUE], out[QUEUE];
static unsigned int in_by_head[QUEUE], out_by_head[QUEUE];
static unsigned int spare[QUEUE], nspare; /* frames of out[] that are ours */

static void net_post(unsigned int i)
{
	struct vbuf b = {&in[i], BUF, true};

	in_by_head[vq_add(&rx, &b, 1)] = i;
}

/* net_spare() - an out[] frame that is ours, waiting for one; -1: the device is wedged */
static int net_spare(void)
{
	int head;

	while ((head = vq_take(&tx, NULL)) >= 0)
		spare[nspare++] = out_by_head[head];
	if (!nspare) {
		head = vq_wait(&tx, NULL);
		if (head < 0)
			return -1;
		spare[nspare++] = out_by_head[head];
	}
	return (int)spare[--nspare];
}

/* net_send() - @len counts from the virtio header. Every other frame is two pieces where there is
 * room, as Linux sends them.  Not yet kicked
 */
static void net_send(unsigned int i, uint32_t len)
{
	const uint32_t head = sizeof(out[i].hdr);
	struct vbuf b[] = {{&out[i], head, false},
			   {(uint8_t *)&out[i] + head, len - head, false}};
	bool two = i % 2 && tx.nfree > 1;

	if (!two)
		b[0].len = len;
	memset(&out[i].hdr, 0, sizeof(out[i].hdr));
	out_by_head[vq_add(&tx, b, two ? 2 : 1)] = i;
}

static bool net_is_last(const struct frame *f)
{
	static const uint8_t last[4] = {0xff, 0xff, 0xff, 0xff};

	return !memcmp(f->data, last, sizeof(last));
}

/* net_back() - @len bytes of @f to their sender */
static bool net_back(const struct frame *f, uint32_t len)
{
	int o = net_spare();

	if (o < 0)
		return false;
	memcpy(&out[o], f, len);
	memcpy(out[o].eth.h_dest, f->eth.h_source, ETH_ALEN);
	memcpy(out[o].eth.h_source, f->eth.h_dest, ETH_ALEN);
	net_send((unsigned int)o, len);
	vq_kick(&tx);
	return true;
}

static bool net_echo(uint64_t count)
{
	uint64_t done = 0, end = now_ns() + PATIENCE;
	bool last = false;
	uint32_t len;

	while (!last) {
		int head = vq_take(&rx, &len);
		const struct frame *f;

		if (head < 0) {
			if (now_ns() > end)
				return false;
			continue;
		}
		f = &in[in_by_head[head]];
		if (f->eth.h_proto == __builtin_bswap16(NET_PROTOCOL) && len <= BUF) {
			last = net_is_last(f);
			if (!last && !net_back(f, len))
				return false;
			done += !last;
			end = now_ns() + PATIENCE;
		}
		net_post(in_by_head[head]);
		vq_kick(&rx);
	}
	while (!rt_let_go())
		cpu_relax();
	print("echoed %lu frames\n", done);
	return done >= count;
}

static bool net_agree(uint64_t features)
{
	if (!vio_begin(&nic, features | UINT64_C(1) << VIRTIO_NET_F_MAC |
				     UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX) ||
	    !vq_init(&rx, &nic, 0, QUEUE) || !vq_init(&tx, &nic, 1, QUEUE))
		return false;
	vio_driver_ok(&nic);
	return true;
}

/* Each time with other offloads, faster than the host lets a tap be changed; then the host has time to
 * do what it owes
 */
static bool net_waver(uint64_t bursts)
{
	for (uint64_t i = 0; i < bursts * WAVERS; i++) {
		uint64_t end;

		if (!net_agree(i % 2 << VIRTIO_NET_F_GUEST_CSUM))
			return false;
		end = now_ns() + (i % WAVERS == WAVERS - 1 ? REST : 0);
		while (now_ns() < end)
			cpu_relax();
	}
	return true;
}

static bool net_open(void)
{
	if (!vio_find(&nic, VIRTIO_ID_NET, 0) || !net_waver(cmdline_u64("waver", 0)) ||
	    !net_agree(0))
		return false;
	for (unsigned int i = 0; i < tx.size; i++)
		spare[nspare++] = i;
	for (unsigned int i = 0; i < rx.size; i++)
		net_post(i);
	vq_kick(&rx);
	return true;
}

static bool net_run(uint64_t count)
{
	uint32_t size = (uint32_t)cmdline_u64("size", 64);

	if (cmdline_is("mode", "transmit"))
		return net_transmit(count, size);
	if (cmdline_is("mode", "receive"))
		return net_receive(count, size);
	if (cmdline_is("mode", "trip"))
		return net_trip(count, false);
	if (cmdline_is("mode", "ask"))
		return net_trip(count, true);
	return net_open() && net_echo(count);
}

int main(void)
{
	bool ok = net_run(cmdline_u64("count", 1000));

	print("%s\n", ok ? "PASS" : "FAIL");
	return !ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* blk_load - a load generator for benchmarks: keeps a number of requests in flight. */
#include "guest-images/payloads/blk.h"

#define DEPTH_MAX (BLK_QUEUE / 3)
#define SIZE_MAX_ 65536

struct slot {
	struct blk_request req;
	uint8_t *buf;
};

static struct slot slots[DEPTH_MAX];
static struct slot *by_head[BLK_QUEUE];

static void blk_load_submit(struct blk *b, struct slot *s, struct prng *r, bool write,
			    uint32_t size)
{
	uint64_t places = b->sectors * BLK_SECTOR / size;
	struct vbuf v[3] = {{&s->req.hdr, sizeof(s->req.hdr), false},
			    {s->buf, size, !write},
			    {&s->req.status, 1, true}};

	s->req.hdr.type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
	s->req.hdr.sector = prng_below(r, places) * (size / BLK_SECTOR);
	s->req.status = 0xff;
	by_head[vq_add(&b->q, v, 3)] = s;
}

static struct slot *blk_load_wait(struct blk *b)
{
	int head = vq_wait(&b->q, NULL);

	if (head < 0 || by_head[head]->req.status != VIRTIO_BLK_S_OK)
		return NULL;
	return by_head[head];
}

bool blk_load(struct blk *b)
{
	uint64_t count = cmdline_u64("count", 10000), depth = cmdline_u64("depth", 1);
	uint32_t size = (uint32_t)cmdline_u64("size", 4096);
	bool write = cmdline_is("rw", "write");
	uint64_t sent = 0, done = 0, t;
	struct prng r;

	if (!depth || depth > DEPTH_MAX || depth > count || !size || size % BLK_SECTOR ||
	    size > SIZE_MAX_ || size > b->sectors * BLK_SECTOR) {
		print("FAIL: depth, count or size\n");
		return false;
	}
	prng_seed(&r, cmdline_u64("seed", 1));
	for (uint64_t i = 0; i < depth; i++)
		slots[i].buf = rt_alloc(size, 4096);
	t = now_ns();
	for (; sent < depth; sent++)
		blk_load_submit(b, &slots[sent], &r, write, size);
	vq_kick(&b->q);
	while (done < sent) {
		struct slot *s = blk_load_wait(b);

		if (!s) {
			print("FAIL: request failed or lost after %lu\n", done);
			return false;
		}
		done++;
		if (sent >= count && rt_let_go())
			continue;
		blk_load_submit(b, s, &r, write, size);
		vq_kick(&b->q);
		sent++;
	}
	t = now_ns() - t;
	if (!cmdline_is("quiet", "1"))
		print("load: %s size=%u depth=%lu count=%lu ns=%lu iops=%lu\n",
		      write ? "write" : "read", size, depth, done, t,
		      done * 1000000000 / t);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* rng - entropy from the host's getrandom(2) (virtio 1.2, 5.4), straight into the guest. */
#include "devices/virtio/devices.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "vmm/core/util.h"

#define RNG_QUEUE_SIZE 64
/* Bytes for a request, whatever its size: the driver asks again for more (5.4.6). The loop thread
 * fills it, and other devices wait meanwhile; 4 KiB take some 10 us, and Linux asks for 64.
 */
#define RNG_FILL_MAX 4096

struct rng {
	struct virtio_dev v;
	struct virtq vq;
};

/* Return: bytes filled, at the front of @s.  An interrupted call fills fewer. */
static uint32_t rng_fill(const struct span *s)
{
	uint32_t done = 0;

	for (unsigned int i = 0; i < s->n && done < RNG_FILL_MAX; i++) {
		size_t len = MIN(s->v[i].iov_len, RNG_FILL_MAX - done);
		ssize_t n = getrandom(s->v[i].iov_base, len, GRND_NONBLOCK);

		if (n <= 0)
			break;
		done += (uint32_t)n;
		if ((size_t)n < len)
			break;
	}
	return done;
}

static void rng_kick(struct virtio_dev *v, unsigned int qi)
{
	struct virtq *q = &v->vq[qi];
	struct virtq_chain c;

	while (virtio_pop(v, q, &c)) {
		uint32_t n = rng_fill(&c.to_driver);

		virtq_push(q, c.head, n);
		v->dev->io.requests++;
		v->dev->io.read_bytes += n;
	}
	virtio_notify(v, q);
}

static void rng_destroy(struct virtio_dev *v)
{
	free(container_of(v, struct rng, v));
}

static const struct virtio_ops rng_ops = {
	.arm = virtio_nop_arm,
	.activate = virtio_nop_activate,
	.kick = rng_kick,
	.config_written = virtio_nop_config_written,
	.reset = virtio_nop_reset,
	.rest = virtio_nop_rest,
	.wake = virtio_nop_wake,
	.state = virtio_nop_state,
	.destroy = rng_destroy,
};

struct virtio_dev *rng_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	struct rng *r = calloc(1, sizeof(*r));

	if (!r) {
		err_set(e, ENOMEM, "rng%u: the host is out of memory", i);
		return NULL;
	}
	virtq_init(&r->vq, RNG_QUEUE_SIZE);
	r->v = (struct virtio_dev){
		.ops = &rng_ops,
		.id = VIRTIO_ID_RNG,
		.vq = &r->vq,
		.nvq = 1,
		.env = env,
	};
	(void)snprintf(r->v.name, sizeof(r->v.name), "rng%u", i);
	return &r->v;
}

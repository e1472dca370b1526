/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balloon - memory that the guest gives back to the host (virtio 1.2, 5.5): as much as we ask for
 * (inflate), and free pages (free-page reporting). And its figures about its memory, on request
 * (balloon_stats.c).
 *
 * The guest's statements need no check, because nothing depends on them: a page given back stays
 * mapped and reads as zeroes when it is used again, so taking pages back (deflate) needs no work.
 * Giving them to the host can take milliseconds, which a worker spends (balloon_job.c), one chain
 * at a time.
 */
#include "devices/virtio/balloon.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio/balloon_job.h"
#include "devices/virtio/balloon_stats.h"
#include "devices/virtio/devices.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* Linux reports 32 ranges at a time and needs a queue for as many. */
#define BALLOON_QUEUE 32

struct balloon {
	struct virtio_dev v;
	struct virtq vq[BALLOON_QUEUES];
	struct virtio_balloon_config config, truth; /* shown; and as it is in truth */
	bool kicked[BALLOON_QUEUES]; /* by role: and not found empty since */
	bool busy;                   /* a worker has @job */
	struct balloon_job job;
	struct virtq_chain c; /* of the deflate queue */
	struct balloon_stats_queue stats;
};

static struct balloon *balloon_of(struct virtio_dev *v)
{
	return container_of(v, struct balloon, v);
}

static bool balloon_has(const struct balloon *b, unsigned int feature)
{
	return b->v.acked & 1ULL << feature;
}

/* Return: BALLOON_QUEUES for a queue that the driver did not negotiate */
static unsigned int balloon_role(const struct balloon *b, unsigned int qi)
{
	unsigned int role = qi;

	if (qi >= BALLOON_STATISTICS && !balloon_has(b, VIRTIO_BALLOON_F_STATS_VQ))
		role++;
	if (role == BALLOON_REPORTING && !balloon_has(b, VIRTIO_BALLOON_F_REPORTING))
		role = BALLOON_QUEUES;
	return role;
}

static struct virtq *balloon_queue(struct balloon *b, unsigned int role)
{
	bool counts = balloon_has(b, VIRTIO_BALLOON_F_STATS_VQ);

	return &b->vq[role - (role > BALLOON_STATISTICS && !counts)];
}

/* May free pages come back as zeroes?  Not if the guest will look for another pattern in
 * them (virtio 1.2, 5.5.6, "Page Poison").
 */
static bool balloon_keeps(const struct balloon *b, unsigned int role)
{
	return role == BALLOON_REPORTING &&
	       balloon_has(b, VIRTIO_BALLOON_F_PAGE_POISON) && b->truth.poison_val;
}

static void balloon_give_back(struct balloon *b, unsigned int role, uint16_t head)
{
	struct virtq *q = balloon_queue(b, role);

	virtq_push(q, head, 0);
	b->v.dev->io.requests++;
	virtio_notify(&b->v, q);
}

/* The chain in @b->job is a new one */
static void balloon_start(struct balloon *b)
{
	struct balloon_job *j = &b->job;
	const char *lie = balloon_check(j);

	if (lie) {
		virtio_broken(&b->v, lie);
		return;
	}
	if (balloon_keeps(b, j->role)) {
		balloon_give_back(b, j->role, j->c.head);
		return;
	}
	j->work.dev = b->v.dev;
	j->released = 0;
	j->lie = NULL;
	b->busy = true;
	work_submit(b->v.env->pool, &j->work);
}

/* The worker is idle: take the next chain of a queue that was kicked. A queue is popped until it
 * is empty, or its driver would not be told to kick again.
 */
static void balloon_next(struct balloon *b)
{
	static const unsigned int roles[] = {BALLOON_INFLATE, BALLOON_REPORTING};

	for (unsigned int i = 0; i < ARRAY_SIZE(roles); i++) {
		unsigned int role = roles[i];

		while (b->kicked[role] && !b->busy) {
			b->job.role = role;
			if (virtio_pop(&b->v, balloon_queue(b, role), &b->job.c))
				balloon_start(b);
			else
				b->kicked[role] = false;
		}
	}
}

static void balloon_done(struct work *w)
{
	struct balloon_job *j = container_of(w, struct balloon_job, work);
	struct balloon *b = container_of(j, struct balloon, job);

	b->busy = false;
	b->v.dev->io.written_bytes += j->released;
	if (!b->v.active)
		return;
	if (j->lie) {
		virtio_broken(&b->v, j->lie);
		return;
	}
	balloon_give_back(b, j->role, j->c.head);
	balloon_next(b);
}

static void balloon_deflate(struct balloon *b)
{
	while (virtio_pop(&b->v, balloon_queue(b, BALLOON_DEFLATE), &b->c))
		balloon_give_back(b, BALLOON_DEFLATE, b->c.head);
}

bool balloon_ask(struct virtio_dev *v, struct balloon_asker *a)
{
	struct balloon *b = balloon_of(v);

	if (!v->active || v->resting || !balloon_has(b, VIRTIO_BALLOON_F_STATS_VQ))
		return false;
	balloon_stats_ask(&b->stats, v, balloon_queue(b, BALLOON_STATISTICS), a);
	return true;
}

const struct balloon_stats *balloon_last_stats(const struct virtio_dev *v)
{
	return &container_of(v, const struct balloon, v)->stats.last;
}

void balloon_resize(struct virtio_dev *v, uint64_t bytes)
{
	struct balloon *b = balloon_of(v);

	b->truth.num_pages = htole32((uint32_t)(bytes / BALLOON_PAGE));
	b->config = b->truth;
	virtio_config_changed(v);
}

void balloon_size(const struct virtio_dev *v, uint64_t *asked, uint64_t *given)
{
	const struct balloon *b = container_of(v, const struct balloon, v);

	*asked = le32toh(b->truth.num_pages) * BALLOON_PAGE;
	*given = le32toh(b->truth.actual) * BALLOON_PAGE;
}

static void balloon_kick(struct virtio_dev *v, unsigned int qi)
{
	struct balloon *b = balloon_of(v);

	unsigned int role = balloon_role(b, qi);

	switch (role) {
	case BALLOON_INFLATE:
	case BALLOON_REPORTING:
		b->kicked[role] = true;
		balloon_next(b);
		break;
	case BALLOON_DEFLATE:
		balloon_deflate(b);
		break;
	case BALLOON_STATISTICS:
		balloon_stats_hear(&b->stats, v, balloon_queue(b, role));
		break;
	default:
		break;
	}
}

/* Linux fills the statistics queue before the device is active: that kick has no effect. */
static int balloon_activate(struct virtio_dev *v)
{
	struct balloon *b = balloon_of(v);

	if (balloon_has(b, VIRTIO_BALLOON_F_STATS_VQ))
		balloon_stats_hear(&b->stats, v, balloon_queue(b, BALLOON_STATISTICS));
	return 0;
}

/* The driver writes two fields of the configuration: how much is in the balloon, and its pattern.
 */
static void balloon_config_written(struct virtio_dev *v, unsigned int off,
				   unsigned int len)
{
	struct balloon *b = balloon_of(v);

	(void)off;
	(void)len;
	b->truth.actual = b->config.actual;
	b->truth.poison_val = b->config.poison_val;
	b->config = b->truth;
}

static void balloon_reset(struct virtio_dev *v)
{
	struct balloon *b = balloon_of(v);

	b->job.stop = true;
	work_drain(v->env->pool, v->dev);
	b->job.stop = false;
	for (unsigned int role = 0; role < BALLOON_QUEUES; role++)
		b->kicked[role] = false;
	b->stats.asker = NULL;
	b->stats.heard = false;
	b->truth.actual = b->truth.poison_val = 0;
	b->config = b->truth;
}

/* A worker finishes the present chain; no other follows */
static bool balloon_rest(struct virtio_dev *v)
{
	return !balloon_of(v)->busy;
}

/* The size that its driver knows */
static void balloon_state(struct virtio_dev *v, struct state *s)
{
	struct balloon *b = balloon_of(v);
	struct virtio_balloon_config c = b->truth;
	bool heard = b->stats.heard;

	state_u32(s, &c.num_pages);
	state_u32(s, &c.actual);
	state_u32(s, &c.poison_val);
	state_bool(s, &heard);
	if (!state_loaded(s))
		return;
	b->truth = b->config = c;
	if (!v->active || !heard)
		return;
	/* activate() has taken them for new */
	b->stats.last = (struct balloon_stats){0};
	balloon_stats_known(&b->stats, balloon_queue(b, BALLOON_STATISTICS));
}

static void balloon_destroy(struct virtio_dev *v)
{
	free(balloon_of(v));
}

static const struct virtio_ops balloon_ops = {
	.arm = virtio_nop_arm,
	.activate = balloon_activate,
	.kick = balloon_kick,
	.config_written = balloon_config_written,
	.reset = balloon_reset,
	.rest = balloon_rest,
	.wake = virtio_nop_wake,
	.state = balloon_state,
	.destroy = balloon_destroy,
};

/* With reporting comes the pattern: a guest that fills its free pages would not report them
 * otherwise, and they come back as zero, the usual pattern.
 */
static uint64_t balloon_offer(const struct config_balloon *c, bool reporting)
{
	uint64_t f = 1ULL << VIRTIO_BALLOON_F_STATS_VQ;

	if (c->deflate_on_oom)
		f |= 1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
	if (reporting)
		f |= 1ULL << VIRTIO_BALLOON_F_REPORTING |
		     1ULL << VIRTIO_BALLOON_F_PAGE_POISON;
	return f;
}

struct virtio_dev *balloon_create(const struct virtio_env *env, unsigned int i,
				  struct err *e)
{
	const struct config_balloon *c = &env->cfg->balloon;
	struct balloon *b = calloc(1, sizeof(*b));
	/* reported pages would stay (gmem_release()), so the guest need not search for them */
	bool reporting = c->reporting && !env->mem->hugepages;

	(void)i;
	if (!b) {
		err_set(e, ENOMEM, "balloon0: the host is out of memory");
		return NULL;
	}
	b->truth.num_pages = htole32((uint32_t)(c->size / BALLOON_PAGE));
	b->config = b->truth;
	b->job.mem = env->mem;
	b->job.work.run = balloon_run;
	b->job.work.done = balloon_done;
	b->v = (struct virtio_dev){
		.ops = &balloon_ops,
		.name = "balloon0",
		.id = VIRTIO_ID_BALLOON,
		.offered = balloon_offer(c, reporting),
		.vq = b->vq,
		.nvq = reporting ? BALLOON_QUEUES : BALLOON_REPORTING,
		.config = &b->config,
		.config_len = sizeof(b->config),
		.config_writable = sizeof(b->config),
		.env = env,
	};
	for (unsigned int qi = 0; qi < b->v.nvq; qi++)
		virtq_init(&b->vq[qi], BALLOON_QUEUE);
	if (env->mem->hugepages)
		log_warn(
			"--balloon: with hugepages=on nothing goes back to the host, for its "
			"pool would give the pages to others; leave out one of the two");
	return &b->v;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_peer_check - what the back end is told, held against the protocol's document: every
 * field of every message, and whether it fits what was told before.
 */
#include "tests/lib/vhost_peer.h"

#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define ANY_SIZE UINT32_MAX /* it depends on the content, and is checked with that */
#define NO_BIT   64

/* Each message that may come at all: its payload, its descriptors, and what must have been
 * agreed on before
 */
static const struct {
	uint32_t request, size;
	unsigned int nfd, needs;
} messages[] = {
	{VU_GET_FEATURES, 0, 0, NO_BIT},
	{VU_SET_FEATURES, 8, 0, NO_BIT},
	{VU_SET_OWNER, 0, 0, NO_BIT},
	{VU_SET_MEM_TABLE, ANY_SIZE, 0, NO_BIT},
	{VU_SET_VRING_NUM, 8, 0, NO_BIT},
	{VU_SET_VRING_ADDR, 40, 0, NO_BIT},
	{VU_SET_VRING_BASE, 8, 0, NO_BIT},
	{VU_GET_VRING_BASE, 8, 0, NO_BIT},
	{VU_SET_VRING_KICK, 8, 1, NO_BIT},
	{VU_SET_VRING_CALL, 8, 1, NO_BIT},
	{VU_GET_PROTOCOL_FEATURES, 0, 0, NO_BIT},
	{VU_SET_PROTOCOL_FEATURES, 8, 0, NO_BIT},
	{VU_GET_QUEUE_NUM, 0, 0, VHOST_USER_P_MQ},
	{VU_SET_VRING_ENABLE, 8, 0, NO_BIT},
	{VU_GET_CONFIG, ANY_SIZE, 0, VHOST_USER_P_CONFIG},
	{VU_GET_INFLIGHT_FD, 24, 0, VHOST_USER_P_INFLIGHT},
	{VU_SET_INFLIGHT_FD, 24, 1, VHOST_USER_P_INFLIGHT},
};

static const char *check_envelope(const struct peer *p, const struct vu_msg *m)
{
	unsigned int i = 0;

	while (i < ARRAY_SIZE(messages) && messages[i].request != m->h.request)
		i++;
	if (i == ARRAY_SIZE(messages))
		return "a message that nobody knows";
	if (messages[i].size != ANY_SIZE && m->h.size != messages[i].size)
		return "a payload of another size";
	if (m->h.request != VU_SET_MEM_TABLE && m->nfd != messages[i].nfd)
		return "too many descriptors, or too few";
	if (messages[i].needs != NO_BIT && !(p->agreed & 1ULL << messages[i].needs))
		return "a message that was not agreed on";
	if ((m->h.flags & ~VU_NEED_REPLY) != VU_VERSION)
		return "flags of another version, or of a reply";
	if ((m->h.flags & VU_NEED_REPLY) && !(p->agreed & 1ULL << VHOST_USER_P_REPLY_ACK))
		return "an acknowledgement is wanted, and was not agreed on";
	return NULL;
}

static const char *check_table(const struct vu_msg *m)
{
	const struct vu_mem_table *t = &m->p.mem;

	if (!t->n || t->n > GMEM_REGIONS_MAX || t->padding || m->nfd != t->n ||
	    m->h.size !=
		    offsetof(struct vu_mem_table, region) + t->n * sizeof(t->region[0]))
		return "a table of memory of an impossible length";
	for (unsigned int i = 0; i < t->n; i++) {
		const struct vu_mem_region *r = &t->region[i];
		struct stat st;

		if (!r->user || !r->size || r->gpa + r->size < r->gpa ||
		    r->user + r->size < r->user)
			return "a region that wraps, or is at 0";
		if (fstat(m->fd[i], &st) < 0 ||
		    (uint64_t)st.st_size < r->offset + r->size)
			return "a region that is longer than its file";
		for (unsigned int k = 0; k < i; k++)
			if ((r->gpa < t->region[k].gpa + t->region[k].size &&
			     t->region[k].gpa < r->gpa + r->size) ||
			    (r->user < t->region[k].user + t->region[k].size &&
			     t->region[k].user < r->user + r->size))
				return "regions that overlap";
	}
	return NULL;
}

/* Is it in one region, whole? */
static bool is_inside(const struct peer *p, uint64_t user, uint64_t len)
{
	for (unsigned int i = 0; i < p->nmem; i++)
		if (user >= p->mem[i].user && len <= p->mem[i].size &&
		    user - p->mem[i].user <= p->mem[i].size - len)
			return true;
	return false;
}

static const char *check_addr(const struct peer *p, const struct vu_vring_addr *a)
{
	uint64_t n = p->ring[a->index].size;

	if (a->flags || a->log)
		return "a log of what is written, which we have not";
	if (a->desc % 16 || a->avail % 2 || a->used % 4)
		return "a ring that is not aligned";
	if (!n || !is_inside(p, a->desc, 16 * n) || !is_inside(p, a->avail, 6 + 2 * n) ||
	    !is_inside(p, a->used, 6 + 8 * n))
		return "a ring that reaches out of its region";
	return NULL;
}

/* What is about a queue: m->p begins with its index in each */
static const char *check_queue(const struct peer *p, const struct vu_msg *m)
{
	uint32_t i = m->p.state.index, num = m->p.state.num;

	if (i >= p->queues || i >= PEER_QUEUES)
		return "a queue that the back end does not have";
	switch (m->h.request) {
	case VU_SET_VRING_NUM:
		if (!num || num > PEER_RING_MAX || (num & (num - 1)))
			return "a ring of an impossible size";
		if ((p->agreed & 1ULL << VHOST_USER_P_INFLIGHT) && p->notes.nqueue &&
		    (i >= p->notes.nqueue || num > p->notes.queue_size))
			return "a ring that the notes have no room for";
		return NULL;
	case VU_SET_VRING_ADDR:
		return check_addr(p, &m->p.addr);
	case VU_SET_VRING_BASE:
		return num > UINT16_MAX ? "a base of more than 16 bits" : NULL;
	case VU_SET_VRING_ENABLE:
		return num > 1 ? "neither on nor off" : NULL;
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
		return num ? "a descriptor for no queue" : NULL;
	default:
		return NULL;
	}
}

static const char *check_notes(const struct peer *p, const struct vu_msg *m)
{
	const struct vu_inflight *n = &m->p.inflight;

	if (!n->nqueue || n->nqueue > p->queues || !n->queue_size ||
	    n->queue_size > PEER_RING_MAX)
		return "notes on an impossible number of requests";
	if (m->h.request == VU_GET_INFLIGHT_FD)
		return n->size || n->offset ? "notes that are somewhere already" : NULL;
	if (n->size != p->notes.size || n->offset != p->notes.offset ||
	    n->nqueue != p->notes.nqueue || n->queue_size != p->notes.queue_size)
		return "notes that are not those which were given out";
	return NULL;
}

static const char *check_content(const struct peer *p, const struct vu_msg *m)
{
	switch (m->h.request) {
	case VU_SET_FEATURES:
		return m->p.u64 & ~p->features ? "features that were not offered" : NULL;
	case VU_SET_PROTOCOL_FEATURES:
		return m->p.u64 & ~p->protocol ? "protocol features that were not offered"
					       : NULL;
	case VU_SET_MEM_TABLE:
		return check_table(m);
	case VU_GET_CONFIG:
		if (m->p.config.size > VHOST_USER_CONFIG_MAX || m->p.config.offset ||
		    m->p.config.flags ||
		    m->h.size != offsetof(struct vu_config, bytes) + m->p.config.size)
			return "a question about an impossible configuration";
		return NULL;
	case VU_GET_INFLIGHT_FD:
	case VU_SET_INFLIGHT_FD:
		return check_notes(p, m);
	case VU_SET_VRING_NUM:
	case VU_SET_VRING_ADDR:
	case VU_SET_VRING_BASE:
	case VU_GET_VRING_BASE:
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ENABLE:
		return check_queue(p, m);
	default:
		return NULL;
	}
}

void peer_check(struct peer *p, const struct vu_msg *m)
{
	const char *wrong = check_envelope(p, m);

	if (!wrong)
		wrong = check_content(p, m);
	if (wrong && !p->wrong) {
		p->wrong = wrong;
		p->wrong_at = m->h.request;
	}
	if (m->h.request == VU_SET_PROTOCOL_FEATURES)
		p->agreed = m->p.u64;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user - greet a back end, negotiate features, start and stop its rings.
 *
 * Addresses of rings are "user addresses" of the front end, which the back end looks up in the
 * table of regions. Ours would reveal where we have our memory, and any will do: it gets the
 * guest's, moved up, since some back ends take 0 for "no address".
 */
#include "devices/backend/vhost_user.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/vhost_user_msg.h"
#include "vmm/core/util.h"

#define VU_USER_BASE (UINT64_C(1) << 46)
#define VU_F_EXTENDED \
	(UINT64_C(1) << 30) /* of a device's features: supports protocol features */
#define VU_RING_MESSAGES 5
#define VU_P(bit)        (UINT64_C(1) << (bit))
#define VU_PROTOCOL_WANTED                                      \
	(VU_P(VHOST_USER_P_MQ) | VU_P(VHOST_USER_P_REPLY_ACK) | \
	 VU_P(VHOST_USER_P_CONFIG) | VU_P(VHOST_USER_P_INFLIGHT))

/* ---- the kinds of exchange ---- */

/* A request that has no answer, but with @ack is acknowledged if the back end can */
static int vu_tell(struct vhost_user *u, struct vu_msg *m, uint32_t request, size_t size,
		   bool ack)
{
	int rc;

	ack = ack && vhost_user_has(u, VHOST_USER_P_REPLY_ACK);
	m->h.request = request;
	m->h.size = (uint32_t)size;
	rc = vu_send(u, m, ack ? VU_NEED_REPLY : 0, u->deadline);
	if (rc < 0 || !ack)
		return rc;
	rc = vu_receive(u, m, sizeof(m->p.u64), 0, u->deadline);
	if (rc == 0 && m->p.u64 != 0)
		rc = vu_fail(u, EPROTO, "it refuses what it offered");
	return rc;
}

static int vu_tell_u64(struct vhost_user *u, uint32_t request, uint64_t val)
{
	struct vu_msg m = {.p.u64 = val};

	return vu_tell(u, &m, request, sizeof(m.p.u64), false);
}

static int vu_tell_ring(struct vhost_user *u, uint32_t request, unsigned int index,
			unsigned int num, bool ack)
{
	struct vu_msg m = {.p.state = {.index = index, .num = num}};

	return vu_tell(u, &m, request, sizeof(m.p.state), ack);
}

static int vu_tell_fd(struct vhost_user *u, uint32_t request, unsigned int index, int fd)
{
	struct vu_msg m = {.p.u64 = index, .fd = {fd}, .nfd = 1};

	return vu_tell(u, &m, request, sizeof(m.p.u64), false);
}

static int vu_ask_u64(struct vhost_user *u, uint32_t request, uint64_t *val)
{
	struct vu_msg m = {.h.request = request};
	int rc = vu_send(u, &m, 0, u->deadline);

	if (rc == 0)
		rc = vu_receive(u, &m, sizeof(m.p.u64), 0, u->deadline);
	*val = m.p.u64;
	return rc;
}

/* ---- the greeting ---- */

static int vu_protocol(struct vhost_user *u)
{
	uint64_t offered, queues;
	int rc = vu_ask_u64(u, VU_GET_PROTOCOL_FEATURES, &offered);

	if (rc < 0)
		return rc;
	rc = vu_tell_u64(u, VU_SET_PROTOCOL_FEATURES, offered & VU_PROTOCOL_WANTED);
	if (rc < 0)
		return rc;
	u->protocol = offered & VU_PROTOCOL_WANTED;
	if (!vhost_user_has(u, VHOST_USER_P_MQ))
		return 0;
	rc = vu_ask_u64(u, VU_GET_QUEUE_NUM, &queues);
	u->queues = (unsigned int)MIN(queues, UINT_MAX);
	return rc;
}

int vhost_user_open(struct vhost_user *u, int fd, unsigned int ms)
{
	struct vu_msg owner = {0};
	uint64_t offered;
	int rc;

	*u = (struct vhost_user){
		.fd = fd, .queues = UINT_MAX, .deadline = vu_deadline(ms)};
	rc = vu_ask_u64(u, VU_GET_FEATURES, &offered);
	if (rc < 0)
		return rc;
	u->features = offered & ~VU_F_EXTENDED;
	u->extended = offered & VU_F_EXTENDED;
	if (u->extended)
		rc = vu_protocol(u);
	return rc < 0 ? rc : vu_tell(u, &owner, VU_SET_OWNER, 0, false);
}

void vhost_user_close(struct vhost_user *u)
{
	cleanup_close_fd(&u->fd);
	u->fd = -1;
}

int vhost_user_config(struct vhost_user *u, void *config, size_t len)
{
	struct vu_msg m = {.h = {.request = VU_GET_CONFIG},
			   .p.config.size = (uint32_t)len};
	size_t size = offsetof(struct vu_config, bytes) + len;
	int rc;

	BUG_ON(len > VHOST_USER_CONFIG_MAX);
	u->deadline = vu_deadline(VHOST_USER_WAIT_MS);
	if (!vhost_user_has(u, VHOST_USER_P_CONFIG))
		return vu_fail(u, EPROTO, "it does not tell the device's configuration");
	m.h.size = (uint32_t)size;
	rc = vu_send(u, &m, 0, u->deadline);
	if (rc == 0)
		rc = vu_receive(u, &m, 0, 0, u->deadline);
	if (rc == 0 && (m.h.size != size || m.p.config.offset || m.p.config.size != len))
		rc = vu_fail(u, EPROTO, "it does not tell the device's configuration");
	if (rc == 0)
		memcpy(config, m.p.config.bytes, len);
	return rc;
}

/* ---- the rings ---- */

static int vu_memory(struct vhost_user *u, const struct gmem *mem)
{
	struct vu_msg m = {.p.mem.n = mem->n};

	_Static_assert(GMEM_REGIONS_MAX <= VU_FDS_MAX, "the protocol's limit");
	for (unsigned int i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];

		BUG_ON(r->fd < 0);
		m.p.mem.region[i] = (struct vu_mem_region){
			.gpa = r->gpa, .size = r->len, .user = VU_USER_BASE + r->gpa};
		m.fd[m.nfd++] = r->fd;
	}
	return vu_tell(u, &m, VU_SET_MEM_TABLE,
		       offsetof(struct vu_mem_table, region) +
			       mem->n * sizeof(m.p.mem.region[0]),
		       true);
}

/* Message @k of VU_RING_MESSAGES, which give the process a ring */
static int vu_ring(struct vhost_user *u, const struct vhost_ring *r, unsigned int k)
{
	struct vu_msg m = {.p.addr = {.index = r->index,
				      .desc = VU_USER_BASE + r->desc,
				      .used = VU_USER_BASE + r->used,
				      .avail = VU_USER_BASE + r->avail}};

	switch (k) {
	case 0:
		return vu_tell_ring(u, VU_SET_VRING_NUM, r->index, r->size, false);
	case 1:
		return vu_tell_ring(u, VU_SET_VRING_BASE, r->index, r->base, false);
	case 2:
		return vu_tell(u, &m, VU_SET_VRING_ADDR, sizeof(m.p.addr), false);
	case 3:
		return vu_tell_fd(u, VU_SET_VRING_CALL, r->index, r->call);
	default:
		return vu_tell_fd(u, VU_SET_VRING_KICK, r->index, r->kick);
	}
}

static void vu_inflight_forget(struct vhost_user_inflight *in)
{
	cleanup_close_fd(&in->fd);
	in->fd = -1;
}

static int vu_inflight_get(struct vhost_user *u, struct vhost_user_inflight *in)
{
	struct vu_msg m = {
		.h = {.request = VU_GET_INFLIGHT_FD, .size = sizeof(m.p.inflight)},
		.p.inflight = {.nqueue = in->nqueue, .queue_size = in->queue_size}};
	int rc = vu_send(u, &m, 0, u->deadline);

	if (rc == 0)
		rc = vu_receive(u, &m, sizeof(m.p.inflight), 1, u->deadline);
	if (rc < 0)
		return rc;
	if (!m.nfd || !m.p.inflight.size) /* it withdrew its offer */
		rc = vu_fail(u, EPROTO, "it keeps no notes on requests in flight");
	in->fd = m.nfd ? m.fd[0] : -1;
	in->size = m.p.inflight.size;
	in->offset = m.p.inflight.offset;
	if (rc < 0)
		vu_inflight_forget(in);
	return rc;
}

static int vu_inflight(struct vhost_user *u, struct vhost_user_inflight *in)
{
	struct vu_msg m = {0};
	int rc = 0;

	if (!in || !vhost_user_has(u, VHOST_USER_P_INFLIGHT))
		return 0;
	if (in->fd < 0)
		rc = vu_inflight_get(u, in);
	if (rc < 0)
		return rc;
	m.p.inflight = (struct vu_inflight){.size = in->size,
					    .offset = in->offset,
					    .nqueue = in->nqueue,
					    .queue_size = in->queue_size};
	m.fd[m.nfd++] = in->fd;
	return vu_tell(u, &m, VU_SET_INFLIGHT_FD, sizeof(m.p.inflight), false);
}

int vhost_user_start(struct vhost_user *u, uint64_t features, const struct gmem *mem,
		     const struct vhost_ring *ring, unsigned int n,
		     struct vhost_user_inflight *in)
{
	int rc;

	u->deadline = vu_deadline(VHOST_USER_WAIT_MS);
	rc = vu_tell_u64(u, VU_SET_FEATURES,
			 features | (u->extended ? VU_F_EXTENDED : 0));
	if (rc == 0)
		rc = vu_memory(u, mem);
	if (rc == 0 && n)
		rc = vu_inflight(u, in);
	for (unsigned int i = 0; rc == 0 && i < n * VU_RING_MESSAGES; i++)
		rc = vu_ring(u, &ring[i / VU_RING_MESSAGES], i % VU_RING_MESSAGES);
	/* the last message, so that its acknowledgement covers all */
	for (unsigned int i = 0; rc == 0 && u->extended && i < n; i++)
		rc = vu_tell_ring(u, VU_SET_VRING_ENABLE, ring[i].index, 1, i == n - 1);
	return rc;
}

int vhost_user_go_on(struct vhost_user *u, const struct vhost_ring *ring, unsigned int n,
		     unsigned int *told)
{
	unsigned int enable = n * VU_RING_MESSAGES, all = enable + (u->extended ? n : 0);
	int rc = 0;

	u->deadline = 0;
	for (; rc == 0 && *told < all; *told += rc == 0) {
		unsigned int i = *told;

		if (i < enable)
			rc = vu_ring(u, &ring[i / VU_RING_MESSAGES],
				     i % VU_RING_MESSAGES);
		else
			rc = vu_tell_ring(u, VU_SET_VRING_ENABLE, ring[i - enable].index,
					  1, false);
	}
	return rc == -EAGAIN ? 1 : rc;
}

/* ---- the end ---- */

static int vu_ask_base(struct vhost_user *u, const struct vhost_ring *r)
{
	struct vu_msg m = {.h = {.request = VU_GET_VRING_BASE, .size = sizeof(m.p.state)},
			   .p.state.index = r->index};

	return vu_send(u, &m, 0, u->deadline);
}

static int vu_hear_base(struct vhost_user *u, struct vhost_ring *r)
{
	struct vu_msg m = {.h.request = VU_GET_VRING_BASE};
	int rc = vu_receive(u, &m, sizeof(m.p.state), 0, u->deadline);

	if (rc == 0 && m.p.state.index != r->index)
		rc = vu_fail(u, EPROTO, "it stops another queue than it should");
	if (rc == 0)
		r->base = (uint16_t)m.p.state.num;
	return rc;
}

int vhost_user_stop(struct vhost_user *u, struct vhost_ring *ring, unsigned int n)
{
	int rc = 0;

	u->deadline = vu_deadline(VHOST_USER_WAIT_MS);
	for (unsigned int i = 0; rc == 0 && i < n; i++) {
		rc = vu_ask_base(u, &ring[i]);
		if (rc == 0)
			rc = vu_hear_base(u, &ring[i]);
	}
	return rc;
}

int vhost_user_ask_to_stop(struct vhost_user *u, const struct vhost_ring *ring,
			   unsigned int n, unsigned int *told, bool wait)
{
	int rc = 0;

	u->deadline = wait ? vu_deadline(VHOST_USER_WAIT_MS) : 0;
	for (; rc == 0 && *told < n; *told += rc == 0)
		rc = vu_ask_base(u, &ring[*told]);
	return rc == -EAGAIN ? 1 : rc;
}

int vhost_user_stopped(struct vhost_user *u, struct vhost_ring *ring, bool wait)
{
	u->deadline = wait ? vu_deadline(VHOST_USER_WAIT_MS) : 0;
	if (!wait) {
		int rc = vu_is_there(u, sizeof(struct vu_vring_state));

		if (rc != 0)
			return rc;
	}
	return vu_hear_base(u, ring);
}

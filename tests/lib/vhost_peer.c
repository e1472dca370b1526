/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_peer - a vhost-user back end in a thread. */
#include "tests/lib/vhost_peer.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define PEER_EXTENDED     (1ULL << 30)
#define PEER_INFLIGHT_LEN 4096
#define PEER_LATE_US      50000

void peer_init(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	p->features = PEER_EXTENDED | 1ULL << VIRTIO_F_VERSION_1;
	p->protocol = 1ULL << VHOST_USER_P_MQ | 1ULL << VHOST_USER_P_REPLY_ACK |
		      1ULL << VHOST_USER_P_CONFIG;
	p->queues = PEER_QUEUES;
	p->fd = p->listener = -1;
	for (unsigned int i = 0; i < PEER_QUEUES; i++)
		p->ring[i].kick = p->ring[i].call = -1;
}

/* ---- memory and rings ---- */

static void peer_unmap(struct peer *p)
{
	for (unsigned int i = 0; i < p->nmem; i++)
		munmap(p->map[i], p->mem[i].size);
	p->nmem = 0;
}

static void peer_map(struct peer *p, const struct vu_msg *m)
{
	peer_unmap(p);
	memcpy(p->told_mem, m->p.mem.region, sizeof(p->told_mem));
	p->told_n = m->p.mem.n;
	for (unsigned int i = 0; i < m->p.mem.n; i++) {
		p->mem[i] = m->p.mem.region[i];
		p->map[i] = mmap(NULL, p->mem[i].size, PROT_READ | PROT_WRITE, MAP_SHARED,
				 m->fd[i], (off_t)p->mem[i].offset);
		BUG_ON(p->map[i] == MAP_FAILED);
		p->nmem++;
	}
}

static void *peer_at(struct peer *p, uint64_t addr, bool user)
{
	for (unsigned int i = 0; i < p->nmem; i++) {
		uint64_t start = user ? p->mem[i].user : p->mem[i].gpa;

		if (addr - start < p->mem[i].size)
			return p->map[i] + (addr - start);
	}
	bug("an address outside of the table", __FILE__, __LINE__);
}

/* One chain: what it reads goes into what it may write, byte for byte. */
static uint32_t peer_echo(struct peer *p, struct vring_desc *table, uint16_t head)
{
	uint8_t buf[4096];
	uint32_t have = 0, done = 0;
	uint16_t i = head;

	for (;;) {
		uint8_t *at = peer_at(p, table[i].addr, false);

		if (table[i].flags & VRING_DESC_F_WRITE) {
			uint32_t n = MIN(have - done, table[i].len);

			memcpy(at, buf + done, n);
			done += n;
		} else {
			BUG_ON(have + table[i].len > sizeof(buf));
			memcpy(buf + have, at, table[i].len);
			have += table[i].len;
		}
		if (!(table[i].flags & VRING_DESC_F_NEXT))
			return done;
		i = table[i].next;
	}
}

static void peer_serve(struct peer *p, struct peer_ring *r)
{
	struct vring_desc *desc = peer_at(p, r->desc, true);
	struct vring_avail *avail = peer_at(p, r->avail, true);
	struct vring_used *used = peer_at(p, r->used, true);
	bool any = false;

	while (r->next != shared_load16(&avail->idx)) {
		uint16_t head = avail->ring[r->next++ % r->size];
		uint16_t slot = used->idx % r->size;

		used->ring[slot].id = head;
		used->ring[slot].len = peer_echo(p, desc, head);
		shared_store16(&used->idx, (uint16_t)(used->idx + 1));
		p->echoed++;
		any = true;
	}
	if (any)
		(void)eventfd_write(r->call, 1);
}

/* It has taken everything.  Return: the next it would take */
static uint16_t peer_take(struct peer *p, struct peer_ring *r)
{
	struct vring_avail *avail = peer_at(p, r->avail, true);

	return p->lags ? shared_load16(&avail->idx) : r->next;
}

/* ---- messages ---- */

static void peer_drop(struct vu_msg *m)
{
	while (m->nfd)
		close(m->fd[--m->nfd]);
}

static void peer_answer(struct peer *p, struct vu_msg *m, size_t size)
{
	char huge[16 * VU_PAYLOAD_MAX] = {0};
	struct vhost_user u = {.fd = p->fd};
	uint32_t flags = VU_REPLY;
	const enum peer_lie lie = p->lie;

	m->h.size = (uint32_t)size;
	if (lie == PEER_SLOW)
		(void)poll(&(struct pollfd){.fd = p->stop, .events = POLLIN}, 1, 2000);
	if (lie == PEER_HONEST || lie == PEER_SLOW || m->h.request != p->at) {
		(void)vu_send(&u, m, flags, vu_deadline(VHOST_USER_WAIT_MS));
		return;
	}
	switch (lie) {
	case PEER_OTHER:
		m->h.request++;
		break;
	case PEER_NO_REPLY_BIT:
		flags = 0;
		break;
	case PEER_VERSION:
		flags |= 2;
		break;
	case PEER_SHORT:
		m->h.size--;
		break;
	case PEER_FDS:
		m->nfd = 2;
		m->fd[0] = dup(p->stop);
		m->fd[1] = dup(p->stop);
		break;
	case PEER_BAD_DATA:
		memset(&m->p, 0xee, size);
		break;
	case PEER_NACKS:
		m->p.u64 = 1;
		break;
	case PEER_HUGE:
		memcpy(huge,
		       &(struct vu_header){m->h.request, VU_VERSION | VU_REPLY,
					   sizeof(huge) - sizeof(m->h)},
		       sizeof(m->h));
		(void)!send(p->fd, huge, sizeof(huge), MSG_NOSIGNAL);
		return;
	case PEER_HALF:
		m->h.flags = VU_VERSION | VU_REPLY;
		(void)!send(p->fd, m, sizeof(m->h) + size / 2, MSG_NOSIGNAL);
		(void)shutdown(p->fd, SHUT_RDWR);
		return;
	case PEER_HONEST:
	case PEER_DIES:
	case PEER_SLOW:
	default:
		return;
	}
	(void)vu_send(&u, m, flags, vu_deadline(VHOST_USER_WAIT_MS));
}

static void peer_inflight(struct peer *p, struct vu_msg *m)
{
	int fd = memfd_create("inflight", MFD_CLOEXEC);
	struct stat st;

	BUG_ON(fd < 0 || ftruncate(fd, PEER_INFLIGHT_LEN) < 0 || fstat(fd, &st) < 0);
	p->inflight_id = st.st_ino;
	m->p.inflight.size = PEER_INFLIGHT_LEN;
	p->notes = m->p.inflight;
	p->asked_nqueue = p->notes.nqueue;
	p->asked_size = p->notes.queue_size;
	m->fd[0] = fd;
	m->nfd = 1;
	peer_answer(p, m, sizeof(m->p.inflight));
	if (m->fd[0] != fd) /* a lie put others there */
		close(fd);
}

static void peer_take_fd(int *to, struct vu_msg *m)
{
	cleanup_close_fd(to);
	BUG_ON(m->nfd != 1);
	*to = m->fd[0];
	m->nfd = 0;
}

static void peer_ring_told(struct peer *p, struct vu_msg *m)
{
	struct peer_ring *r = &p->ring[m->p.state.index % PEER_QUEUES];

	switch (m->h.request) {
	case VU_SET_VRING_NUM:
		r->size = (uint16_t)m->p.state.num;
		break;
	case VU_SET_VRING_BASE:
		r->next = (uint16_t)m->p.state.num;
		p->base[m->p.state.index % PEER_QUEUES] = m->p.state.num;
		break;
	case VU_SET_VRING_ADDR:
		r->desc = m->p.addr.desc;
		r->avail = m->p.addr.avail;
		r->used = p->told_used = m->p.addr.used;
		break;
	case VU_SET_VRING_KICK:
		peer_take_fd(&r->kick, m);
		break;
	case VU_SET_VRING_CALL:
		peer_take_fd(&r->call, m);
		break;
	case VU_SET_VRING_ENABLE:
		r->enabled = m->p.state.num;
		p->started += r->enabled;
		break;
	default:
		break;
	}
}

static void peer_told(struct peer *p, struct vu_msg *m)
{
	struct stat st;

	switch (m->h.request) {
	case VU_GET_FEATURES:
		m->p.u64 = p->features;
		break;
	case VU_GET_PROTOCOL_FEATURES:
		m->p.u64 = p->protocol;
		break;
	case VU_GET_QUEUE_NUM:
		m->p.u64 = p->queues;
		break;
	case VU_GET_CONFIG:
		memcpy(m->p.config.bytes, p->config, m->p.config.size);
		peer_answer(p, m, m->h.size);
		return;
	case VU_GET_VRING_BASE:
		p->ring[m->p.state.index % PEER_QUEUES].enabled = false;
		m->p.state.num = peer_take(p, &p->ring[m->p.state.index % PEER_QUEUES]);
		break;
	case VU_GET_INFLIGHT_FD:
		peer_inflight(p, m);
		return;
	case VU_SET_INFLIGHT_FD:
		BUG_ON(m->nfd != 1 || fstat(m->fd[0], &st) < 0);
		p->inflight_set += st.st_ino == p->inflight_id;
		break;
	case VU_SET_FEATURES:
		p->acked = m->p.u64;
		break;
	case VU_SET_MEM_TABLE:
		peer_map(p, m);
		break;
	default:
		peer_ring_told(p, m);
	}
	if (m->h.request == VU_GET_FEATURES || m->h.request == VU_GET_QUEUE_NUM ||
	    m->h.request == VU_GET_PROTOCOL_FEATURES ||
	    m->h.request == VU_GET_VRING_BASE) {
		uint32_t qi = m->p.state.index % PEER_QUEUES;
		bool late = p->lags && m->h.request == VU_GET_VRING_BASE;

		peer_answer(p, m, sizeof(m->p.u64));
		(void)usleep(late ? PEER_LATE_US : 0);
		if (late)
			peer_serve(p, &p->ring[qi]);
	} else if (m->h.flags & VU_NEED_REPLY) {
		m->p.u64 = 0;
		peer_drop(m);
		peer_answer(p, m, sizeof(m->p.u64));
	}
}

/* Return: false, no more */
static bool peer_message(struct peer *p)
{
	struct vu_msg m = {0};
	char control[CMSG_SPACE(sizeof(int) * VU_FDS_MAX)] = {0};
	struct iovec v = {&m.h, sizeof(m.h)};
	struct msghdr mh = {.msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control)};
	struct cmsghdr *c;

	if (recvmsg(p->fd, &mh, MSG_WAITALL) != (ssize_t)sizeof(m.h) ||
	    read_full(p->fd, &m.p, m.h.size) != (long)m.h.size)
		return false;
	c = CMSG_FIRSTHDR(&mh);
	if (c) {
		m.nfd = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m.fd, CMSG_DATA(c), m.nfd * sizeof(int));
	}
	if (p->lie == PEER_DIES && m.h.request == p->at) {
		peer_drop(&m);
		return false;
	}
	peer_check(p, &m);
	peer_told(p, &m);
	peer_drop(&m);
	return true;
}

/* ---- the thread ---- */

static void peer_say(struct peer *p)
{
	struct vhost_user u = {.fd = p->fd};
	struct vu_msg m = {.h = {.request = VU_GET_CONFIG, .size = 8}};

	(void)vu_send(&u, &m, VU_REPLY, vu_deadline(VHOST_USER_WAIT_MS));
}

static void peer_hang_up(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	peer_unmap(p);
	for (unsigned int i = 0; i < PEER_QUEUES; i++) {
		cleanup_close_fd(&p->ring[i].kick);
		cleanup_close_fd(&p->ring[i].call);
		p->ring[i] = (struct peer_ring){.kick = -1, .call = -1};
	}
}

/* Return: false, it is to end */
static bool peer_turn(struct peer *p)
{
	struct pollfd f[2 + PEER_QUEUES] = {{p->stop, POLLIN, 0}, {p->fd, POLLIN, 0}};
	eventfd_t n;

	if (p->fd < 0)
		f[1].fd = p->listener;
	else if (p->deaf)
		f[1].fd = -1;
	for (unsigned int i = 0; i < PEER_QUEUES; i++)
		f[2 + i] = (struct pollfd){p->ring[i].enabled ? p->ring[i].kick : -1,
					   POLLIN, 0};
	(void)poll(f, ARRAY_SIZE(f), p->deaf ? 1 : -1);
	if (f[0].revents)
		return false;
	if (f[1].revents && p->fd < 0) {
		p->fd = accept(p->listener, NULL, NULL);
		p->connections++;
	} else if (f[1].revents && !p->deaf && !peer_message(p)) {
		peer_hang_up(p);
	}
	for (unsigned int i = 0; i < PEER_QUEUES; i++) {
		/* a message of this turn may have stopped it */
		if (!(f[2 + i].revents & POLLIN) || !p->ring[i].enabled)
			continue;
		if (p->dies_kicked) {
			p->dies_kicked = false;
			peer_hang_up(p);
			break;
		}
		(void)eventfd_read(p->ring[i].kick, &n);
		if (p->says_kicked)
			peer_say(p);
		else if (!p->lags)
			peer_serve(p, &p->ring[i]);
	}
	return p->fd >= 0 || p->listener >= 0;
}

static void *peer_thread(void *arg)
{
	struct peer *p = arg;

	while (peer_turn(p))
		;
	peer_hang_up(p);
	return NULL;
}

int peer_run(struct peer *p)
{
	int ends[2] = {-1, -1};

	p->stop = eventfd(0, EFD_CLOEXEC);
	if (p->listener < 0)
		BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0);
	p->fd = ends[1];
	BUG_ON(pthread_create(&p->thread, NULL, peer_thread, p));
	return ends[0];
}

void peer_stop(struct peer *p)
{
	(void)eventfd_write(p->stop, 1);
	pthread_join(p->thread, NULL);
	close(p->stop);
}

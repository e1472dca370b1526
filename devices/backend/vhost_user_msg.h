/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_user_msg - one message of the vhost-user protocol, sent or received whole, by a
 * deadline.  Layouts: the protocol's document, "Message Specification".
 */
#ifndef MICROVM_BACKEND_VHOST_USER_MSG_H
#define MICROVM_BACKEND_VHOST_USER_MSG_H

#include <stdint.h>

#include "devices/backend/vhost_user.h"

#define VU_FDS_MAX     8
#define VU_VERSION     1U
#define VU_REPLY       (1U << 2)
#define VU_NEED_REPLY  (1U << 3)
#define VU_PAYLOAD_MAX 288

enum vu_request {
	VU_GET_FEATURES = 1,
	VU_SET_FEATURES = 2,
	VU_SET_OWNER = 3,
	VU_SET_MEM_TABLE = 5,
	VU_SET_VRING_NUM = 8,
	VU_SET_VRING_ADDR = 9,
	VU_SET_VRING_BASE = 10,
	VU_GET_VRING_BASE = 11,
	VU_SET_VRING_KICK = 12,
	VU_SET_VRING_CALL = 13,
	VU_GET_PROTOCOL_FEATURES = 15,
	VU_SET_PROTOCOL_FEATURES = 16,
	VU_GET_QUEUE_NUM = 17,
	VU_SET_VRING_ENABLE = 18,
	VU_GET_CONFIG = 24,
	VU_GET_INFLIGHT_FD = 31,
	VU_SET_INFLIGHT_FD = 32,
};

struct vu_vring_state {
	uint32_t index, num;
};

struct vu_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct vu_mem_region {
	uint64_t gpa, size, user, offset;
};

struct vu_mem_table {
	uint32_t n, padding;
	struct vu_mem_region region[GMEM_REGIONS_MAX];
};

struct vu_config {
	uint32_t offset, size, flags;
	uint8_t bytes[VHOST_USER_CONFIG_MAX];
};

struct vu_inflight {
	uint64_t size, offset;
	uint16_t nqueue, queue_size;
};

struct vu_header {
	uint32_t request, flags, size;
};

struct vu_msg {
	struct vu_header h; /* h.size bytes of the payload count */
	union {
		uint64_t u64;
		struct vu_vring_state state;
		struct vu_vring_addr addr;
		struct vu_mem_table mem;
		struct vu_config config;
		struct vu_inflight inflight;
		uint8_t bytes[VU_PAYLOAD_MAX];
	} p;
	int fd[VU_FDS_MAX];
	unsigned int nfd;
};

/* vu_send() - m->h.request with h.size bytes of payload and m->fd, which stay ours.  @deadline 0:
 * without a wait; -EAGAIN if the socket is full, and then nothing was sent, since the kernel takes
 * so short a message whole
 */
int vu_send(struct vhost_user *u, struct vu_msg *m, uint32_t flags, uint64_t deadline);
/* vu_receive() - the reply to request @m->h.request into @m, at least @min bytes of it; the
 * caller owns m->fd, of which there are at most @nfd
 */
int vu_receive(struct vhost_user *u, struct vu_msg *m, size_t min, unsigned int nfd,
	       uint64_t deadline);
/* vu_is_there() - has a whole message come, with @size bytes of payload?  vu_receive() then does not
 * wait.  Return: 0; 1, not yet; or -errno
 */
int vu_is_there(struct vhost_user *u, size_t size);
/* vu_deadline() - @ms from now, on monotonic_ns()'s clock */
uint64_t vu_deadline(unsigned int ms);
/* vu_fail() - note @why.  Return: -@code */
int vu_fail(struct vhost_user *u, int code, const char *why);

#endif

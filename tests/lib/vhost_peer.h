/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost_peer - a vhost-user back end in a thread, for unit tests: it echoes each chain's
 * readable bytes into its writable ones, and misbehaves when it is told to.
 */
#ifndef MICROVM_TESTS_VHOST_PEER_H
#define MICROVM_TESTS_VHOST_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/vhost_user_msg.h"

#define PEER_QUEUES   8
#define PEER_RING_MAX 256 /* the largest ring that a device of ours has */

enum peer_lie {
	PEER_HONEST,
	PEER_DIES,         /* instead of an answer */
	PEER_SLOW,         /* every answer comes two seconds late */
	PEER_OTHER,        /* answers another request */
	PEER_NO_REPLY_BIT, /* in the answer */
	PEER_VERSION,
	PEER_SHORT,    /* one byte too few */
	PEER_HUGE,     /* sends more than a reply may hold */
	PEER_FDS,      /* sends descriptors along */
	PEER_HALF,     /* half of an answer, then the end */
	PEER_NACKS,    /* says that it failed */
	PEER_BAD_DATA, /* an answer of the right shape that makes no sense */
};

struct peer {
	/* set before peer_run() */
	uint64_t features, protocol, queues;
	uint8_t config[VHOST_USER_CONFIG_MAX];
	_Atomic(enum peer_lie) lie; /* about @at, a vu_request, every time; any time */
	_Atomic uint32_t at;
	int listener; /* >= 0: accepts from it, again when one hangs up */
	/* at the first kick, before it looks at the ring: dies; says what nobody asked for */
	_Atomic bool dies_kicked, says_kicked;
	_Atomic bool deaf; /* reads no message, and serves */
	_Atomic bool
		lags; /* takes what there is, and serves it when it has been stopped */
	/* what came */
	_Atomic uint64_t acked, started, echoed, connections, inflight_set;
	_Atomic uint64_t base[PEER_QUEUES];
	/* what came, to be looked at after peer_stop() */
	struct vu_mem_region told_mem[GMEM_REGIONS_MAX];
	unsigned int told_n;
	uint64_t told_used;                        /* of the last ring */
	struct vu_inflight notes;                  /* those that it gave out */
	_Atomic uint32_t asked_nqueue, asked_size; /* of @notes */
	/* the first message that breaks the protocol, and how; NULL: none did */
	const char *_Atomic wrong;
	_Atomic uint32_t wrong_at;
	/* its own */
	_Atomic int fd;
	int stop;
	pthread_t thread;
	uint64_t inflight_id; /* of the memory file that it gave out */
	uint64_t agreed;      /* protocol features */
	unsigned int nmem;
	struct vu_mem_region mem[GMEM_REGIONS_MAX];
	uint8_t *map[GMEM_REGIONS_MAX];
	struct peer_ring {
		int kick, call;
		bool enabled;
		uint16_t size, next;
		uint64_t desc, avail, used;
	} ring[PEER_QUEUES];
};

/* peer_check() - note what is wrong with @m, which has just come; vhost_peer.c calls it */
void peer_check(struct peer *p, const struct vu_msg *m);
/* peer_init() - honest, with all features that are worth having */
void peer_init(struct peer *p);
/* peer_run() - on its end of a connection; Return: ours.  With p->listener >= 0: -1 */
int peer_run(struct peer *p);
void peer_stop(struct peer *p); /* it dies, if it has not yet */

#endif

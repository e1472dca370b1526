/* SPDX-License-Identifier: Apache-2.0 */
/* ring_impl - the state of a ring, for ring.c and ring_flow.c. */
#ifndef MICROVM_BACKEND_RING_IMPL_H
#define MICROVM_BACKEND_RING_IMPL_H

#include "devices/backend/ring.h"

struct ring {
	struct loop *loop;
	pthread_mutex_t lock;
	struct io_uring uring;
	bool open;
	struct loop_poller poller;
	struct loop_source source, wake; /* the ring itself; an eventfd; -1 not open */
	struct loop_source again;        /* a timer: submit again */
	uint64_t refused;                /* since when, in ns; 0: all is taken */
	unsigned int nap;                /* ms until the next try */
	struct ring_user *ready;
	uint64_t files;                         /* a bit for each registered one */
	struct ring_user *user[RING_USERS_MAX]; /* the user of each */
	bool starved;                           /* one of the users is */
};

/* All with the ring's lock held */

/* ring_reap() - put what the kernel has finished on its users' lists */
void ring_reap(struct ring *r);
/* ring_take() - take all of @u's, which then leaves the ready list; with u->dev->lock held */
struct ring_op *ring_take(struct ring *r, struct ring_user *u);
/* ring_push() - submit all prepared entries.  Return: did the kernel take all?  If not, a timer
 * tries again, and after ring_sys->patience_ms all that it did not take fails
 */
bool ring_push(struct ring *r);
/* ring_withdraw() - take back what the kernel did not take; @res is the result of each */
void ring_withdraw(struct ring *r, int res);

#endif

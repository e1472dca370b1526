/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_rest - the guest is over, but its requests to the host may not be: a disk on a file
 * system that does not answer keeps a worker, an io_uring, or a vCPU in the disk's reset. We wait
 * for that, but not for ever, and no longer than the operator accepts.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "devices/backend/ring.h"
#include "vmm/core/log.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine_parts.h"

#define REST_YIELDS     50
#define REST_NAP_MIN_NS 20000
#define REST_NAP_MAX_NS 10000000
#define REST_SAY_NS     UINT64_C(2000000000)  /* then tell what we wait for */
#define REST_END_NS     UINT64_C(30000000000) /* and then give up */

static bool rest_reached(struct machine *m)
{
	for (unsigned int i = 0; i < m->nvcpu; i++)
		if (!vcpu_left(&m->vcpu[i]))
			return false;
	return work_pool_stop(m->pool) && ring_idle(m->ring);
}

/* Which device is it? One that is being reset says so; of others we cannot tell. */
static const char *rest_whom(const struct machine *m)
{
	for (unsigned int i = 0; i < m->ndev; i++)
		if (m->dev[i]->waiting)
			return m->dev[i]->name;
	return "a device";
}

/* Did the operator ask for our end once more? */
static bool rest_hurried(const struct machine *m)
{
	bool hurried = false;
	int sig;

	while ((sig = signals_read(m->signals.fd)))
		hurried |= sig == SIGTERM || sig == SIGINT || sig == SIGHUP;
	return hurried;
}

/* A supervisor often sends SIGTERM twice at once. So a signal counts as impatience only after the
 * operator could read what we wait for.
 */
bool machine_rest(struct machine *m)
{
	uint64_t start = monotonic_ns();
	struct timespec nap = {.tv_nsec = REST_NAP_MIN_NS};
	bool said = false;

	/* mostly a matter of a few microseconds, which the shortest nap makes many */
	for (unsigned int i = 0; i < REST_YIELDS && !rest_reached(m); i++)
		(void)sched_yield();
	while (!rest_reached(m)) {
		uint64_t ns = monotonic_ns() - start;

		if (!said && ns >= REST_SAY_NS) {
			(void)rest_hurried(m);
			log_warn("%s still waits for the host; SIGTERM, or another %u "
				 "seconds, ends that",
				 rest_whom(m),
				 (unsigned int)((REST_END_NS - ns) / 1000000000));
			said = true;
		}
		if (ns >= REST_END_NS || (said && rest_hurried(m))) {
			log_error(
				"%s: the host does not answer, and what it was asked for is "
				"given up",
				rest_whom(m));
			return false;
		}
		(void)nanosleep(&nap, NULL);
		nap.tv_nsec = MIN(2 * nap.tv_nsec, REST_NAP_MAX_NS);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_helper - the thread that makes a vCPU's slow accesses. */
#include "vmm/kvm/vcpu_helper.h"

#include <string.h>

#include "vmm/core/thread.h"

void vcpu_helper_init(struct vcpu_helper *h, unsigned int nr)
{
	memset(h, 0, sizeof(*h));
	h->nr = nr;
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->moved, NULL);
}

/* It stays as long as the process does */
static _Noreturn void *vcpu_helper_thread(void *arg)
{
	struct vcpu_helper *h = arg;

	thread_begins(THREAD_HELPER, h->nr);
	pthread_mutex_lock(&h->lock);
	for (;;) {
		if (h->asked) {
			pthread_mutex_unlock(&h->lock);
			bus_write(h->bus, h->addr, h->size, h->val);
			pthread_mutex_lock(&h->lock);
			h->asked = false;
			pthread_cond_broadcast(&h->moved);
		} else {
			pthread_cond_wait(&h->moved, &h->lock);
		}
	}
}

int vcpu_helper_start(struct vcpu_helper *h)
{
	int rc = thread_start(&h->thread, 0, vcpu_helper_thread, h);

	h->started = rc == 0;
	return rc;
}

void vcpu_helper_write(struct vcpu_helper *h, struct bus *b, uint64_t addr,
		       unsigned int size, uint64_t val)
{
	pthread_mutex_lock(&h->lock);
	h->bus = b;
	h->addr = addr;
	h->size = size;
	h->val = val;
	h->asked = true;
	pthread_cond_broadcast(&h->moved);
	while (h->asked)
		pthread_cond_wait(&h->moved, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

void vcpu_helper_fini(struct vcpu_helper *h)
{
	pthread_cond_destroy(&h->moved);
	pthread_mutex_destroy(&h->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * genid - the generation id: 16 bytes that are others in each process that goes on from one saved machine,
 * and a line that says that they changed (Microsoft, "Virtual Machine Generation ID", 2018). Linux makes its
 * random numbers anew then.
 *
 * They lie in a page of ours that is mapped into the guest, which reads them as memory: an arm64 guest
 * with instructions that KVM could not tell us.
 */
#include "devices/legacy/genid.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "vmm/core/util.h"

struct genid {
	struct device dev;
	uint8_t *page; /* GENID_WINDOW bytes */
};

static struct genid *genid_of(struct device *d)
{
	return container_of(d, struct genid, dev);
}

/* Return: was there any? */
static bool genid_renew(struct genid *g)
{
	return getrandom(g->page, GENID_LEN, 0) == GENID_LEN;
}

/* Nothing of it is saved: what a loader gets is another one */
static void genid_state(struct device *d, struct state *s)
{
	state_begin(s, d->name, 1);
	state_end(s);
	if (!state_loading(s) || !state_ok(s))
		return;
	if (genid_renew(genid_of(d)))
		irq_pulse(&d->irq);
	else
		state_fail(s, "this host gives no random bytes");
}

static void genid_destroy(struct device *d)
{
	struct genid *g = genid_of(d);

	if (g->page)
		munmap(g->page, GENID_WINDOW);
	device_fini(d);
	free(g);
}

static const struct device_ops genid_ops = {
	.arm = device_nop_arm,
	.read = device_nop_read,
	.write = device_nop_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = genid_state,
	.destroy = genid_destroy,
};

void *genid_page(struct device *d)
{
	return genid_of(d)->page;
}

struct device *genid_create(uint64_t base, unsigned int gsi)
{
	struct genid *g = calloc(1, sizeof(*g));
	void *page;

	if (!g)
		return NULL;
	device_init(&g->dev, &genid_ops, DEVICE_GENID, "genid", base, GENID_WINDOW);
	page = mmap(NULL, GENID_WINDOW, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	g->page = page == MAP_FAILED ? NULL : page;
	if (!g->page || !genid_renew(g) || irq_init(&g->dev.irq, gsi) < 0) {
		genid_destroy(&g->dev);
		return NULL;
	}
	return &g->dev;
}

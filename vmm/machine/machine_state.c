/* SPDX-License-Identifier: Apache-2.0 */
/* machine_state - all that a machine is besides its memory and its settings, saved and loaded. */
#include <string.h>

#include "devices/legacy/genid.h"
#include "vmm/kvm/kvm_state.h"
#include "vmm/machine/machine_parts.h"

static void state_of_device(struct device *d, struct state *s)
{
	pthread_mutex_lock(&d->lock);
	d->ops->state(d, s);
	pthread_mutex_unlock(&d->lock);
}

/* How its kernel's end is told: what machine_build_boot() and its console would have found out */
static void state_of_ends(struct machine *m, struct state *s)
{
	state_begin(s, "machine", 1);
	state_bool(s, &m->boot.panic_is_warm);
	state_end(s);
}

int machine_add_genid(struct machine *m, uint64_t base, unsigned int gsi, struct err *e)
{
	if (!m->cfg->control && !m->cfg->load)
		return 0;
	m->genid = genid_create(base, gsi);
	return machine_add_device(m, &m->mmio, m->genid, e);
}

int machine_map_genid(struct machine *m, struct err *e)
{
	return m->genid ? kvm_add_file(&m->kvm, m->genid->base, genid_page(m->genid),
				       m->genid->len, true, e)
			: 0;
}

int machine_state_prepare(struct machine *m, struct err *e)
{
	int rc = kvm_state_prepare(&m->kvm);

	return rc < 0 ? err_set(e, -rc, "KVM does not say what has to be saved: %s",
				strerror(-rc))
		      : 0;
}

void machine_state(struct machine *m, struct state *s)
{
	bool kvm = m->kvm.vm_fd >= 0;

	state_of_ends(m, s);
	if (kvm)
		irqchip_state(&m->irqchip, m->vcpu, m->nvcpu, s);
	for (unsigned int i = 0; i < m->nvcpu; i++)
		vcpu_state(&m->vcpu[i], &m->kvm, s);
	for (unsigned int i = 0; i < m->ndev; i++)
		state_of_device(m->dev[i], s);
	if (kvm)
		kvm_clock_state(&m->kvm, s);
	if (state_loading(s)) /* its watchdogs are told, as after a pause */
		m->vcpu_host.pauses++;
}

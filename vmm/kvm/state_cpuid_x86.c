/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_cpuid_x86 - a guest reads at boot what its processor can do, and does not expect that to
 * change: the identification is compared, not loaded.
 */
#include "vmm/kvm/state_x86.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/kvm/cpuid_names_x86.h"
#include "vmm/kvm/cpuid_x86.h"
#include "vmm/kvm/kvm_x86.h"

#define LEAF_TIMING \
	0x40000010u /* rates, which the host's kernel measures anew at each boot */

/* A vCPU's identification, as the state keeps it */
struct state_leaf {
	uint32_t function, index, reg[4];
};

static struct state_leaf state_leaf_of(const struct kvm_cpuid_entry2 *e)
{
	struct state_leaf l = {.function = e->function, .index = e->index};

	if (l.function == LEAF_TIMING)
		return l; /* state_tsc() checks the rate */
	l.reg[0] = e->eax;
	l.reg[1] = e->ebx;
	l.reg[2] = e->ecx;
	l.reg[3] = e->edx;
	return l;
}

static void state_leaf_io(struct state *s, struct state_leaf *l)
{
	state_u32(s, &l->function);
	state_u32(s, &l->index);
	for (unsigned int i = 0; i < ARRAY_SIZE(l->reg); i++)
		state_u32(s, &l->reg[i]);
}

/* A register of features: which does this host lack, and which has it that the other lacked? The guest has
 * found them out and would be wrong either way
 */
static bool state_compare_features(struct state *s, const struct state_leaf *was,
				   const struct state_leaf *here, unsigned int reg)
{
	uint32_t lacks = was->reg[reg] & ~here->reg[reg];
	char names[160];

	if (!cpuid_names(was->function, was->index, reg,
			 lacks ? lacks : here->reg[reg] & ~was->reg[reg], names,
			 sizeof(names)))
		return false;
	state_failf(s,
		    lacks ? "its processor has %s, which this host's lacks; load it on a "
			    "host with the same processor and microvm"
			  : "its processor lacks %s, which this host's has; load it on a "
			    "host with the same processor and microvm",
		    names);
	return true;
}

static void state_compare_leaf(struct state *s, const struct state_leaf *here)
{
	static const char *const name[] = {"EAX", "EBX", "ECX", "EDX"};
	struct state_leaf was = *here;

	state_leaf_io(s, &was);
	if (was.function != here->function || was.index != here->index)
		state_failf(s,
			    "its processor has CPUID leaf 0x%x (index %u) where this "
			    "host's has 0x%x (%u); load it on a host with the same "
			    "processor and microvm",
			    was.function, was.index, here->function, here->index);
	for (unsigned int i = 0; i < ARRAY_SIZE(was.reg); i++)
		if (was.reg[i] != here->reg[i] &&
		    !state_compare_features(s, &was, here, i))
			state_failf(
				s,
				"its processor's CPUID leaf 0x%x (index %u) has %s 0x%x, "
				"this host's 0x%x; load it on a host with the same "
				"processor and microvm",
				was.function, was.index, name[i], was.reg[i],
				here->reg[i]);
}

void state_cpuid(struct vcpu *c, struct kvm *k, struct state *s)
{
	struct err e = {0};
	/* made for the first vCPU, so it cannot fail here */
	struct kvm_cpuid2 *t = kvm_x86_cpuid(k, 1, 0, &e);

	BUG_ON(!t);
	cpuid_set_id(t, c->id);
	state_same_u32(s, t->nent, "CPUID leaves");
	for (uint32_t i = 0; i < t->nent && state_ok(s); i++) {
		struct state_leaf here = state_leaf_of(&t->entries[i]);

		state_compare_leaf(s, &here);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_tell_arm64 - an arm64 processor's registers in words. */
#include "vmm/kvm/vcpu_arch.h"

#include <stdio.h>

#include "vmm/core/util.h"
#include "vmm/kvm/regs_arm64.h"

#define TELL_X      31 /* x0 to x30 */
#define PSTATE_MODE 0xfu
#define PSTATE_EL1H 5u /* the stack is SP_EL1 */

void vcpu_arch_tell(struct vcpu *c, char *buf, size_t len)
{
	static const struct {
		const char *name;
		uint64_t reg;
	} others[] = {{"pc", REG_PC},
		      {"pstate", REG_PSTATE},
		      {"sp_el0", REG_CORE(regs.sp)},
		      {"sp_el1", REG_CORE(sp_el1)},
		      {"elr_el1", REG_CORE(elr_el1)},
		      {"sctlr_el1", REG_SCTLR},
		      {"ttbr0_el1", REG_TTBR0},
		      {"ttbr1_el1", REG_TTBR1}};
	size_t n = 0;
	uint64_t v;

	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(others) && n < len; i++)
		if (regs_get(c->fd, others[i].reg, &v) == 0)
			n += (size_t)snprintf(buf + n, len - n, "%s\"%s\":\"0x%llx\"",
					      n ? "," : "", others[i].name,
					      (unsigned long long)v);
	for (unsigned int i = 0; i < TELL_X && n < len; i++)
		if (regs_get(c->fd, REG_X(i), &v) == 0)
			n += (size_t)snprintf(buf + n, len - n, "%s\"x%u\":\"0x%llx\"",
					      n ? "," : "", i, (unsigned long long)v);
}

int vcpu_arch_translate(const struct vcpu *c, uint64_t va, gpa_t *gpa)
{
	return regs_translate(c->fd, c->host->mem, va, gpa);
}

void vcpu_arch_see(struct vcpu *c, struct vcpu_seen *s)
{
	uint64_t pstate = 0, sp_el0 = 0, sp_el1 = 0;

	s->known = regs_get(c->fd, REG_PSTATE, &pstate) == 0 &&
		   regs_get(c->fd, REG_PC, &s->pc) == 0 &&
		   regs_get(c->fd, REG_CORE(regs.sp), &sp_el0) == 0 &&
		   regs_get(c->fd, REG_CORE(sp_el1), &sp_el1) == 0;
	s->user = (pstate & PSTATE_MODE) == 0;
	s->sp = (pstate & PSTATE_MODE) == PSTATE_EL1H ? sp_el1 : sp_el0;
	if (regs_get(c->fd, REG_VBAR, &s->entry) < 0)
		s->entry = 0;
}

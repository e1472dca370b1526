/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu_see - what a vCPU was at when it left, and its kernel's stack. */
#include "vmm/kvm/vcpu_arch.h"

#include "vmm/core/util.h"

#define STACK_WORDS (VCPU_STACK / sizeof(uint64_t))

/* Words from @at upwards, as far as they are mapped and there is room.  Return: did they end before that? */
static bool stack_piece(struct vcpu *c, uint64_t at)
{
	struct vcpu_seen *s = &c->seen;
	gpa_t gpa;

	for (at &= ~UINT64_C(7); s->nstack < STACK_WORDS;) {
		size_t n = MIN(PAGE_SIZE - at % PAGE_SIZE,
			       (STACK_WORDS - s->nstack) * sizeof(*s->stack));

		if (vcpu_arch_translate(c, at, &gpa) < 0 ||
		    gmem_read(c->host->mem, gpa, s->stack + s->nstack, n) < 0)
			return true;
		s->nstack += (unsigned int)(n / sizeof(*s->stack));
		at += n;
	}
	return false;
}

/* A stack of interrupts' ends with where the task's own goes on (Linux's arch/x86/include/asm/irq_stack.h);
 * it is followed by a page that is not mapped. One step, so that a guest leads us round no circle
 */
static bool stack_goes_on(const struct vcpu_seen *s, uint64_t *at)
{
	*at = s->nstack ? s->stack[s->nstack - 1] : 0;
	return *at >> 63 && *at % sizeof(*at) == 0 &&
	       *at - s->sp >= s->nstack * sizeof(*s->stack);
}

void vcpu_see(struct vcpu *c)
{
	struct vcpu_seen *s = &c->seen;
	uint64_t at;

	vcpu_arch_see(c, s);
	s->nstack = 0;
	if (!s->known || s->user || !s->stack)
		return;
	if (stack_piece(c, s->sp) && stack_goes_on(s, &at))
		(void)stack_piece(c, at);
}

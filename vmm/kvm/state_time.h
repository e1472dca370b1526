/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_time - how far a guest's clocks go on over the time that it was stored.
 *
 * Each clock in a state has the host's time of day beside it, from the same moment. Its loader adds what
 * has passed since, so that the guest's own time of day is right at once and all its clocks agree, as
 * those of a machine that got no processor meanwhile. With kvm.keep_time none of them goes on. If the host's
 * clock is behind the saved time, they go on from where they were.
 */
#ifndef MICROVM_KVM_STATE_TIME_H
#define MICROVM_KVM_STATE_TIME_H

#include "vmm/core/state.h"
#include "vmm/kvm/kvm.h"

/* state_now() - the host's time of day, in ns */
uint64_t state_now(void);
/* state_moment() - call @clock, which reads or sets one, with state_now(); again, a few times
 * at most, where this thread lost its processor meanwhile.  Return: that time, of the last call
 */
uint64_t state_moment(void (*clock)(void *ctx, uint64_t at), void *ctx);
/* state_time() - a field: when the clock before it was read, which saving is @now. Return: loading, the
 * nanoseconds that it goes on by until @now; the first call decides what all of the machine's clocks leave out
 */
uint64_t state_time(struct kvm *k, uint64_t now, struct state *s);
/* state_ticks() - of a clock of @hz (below 2^34), in @ns */
uint64_t state_ticks(uint64_t ns, uint64_t hz);

#endif

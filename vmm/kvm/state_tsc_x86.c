/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_tsc_x86 - the time-stamp counter goes on from where it stood.
 *
 * KVM does not take every write to the TSC's MSR literally: it takes a value within a second of
 * the TSC's present one for an attempt to synchronize it with the other vCPUs', and drops it. A
 * guest that was saved in its first second would see time go back. So the offset to the host's
 * counter is set where KVM has it (KVM_VCPU_TSC_OFFSET, Linux 5.16): for the first vCPU so that
 * its counter is right, for the others so that their distance to the first is as it was. KVM's
 * clock is stable only while these are equal. It then goes on by the time that the guest was stored
 * (state_time.h).
 */
#include "vmm/kvm/state_x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"
#include "vmm/kvm/kvm_x86.h"
#include "vmm/kvm/state_time.h"

#define MSR_TSC 0x10u
/* How far a guest's own measurement of its TSC may be off: 250 ppm */
#define TSC_KHZ_SLACK(khz) ((khz) / 4000)

/* The guest's TSC rate when saved; a host of another rate has to scale it. Return: it, in kHz */
static uint32_t tsc_rate(const struct vcpu *c, const struct kvm *k, struct state *s)
{
	int khz = ioctl(c->fd, KVM_GET_TSC_KHZ, 0);
	uint32_t here = khz < 0 ? 0 : (uint32_t)khz, was = here;
	uint32_t off;

	state_u32(s, &was);
	off = was > here ? was - here : here - was;
	if (!state_ok(s) || !state_loading(s) || !was || off <= TSC_KHZ_SLACK(here))
		return was;
	if (kvm_has(k, KVM_CAP_TSC_CONTROL) <= 0 ||
	    ioctl(c->fd, KVM_SET_TSC_KHZ, (unsigned long)was) < 0)
		state_failf(s,
			    "its TSC ran at %u kHz, this host's runs at %u kHz and KVM "
			    "cannot scale it; load it on a host of that rate",
			    was, here);
	return was;
}

/* One register by @request.  Return: did KVM take it? */
static bool tsc_msr(const struct vcpu *c, unsigned long request, uint64_t *tsc)
{
	_Alignas(struct kvm_msrs)
		uint8_t buf[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *m = (void *)buf;

	m->nmsrs = 1;
	m->entries[0].index = MSR_TSC;
	m->entries[0].data = *tsc;
	if (ioctl(c->fd, request, m) != 1)
		return false;
	*tsc = m->entries[0].data;
	return true;
}

static bool tsc_offset(const struct vcpu *c, unsigned long request, uint64_t *offset)
{
	struct kvm_device_attr a = {.group = KVM_VCPU_TSC_CTRL,
				    .attr = KVM_VCPU_TSC_OFFSET,
				    .addr = (uintptr_t)offset};

	return ioctl(c->fd, request, &a) == 0;
}

struct tsc_now {
	const struct vcpu *c;
	uint64_t tsc;
	bool ok;
};

static void tsc_read(void *ctx, uint64_t at)
{
	struct tsc_now *now = ctx;

	(void)at;
	now->ok = tsc_msr(now->c, KVM_GET_MSRS, &now->tsc);
}

/* It shall be @tsc where it is @now. All is modulo 2^64.  Return: did KVM take it? */
static bool tsc_move(const struct vcpu *c, struct kvm *k, uint64_t offset, uint64_t tsc,
		     const struct tsc_now *now)
{
	uint64_t *shift = kvm_x86_tsc_shift(k), here = 0, set;

	if (c->id == 0) {
		if (!tsc_offset(c, KVM_GET_DEVICE_ATTR, &here))
			return false;
		*shift = here + (tsc - now->tsc) - offset;
	}
	set = offset + *shift;
	return tsc_offset(c, KVM_SET_DEVICE_ATTR, &set);
}

void state_tsc(struct vcpu *c, struct kvm *k, struct state *s)
{
	struct tsc_now now = {.c = c};
	uint32_t khz = tsc_rate(c, k, s);
	uint64_t offset = 0, tsc, at;
	bool has, moved;

	has = tsc_offset(c, KVM_GET_DEVICE_ATTR, &offset);
	moved = has;
	at = state_moment(tsc_read, &now);
	if (!now.ok)
		state_failf(s, "this host's KVM does not tell its TSC: %s",
			    strerror(errno));
	tsc = now.tsc;
	state_bool(s, &moved);
	state_u64(s, &offset);
	state_u64(s, &tsc);
	tsc += state_ticks(state_time(k, at, s), khz * UINT64_C(1000));
	if (!state_loading(s) || !state_ok(s))
		return;
	if (has && moved ? !tsc_move(c, k, offset, tsc, &now)
			 : !tsc_msr(c, KVM_SET_MSRS, &tsc))
		state_failf(s, "this host's KVM refuses its TSC: %s", strerror(errno));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_arm64 - a vCPU, saved and loaded: all registers that KVM lists, its timers among them.
 *
 * KVM's list has registers that cannot be set, like those that identify the processor. So each is
 * read before it is set, and left alone if it is right already. If it differs and KVM refuses to
 * set it, the state is of another kind of processor.
 */
#include "vmm/kvm/kvm_state.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"
#include "vmm/kvm/kvm_arm64.h"
#include "vmm/kvm/state_io.h"
#include "vmm/kvm/state_time.h"

#define REGS_MAX     4096u /* 300, and with SVE 1,100 */
#define REG_SIZE_MAX 256u
#define REG_SIZE(id) (UINT64_C(1) << (((id)&KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT))

/* The counters of the virtual and of the physical timer, which go on while the guest is stored */
static bool state_is_counter(uint64_t id)
{
	return id == KVM_REG_ARM_TIMER_CNT || id == KVM_REG_ARM_PTIMER_CNT;
}

/* Ticks a second of both, which a program may read */
static uint64_t counter_hz(void)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz & UINT32_MAX;
}

/* Return: the list, which the caller frees; NULL: errno says why not */
static struct kvm_reg_list *state_list_regs(int fd)
{
	struct kvm_reg_list none = {0}, *list;

	/* KVM gives the number in any case */
	if (ioctl(fd, KVM_GET_REG_LIST, &none) < 0 && errno != E2BIG)
		return NULL;
	list = calloc(1, sizeof(*list) + none.n * sizeof(list->reg[0]));
	if (!list)
		return NULL;
	list->n = none.n;
	if (ioctl(fd, KVM_GET_REG_LIST, list) == 0)
		return list;
	free(list);
	return NULL;
}

static int state_reg_ioctl(int fd, unsigned long request, uint64_t id, uint8_t *value)
{
	struct kvm_one_reg r = {.id = id, .addr = (uintptr_t)value};

	return ioctl(fd, request, &r) < 0 ? -errno : 0;
}

/* A register that is read or set, in a moment that is known if it is a counter */
struct state_reg {
	int fd, rc;
	uint64_t id;
	uint8_t *value;
	uint64_t at; /* of a counter that is set: when it is *@value */
};

static void state_reg_get(void *ctx, uint64_t at)
{
	struct state_reg *r = ctx;

	(void)at;
	r->rc = state_reg_ioctl(r->fd, KVM_GET_ONE_REG, r->id, r->value);
}

static void counter_adds(uint8_t *value, uint64_t ns)
{
	uint64_t count;

	memcpy(&count, value, sizeof(count));
	count += state_ticks(ns, counter_hz());
	memcpy(value, &count, sizeof(count));
}

static void state_counter_set(void *ctx, uint64_t at)
{
	struct state_reg *r = ctx;

	if (at > r->at) { /* or somebody set the host's clock back */
		counter_adds(r->value, at - r->at);
		r->at = at;
	}
	r->rc = state_reg_ioctl(r->fd, KVM_SET_ONE_REG, r->id, r->value);
}

static void state_save_regs(const struct vcpu *c, struct kvm *k, struct state *s)
{
	cleanup_free struct kvm_reg_list *list = state_list_regs(c->fd);
	uint8_t value[REG_SIZE_MAX];
	uint32_t n;

	if (!list || list->n > REGS_MAX) {
		state_failf(s, "this host's KVM does not list its registers: %s",
			    list ? "there are too many" : strerror(errno));
		return;
	}
	n = (uint32_t)list->n;
	state_u32(s, &n);
	for (uint32_t i = 0; i < n && state_ok(s); i++) {
		uint64_t id = list->reg[i];
		struct state_reg r = {
			.fd = c->fd, .rc = -E2BIG, .id = id, .value = value};
		uint64_t at = 0;

		if (REG_SIZE(id) <= sizeof(value))
			at = state_moment(state_reg_get, &r);
		if (r.rc < 0)
			state_failf(
				s,
				"this host's KVM does not tell its register 0x%llx: %s",
				(unsigned long long)id, strerror(-r.rc));
		state_u64(s, &id);
		state_bytes(s, value, REG_SIZE(id));
		if (state_is_counter(id))
			(void)state_time(k, at, s);
	}
}

/* Return: 0 or -errno */
static int counter_goes_on(const struct vcpu *c, uint64_t id, uint8_t *value,
			   struct kvm *k, struct state *s)
{
	struct state_reg r = {.fd = c->fd, .id = id, .value = value};

	r.at = state_now();
	counter_adds(value, state_time(k, r.at, s));
	if (state_ok(s))
		(void)state_moment(state_counter_set, &r);
	return r.rc;
}

static void state_load_reg(const struct vcpu *c, struct kvm *k, struct state *s,
			   uint64_t id)
{
	uint8_t want[REG_SIZE_MAX], has[REG_SIZE_MAX];
	int rc = 0;

	if (REG_SIZE(id) > sizeof(want)) {
		state_failf(s, "there is no register 0x%llx", (unsigned long long)id);
		return;
	}
	state_bytes(s, want, REG_SIZE(id));
	if (state_is_counter(id))
		rc = counter_goes_on(c, id, want, k, s);
	else if (state_ok(s) && (state_reg_ioctl(c->fd, KVM_GET_ONE_REG, id, has) < 0 ||
				 memcmp(has, want, REG_SIZE(id)) != 0))
		rc = state_reg_ioctl(c->fd, KVM_SET_ONE_REG, id, want);
	if (rc < 0)
		state_failf(
			s,
			"this host's KVM refuses its register 0x%llx: %s; a host with "
			"the processor and the kernel of the one that saved it takes "
			"it",
			(unsigned long long)id, strerror(-rc));
}

static void state_load_regs(const struct vcpu *c, struct kvm *k, struct state *s)
{
	uint32_t n = 0;

	state_u32(s, &n);
	if (n > REGS_MAX)
		state_fail(s, "it has more registers than any processor");
	for (uint32_t i = 0; i < n && state_ok(s); i++) {
		uint64_t id = 0;

		state_u64(s, &id);
		state_load_reg(c, k, s, id);
	}
}

void vcpu_state(struct vcpu *c, struct kvm *k, struct state *s)
{
	struct kvm_vcpu_events events = {0};
	struct kvm_mp_state mp = {0};
	char name[STATE_NAME_SIZE];

	(void)snprintf(name, sizeof(name), "vcpu%u", c->id);
	state_begin(s, name, 1);
	if (state_loading(s))
		state_load_regs(c, k, s);
	else
		state_save_regs(c, k, s);
	state_io(s, c->fd, KVM_GET_MP_STATE, KVM_SET_MP_STATE, &mp, sizeof(mp),
		 "run state");
	state_same_u32(s, kvm_has(k, KVM_CAP_VCPU_EVENTS) > 0, "sets of pending events");
	if (kvm_has(k, KVM_CAP_VCPU_EVENTS) > 0)
		state_io(s, c->fd, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, &events,
			 sizeof(events), "pending events");
	state_end(s);
}

/* Each vCPU tells its registers itself */
int kvm_state_prepare(struct kvm *k)
{
	(void)k;
	return 0;
}

void kvm_clock_state(struct kvm *k, struct state *s)
{
	(void)k;
	state_begin(s, "clock", 1);
	state_end(s);
}

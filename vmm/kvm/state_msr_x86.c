/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_msr_x86 - a vCPU's model-specific registers: how many, then each one's number and
 * value, in the order in which they have to be set.
 */
#include "vmm/kvm/state_x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"
#include "vmm/kvm/kvm_state.h"
#include "vmm/kvm/msr_x86.h"

#define MSR_TSC          0x10u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSRS_MAX         1024u /* KVM lists about 300, */
#define MSRS_AT_ONCE     128u  /* and takes fewer than 256 at a time */

/* State that KVM does not list: how memory is cached, by range (Intel SDM 3, 12.11), and debug
 * control. Machine-check banks are not among them: no machine check is ever raised here.
 */
static const struct {
	uint32_t first, last;
} state_unlisted[] = {
	{0x1d9, 0x1d9}, /* debug control */
	{0x200, 0x20f}, /* eight variable ranges, a base and a mask each */
	{0x250, 0x250}, /* fixed ranges below 1 MiB */
	{0x258, 0x259}, {0x268, 0x26f}, {0x2ff, 0x2ff}, /* the default type */
};

struct state_msrs {
	uint32_t n;
	struct kvm_msr_entry e[MSRS_MAX];
};

static bool state_has_msr(const struct state_msrs *m, uint32_t index)
{
	for (uint32_t i = 0; i < m->n; i++)
		if (m->e[i].index == index)
			return true;
	return false;
}

static void state_add_msr(struct state_msrs *m, uint32_t index)
{
	if (m->n < MSRS_MAX && !state_has_msr(m, index))
		m->e[m->n++] = (struct kvm_msr_entry){.index = index};
}

int kvm_state_prepare(struct kvm *k)
{
	k->to_save = msr_fetch(k, KVM_GET_MSR_INDEX_LIST);
	return k->to_save ? 0 : -errno;
}

/* The TSC itself belongs to state_tsc(); its deadline is last, after all that it depends on.
 * Return: 0 or -errno
 */
static int state_list_msrs(struct state_msrs *m, const struct kvm *k)
{
	cleanup_free struct kvm_msr_list *fetched =
		k->to_save ? NULL : msr_fetch(k, KVM_GET_MSR_INDEX_LIST);
	const struct kvm_msr_list *list = k->to_save ? k->to_save : fetched;

	if (!list)
		return -errno;
	if (list->nmsrs > MSRS_MAX / 2)
		return -E2BIG; /* and room is left for ours */
	m->n = 0;
	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (list->indices[i] != MSR_TSC && list->indices[i] != MSR_TSC_DEADLINE)
			state_add_msr(m, list->indices[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(state_unlisted); i++)
		for (uint32_t r = state_unlisted[i].first; r <= state_unlisted[i].last;
		     r++)
			state_add_msr(m, r);
	state_add_msr(m, MSR_TSC_DEADLINE);
	return 0;
}

/* At most MSRS_AT_ONCE of @n. Return: how many KVM handled, 0 if it does not know even the first;
 * -errno
 */
static int state_msr_ioctl(int fd, unsigned long request, struct kvm_msr_entry *e,
			   uint32_t n)
{
	_Alignas(struct kvm_msrs)
		uint8_t buf[sizeof(struct kvm_msrs) + MSRS_AT_ONCE * sizeof(*e)] = {0};
	struct kvm_msrs *msrs = (void *)buf;
	int done;

	msrs->nmsrs = MIN(n, MSRS_AT_ONCE);
	memcpy(msrs->entries, e, msrs->nmsrs * sizeof(*e));
	done = ioctl(fd, request, msrs);
	if (done < 0)
		return -errno;
	memcpy(e, msrs->entries, (size_t)done * sizeof(*e));
	return done;
}

/* Drop those that this vCPU does not have: KVM lists what any vCPU may have.
 * Return: 0 or -errno
 */
static int state_get_msrs(struct state_msrs *m, int fd)
{
	uint32_t from = 0;

	while (from < m->n) {
		uint32_t n = MIN(m->n - from, MSRS_AT_ONCE);
		int done = state_msr_ioctl(fd, KVM_GET_MSRS, m->e + from, n);

		if (done < 0)
			return done;
		from += (uint32_t)done;
		if ((uint32_t)done == n)
			continue;
		m->n--;
		memmove(m->e + from, m->e + from + 1, (m->n - from) * sizeof(m->e[0]));
	}
	return 0;
}

/* KVM may refuse a register that cannot be set at all: it is right if it reads as @want.
 * Return: is it?
 */
static bool state_msr_is(int fd, const struct kvm_msr_entry *want)
{
	struct kvm_msr_entry has = {.index = want->index};

	return state_msr_ioctl(fd, KVM_GET_MSRS, &has, 1) == 1 && has.data == want->data;
}

static void state_set_msrs(struct state *s, struct state_msrs *m, int fd)
{
	uint32_t from = 0;

	while (from < m->n) {
		uint32_t n = MIN(m->n - from, MSRS_AT_ONCE);
		int done = state_msr_ioctl(fd, KVM_SET_MSRS, m->e + from, n);

		from += done < 0 ? 0 : (uint32_t)done;
		if (done == (int)n)
			continue;
		if (!state_msr_is(fd, &m->e[from])) {
			state_failf(s,
				    "this host's KVM refuses 0x%llx for its MSR 0x%x; a "
				    "host with the processor and the kernel of the one "
				    "that saved it takes it",
				    (unsigned long long)m->e[from].data,
				    m->e[from].index);
			return;
		}
		from++;
	}
}

static void state_msr_entries(struct state *s, struct state_msrs *m)
{
	state_u32(s, &m->n);
	if (m->n > MSRS_MAX)
		state_fail(s, "it has more MSRs than any processor");
	for (uint32_t i = 0; i < m->n && state_ok(s); i++) {
		uint64_t data = m->e[i].data;

		state_u32(s, &m->e[i].index);
		state_u64(s, &data);
		m->e[i].data = data;
	}
}

void state_msrs(struct vcpu *c, struct kvm *k, struct state *s)
{
	cleanup_free struct state_msrs *m = calloc(1, sizeof(*m));
	int rc;

	if (!m) {
		state_fail(s, "no memory for its MSRs");
		return;
	}
	if (!state_loading(s)) {
		rc = state_list_msrs(m, k);
		if (rc == 0)
			rc = state_get_msrs(m, c->fd);
		if (rc < 0)
			state_failf(s, "this host's KVM does not tell its MSRs: %s",
				    strerror(-rc));
	}
	state_msr_entries(s, m);
	if (state_loading(s) && state_ok(s))
		state_set_msrs(s, m, c->fd);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits_x86 - what KVM is told to keep from a guest, and when. */
#include "tests/lib/unit.h"
#include "tests/unit/fake_kvm.h"

#include "vmm/core/util.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu_arch.h"

#define LISTED 300 /* MSRs, as a large host has */

static struct kvm kvm;
static struct vcpu_host host;
static struct vcpu vcpu = {.fd = FAKE_KVM_FD, .host = &host};
static struct err err;

static int has[512];          /* by capability: KVM_CHECK_EXTENSION's answer */
static uint64_t enabled[512]; /* by capability: the argument with which it was */
static unsigned long refused; /* the request that fails */
static uint32_t refused_cap;  /* or the capability that cannot be enabled */
static uint32_t listed[LISTED], features[2];
static uint32_t nlisted;

/* what KVM holds once the filter is set, since the caller's memory may go */
static struct kvm_msr_filter filter;
static uint8_t bits[KVM_MSR_FILTER_MAX_RANGES][KVM_MSR_FILTER_MAX_BITMAP_SIZE];
static unsigned int nfilter;

static int on_list(struct kvm_msr_list *list, const uint32_t *indices, uint32_t n)
{
	uint32_t room = list->nmsrs;

	list->nmsrs = n;
	if (room < n) {
		errno = E2BIG;
		return -1;
	}
	memcpy(list->indices, indices, n * sizeof(*indices));
	return 0;
}

static int on_filter(const struct kvm_msr_filter *f)
{
	filter = *f;
	for (unsigned int i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++)
		if (f->ranges[i].nmsrs) {
			ck_assert_uint_eq(f->ranges[i].nmsrs % 8, 0);
			ck_assert_uint_le(f->ranges[i].nmsrs / 8, sizeof(bits[i]));
			memcpy(bits[i], f->ranges[i].bitmap, f->ranges[i].nmsrs / 8);
		}
	nfilter++;
	return 0;
}

static int on_ioctl(unsigned long request, void *arg)
{
	const struct kvm_enable_cap *cap = arg;

	errno = EPERM;
	if (request == refused ||
	    (request == KVM_ENABLE_CAP && refused_cap && cap->cap == refused_cap))
		return -1;
	switch (request) {
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CREATE_VM:
		return FAKE_KVM_FD;
	case KVM_GET_VCPU_MMAP_SIZE:
		return 3 * 4096;
	case KVM_CHECK_EXTENSION:
		return has[(uintptr_t)arg];
	case KVM_ENABLE_CAP:
		enabled[cap->cap] = cap->args[0];
		return 0;
	case KVM_GET_MSR_INDEX_LIST:
		return on_list(arg, listed, nlisted);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return on_list(arg, features, ARRAY_SIZE(features));
	case KVM_X86_SET_MSR_FILTER:
		return on_filter(arg);
	case KVM_SET_MSRS:
		return 1;
	default:
		return 0;
	}
}

/* As KVM decides (kvm_msr_allowed()); the x2APIC's it leaves alone */
static bool allowed(uint32_t msr)
{
	for (unsigned int i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		const struct kvm_msr_filter_range *r = &filter.ranges[i];
		uint32_t at = msr - r->base;

		if (at >= r->nmsrs)
			continue;
		ck_assert_uint_eq(r->flags, KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE);
		return bits[i][at / 8] >> at % 8 & 1;
	}
	return !(filter.flags & KVM_MSR_FILTER_DEFAULT_DENY);
}

static void setup(void)
{
	static const int caps[] = {KVM_CAP_USER_MEMORY,    KVM_CAP_IMMEDIATE_EXIT,
				   KVM_CAP_IRQFD,          KVM_CAP_IOEVENTFD,
				   KVM_CAP_X86_MSR_FILTER, KVM_CAP_GET_MSR_FEATURES};

	for (unsigned int i = 0; i < ARRAY_SIZE(caps); i++)
		has[caps[i]] = 1;
	for (nlisted = 0; nlisted < LISTED; nlisted++)
		listed[nlisted] = 0x1000 + nlisted;
	listed[0] = 0x174;
	listed[1] = 0x4b564d01;
	listed[2] = 0xc0000082;
	listed[3] = 0xc0010200;
	listed[4] = 0x40000021; /* Hyper-V's reference time */
	features[0] = 0x10a;
	features[1] = 0xc0011029;
}

static void teardown(void)
{
	kvm_close(&kvm);
}

START_TEST(msr_that_nobody_listed_is_reached)
{
	static const uint32_t others[] = {0x0,        0x3a,       0x123,      0x480,
					  0x560,      0x1fff,     0x2000,     0x40000000,
					  0x40000021, 0x4b564d00, 0x4b564df0, 0x4b564e00,
					  0xbfffffff, 0xc0000085, 0xc0000fff, 0xc0001000,
					  0xc001ffff, 0xc0010201, 0xc0011fff, 0xffffffff};

	ck_assert_msg(kvm_open(&kvm, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(nfilter, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_msg(!allowed(others[i]), "0x%x", others[i]);
}
END_TEST

START_TEST(msr_that_kvm_lists_is_denied)
{
	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	for (unsigned int i = 0; i < nlisted; i++)
		ck_assert_msg(allowed(listed[i]) == (listed[i] >> 16 != 0x4000), "0x%x",
			      listed[i]);
	ck_assert(allowed(features[0]));
	ck_assert(allowed(features[1]));
}
END_TEST

START_TEST(msr_that_kernels_touch_unasked_is_denied)
{
	/* APIC base, MTRRs and what they are like, machine checks' first and last bank, the
	 * barrier, TSX control, EFER, the base of GS, system configuration
	 */
	static const uint32_t needs[] = {
		0x1b, 0xfe,  0x200, 0x277, 0x2ff,      0x179,      0x400,     0x47f,
		0x49, 0x122, 0x6e0, 0x8b,  0xc0000080, 0xc0000101, 0xc0010010};

	nlisted = 0;
	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(needs); i++)
		ck_assert_msg(allowed(needs[i]), "0x%x", needs[i]);
}
END_TEST

START_TEST(host_without_limits_is_refused)
{
	has[KVM_CAP_X86_MSR_FILTER] = has[KVM_CAP_GET_MSR_FEATURES] = 0;
	ck_assert_msg(kvm_open(&kvm, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(nfilter, 0);
	ck_assert_uint_eq(enabled[KVM_CAP_PMU_CAPABILITY], 0);
	ck_assert_uint_eq(enabled[KVM_CAP_X86_BUS_LOCK_EXIT], 0);
	ck_assert_uint_eq(enabled[KVM_CAP_X86_NOTIFY_VMEXIT], 0);
}
END_TEST

START_TEST(limit_is_not_asked_for)
{
	has[KVM_CAP_PMU_CAPABILITY] = KVM_PMU_CAP_DISABLE;
	has[KVM_CAP_X86_BUS_LOCK_EXIT] = KVM_BUS_LOCK_DETECTION_OFF |
					 KVM_BUS_LOCK_DETECTION_EXIT;
	has[KVM_CAP_X86_NOTIFY_VMEXIT] = 1;
	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	ck_assert_uint_eq(enabled[KVM_CAP_PMU_CAPABILITY], KVM_PMU_CAP_DISABLE);
	ck_assert_uint_eq(enabled[KVM_CAP_X86_BUS_LOCK_EXIT],
			  KVM_BUS_LOCK_DETECTION_EXIT);
	ck_assert_uint_eq(enabled[KVM_CAP_X86_NOTIFY_VMEXIT],
			  KVM_X86_NOTIFY_VMEXIT_ENABLED | KVM_X86_NOTIFY_VMEXIT_USER);
	/* a host that can only switch detection off has no such exit */
	enabled[KVM_CAP_X86_BUS_LOCK_EXIT] = 0;
	kvm_close(&kvm);
	has[KVM_CAP_X86_BUS_LOCK_EXIT] = KVM_BUS_LOCK_DETECTION_OFF;
	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	ck_assert_uint_eq(enabled[KVM_CAP_X86_BUS_LOCK_EXIT], 0);
}
END_TEST

START_TEST(limit_that_kvm_refuses_is_passed_over)
{
	static const struct {
		unsigned long request;
		uint32_t cap;
		const char *says;
	} list[] = {
		{KVM_X86_SET_MSR_FILTER, 0, "to limit the guest's MSRs"},
		{KVM_GET_MSR_INDEX_LIST, 0, "which MSRs it has"},
		{0, KVM_CAP_PMU_CAPABILITY, "performance counters"},
		{0, KVM_CAP_X86_BUS_LOCK_EXIT, "bus locks"},
		{0, KVM_CAP_X86_NOTIFY_VMEXIT, "blocks interrupts"},
	};

	has[KVM_CAP_PMU_CAPABILITY] = has[KVM_CAP_X86_NOTIFY_VMEXIT] = 1;
	has[KVM_CAP_X86_BUS_LOCK_EXIT] = KVM_BUS_LOCK_DETECTION_EXIT;
	refused = list[_i].request;
	refused_cap = list[_i].cap;
	ck_assert_int_lt(kvm_open(&kvm, &err), 0);
	ck_assert_msg(strstr(err.msg, list[_i].says) != NULL, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, "not permitted") != NULL, "%s", err.msg);
}
END_TEST

START_TEST(hypercalls_are_answered_whatever_the_guest_was_told)
{
	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	ck_assert_int_eq(vcpu_arch_init(&vcpu, &kvm, 1, &err), 0);
	ck_assert_uint_eq(enabled[KVM_CAP_ENFORCE_PV_FEATURE_CPUID], 0);
	has[KVM_CAP_ENFORCE_PV_FEATURE_CPUID] = 1;
	ck_assert_int_eq(vcpu_arch_init(&vcpu, &kvm, 1, &err), 0);
	ck_assert_uint_eq(enabled[KVM_CAP_ENFORCE_PV_FEATURE_CPUID], 1);
	refused_cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID;
	ck_assert_int_eq(vcpu_arch_init(&vcpu, &kvm, 1, &err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.msg, "its identification"));
}
END_TEST

UNIT_MAIN("limits_x86", setup, teardown, t)
{
	fake_kvm = on_ioctl;
	tcase_add_test(t, msr_that_nobody_listed_is_reached);
	tcase_add_test(t, msr_that_kvm_lists_is_denied);
	tcase_add_test(t, msr_that_kernels_touch_unasked_is_denied);
	tcase_add_test(t, host_without_limits_is_refused);
	tcase_add_test(t, limit_is_not_asked_for);
	tcase_add_loop_test(t, limit_that_kvm_refuses_is_passed_over, 0, 5);
	tcase_add_test(t, hypercalls_are_answered_whatever_the_guest_was_told);
}

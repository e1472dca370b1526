/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_state_x86 - in which order KVM is given a vCPU's state, what is compared instead, and what
 * an operator reads when KVM refuses.  That KVM makes the same processor of it is for
 * tests/payload/trip.
 */
#include "tests/unit/fake_kvm.h"

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_state.h"
#include "vmm/kvm/kvm_x86.h"
#include "vmm/kvm/state_time.h"

#define MSR_TSC           0x10u
#define MSR_LISTED        0x174u
#define MSR_FOREIGN       0x4b564d05u /* KVM lists it, and this vCPU has none */
#define MSR_TSC_DEADLINE  0x6e0u
#define MSR_FIRST_OF_MANY 0xc0011000u
#define MSR_MANY          400 /* every third of which this vCPU has */
#define MSRS              256
#define MSRS_AT_ONCE      256 /* KVM takes fewer (MAX_IO_MSRS) */
#define SETS              64

/* ---- one processor, as KVM would keep it ---- */

static struct {
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_clock_data clock;
	struct kvm_msr_entry msr[MSRS];
	unsigned int nmsr;
	int tsc_khz;
	uint64_t offset;        /* of the TSC */
	struct kvm_xsave xsave; /* the last: it may be longer */
} cpu;

static uint32_t leaf7_ebx;      /* of the processor's identification */
static unsigned long set[SETS]; /* requests, in order */
static uint32_t msr_set[MSRS];  /* MSRs, in order */
static unsigned int nset, nmsr_set;
static unsigned long refused; /* a request; 0: none */
static uint32_t refused_msr;  /* one that can be read alone */
static bool can_scale, has_offset;

static struct kvm kvm;
static struct vcpu vcpu;
static struct state saved;
static struct err err;

static struct kvm_msr_entry *find_msr(uint32_t index)
{
	for (unsigned int i = 0; i < cpu.nmsr; i++)
		if (cpu.msr[i].index == index)
			return &cpu.msr[i];
	return NULL;
}

static int on_get_msrs(struct kvm_msrs *m)
{
	if (m->nmsrs >= MSRS_AT_ONCE) {
		errno = E2BIG;
		return -1;
	}
	for (uint32_t i = 0; i < m->nmsrs; i++) {
		const struct kvm_msr_entry *e = find_msr(m->entries[i].index);

		if (!e)
			return (int)i;
		m->entries[i].data = e->data;
	}
	return (int)m->nmsrs;
}

static int on_set_msrs(const struct kvm_msrs *m)
{
	if (m->nmsrs >= MSRS_AT_ONCE) {
		errno = E2BIG;
		return -1;
	}
	for (uint32_t i = 0; i < m->nmsrs; i++) {
		struct kvm_msr_entry *e = find_msr(m->entries[i].index);

		if (!e || e->index == refused_msr)
			return (int)i;
		e->data = m->entries[i].data;
		msr_set[nmsr_set++] = e->index;
	}
	return (int)m->nmsrs;
}

static int on_list(struct kvm_msr_list *list)
{
	static const uint32_t all[] = {MSR_LISTED, MSR_TSC_DEADLINE, MSR_FOREIGN,
				       MSR_TSC};
	const uint32_t n = ARRAY_SIZE(all) + MSR_MANY;

	if (list->nmsrs < n) {
		list->nmsrs = n;
		errno = E2BIG;
		return -1;
	}
	list->nmsrs = n;
	memcpy(list->indices, all, sizeof(all));
	for (uint32_t i = 0; i < MSR_MANY; i++)
		list->indices[ARRAY_SIZE(all) + i] = MSR_FIRST_OF_MANY + i;
	return 0;
}

static int on_cpuid(struct kvm_cpuid2 *t)
{
	t->nent = 2;
	t->entries[0] = (struct kvm_cpuid_entry2){.function = 1, .eax = 0x800f12};
	t->entries[1] = (struct kvm_cpuid_entry2){.function = 7, .ebx = leaf7_ebx};
	return 0;
}

static int on_extension(long cap)
{
	switch (cap) {
	case KVM_CAP_SREGS2:
	case KVM_CAP_XCRS:
		return 1;
	case KVM_CAP_TSC_CONTROL:
		return can_scale;
	default:
		return 0;
	}
}

/* What is only kept.  Return: was it that? */
static bool on_plain(unsigned long request, void *arg)
{
	const struct {
		unsigned long get, set;
		void *kept;
		size_t len;
	} row[] = {
		{KVM_GET_REGS, KVM_SET_REGS, &cpu.regs, sizeof(cpu.regs)},
		{KVM_GET_SREGS2, KVM_SET_SREGS2, &cpu.sregs, sizeof(cpu.sregs)},
		{KVM_GET_XSAVE, KVM_SET_XSAVE, &cpu.xsave, sizeof(cpu.xsave)},
		{KVM_GET_XCRS, KVM_SET_XCRS, &cpu.xcrs, sizeof(cpu.xcrs)},
		{KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, &cpu.debug, sizeof(cpu.debug)},
		{KVM_GET_LAPIC, KVM_SET_LAPIC, &cpu.lapic, sizeof(cpu.lapic)},
		{KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, &cpu.events,
		 sizeof(cpu.events)},
		{KVM_GET_MP_STATE, KVM_SET_MP_STATE, &cpu.mp, sizeof(cpu.mp)},
		{KVM_GET_CLOCK, KVM_SET_CLOCK, &cpu.clock, sizeof(cpu.clock)},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		if (request == row[i].get)
			memcpy(arg, row[i].kept, row[i].len);
		else if (request == row[i].set)
			memcpy(row[i].kept, arg, row[i].len);
		else
			continue;
		if (request == row[i].set)
			set[nset++] = request;
		return true;
	}
	return false;
}

static int on_offset(unsigned long request, const struct kvm_device_attr *a)
{
	uint64_t *p = (uint64_t *)(uintptr_t)a->addr;

	if (!has_offset || a->group != KVM_VCPU_TSC_CTRL ||
	    a->attr != KVM_VCPU_TSC_OFFSET) {
		errno = ENXIO;
		return -1;
	}
	if (request == KVM_GET_DEVICE_ATTR)
		*p = cpu.offset;
	else
		cpu.offset = *p;
	return 0;
}

static int on_ioctl(unsigned long request, void *arg)
{
	if (request == refused) {
		errno = EINVAL;
		return -1;
	}
	if (on_plain(request, arg))
		return 0;
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return on_extension((long)(intptr_t)arg);
	case KVM_GET_SUPPORTED_CPUID:
		return on_cpuid(arg);
	case KVM_GET_MSR_INDEX_LIST:
		return on_list(arg);
	case KVM_GET_TSC_KHZ:
		return cpu.tsc_khz;
	case KVM_SET_TSC_KHZ:
		cpu.tsc_khz = (int)(intptr_t)arg;
		set[nset++] = request;
		return 0;
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		return on_offset(request, arg);
	case KVM_GET_MSRS:
		return on_get_msrs(arg);
	case KVM_SET_MSRS:
		set[nset++] = request;
		return on_set_msrs(arg);
	default: /* what a new VM is told */
		return 0;
	}
}

/* ---- two machines ---- */

/* A processor whose registers are all of @value */
static void make(uint8_t value)
{
	static const uint32_t msr[] = {MSR_TSC, MSR_LISTED, MSR_TSC_DEADLINE, 0x2ff};

	memset(&cpu, value, sizeof(cpu));
	cpu.nmsr = ARRAY_SIZE(msr);
	for (unsigned int i = 0; i < ARRAY_SIZE(msr); i++)
		cpu.msr[i] = (struct kvm_msr_entry){.index = msr[i],
						    .data = value * UINT64_C(1000) + i};
	for (uint32_t i = 0; i < MSR_MANY; i += 3)
		cpu.msr[cpu.nmsr++] = (struct kvm_msr_entry){
			.index = MSR_FIRST_OF_MANY + i, .data = value * UINT64_C(7) + i};
	cpu.tsc_khz = 2000000;
	nset = nmsr_set = 0;
	kvm.keep_time = true; /* or values are none that a test knows */
	kvm.time_is_known = false;
}

static void save(void)
{
	state_collector(&saved);
	vcpu_state(&vcpu, &kvm, &saved);
}

static void setup(void)
{
	fake_kvm = on_ioctl;
	leaf7_ebx = 0x200; /* ERMS, which a guest may know */
	refused = refused_msr = 0;
	can_scale = has_offset = false;
	kvm = (struct kvm){.dev_fd = FAKE_KVM_FD, .vm_fd = FAKE_KVM_FD};
	vcpu = (struct vcpu){.id = 3, .fd = FAKE_KVM_FD};
	make(0x5a);
	ck_assert_int_eq(kvm_arch_open(&kvm, &err), 0);
	ck_assert_ptr_nonnull(kvm_x86_cpuid(&kvm, 4, 0, &err));
	save();
	ck_assert_msg(state_ok(&saved), "%s", saved.why);
	make(0x11);
}

static void teardown(void)
{
	state_free(&saved);
	kvm_arch_close(&kvm);
}

/* Return: "", or why not, until the next call */
static const char *load_bytes(size_t len)
{
	static struct state s;

	nset = nmsr_set = 0;
	state_loader(&s, saved.buf, len);
	vcpu_state(&vcpu, &kvm, &s);
	if (state_ok(&s))
		ck_assert_uint_eq(s.pos, saved.pos);
	return s.why ? s.why : "";
}

static const char *load(void)
{
	return load_bytes(saved.pos);
}

static void expect_refusal(const char *why, const char *words)
{
	ck_assert_msg(strncmp(why, "vcpu3: ", 7) == 0 && strstr(why, words),
		      "'%s' without '%s'", why, words);
}

/* Return: when, of what KVM was told, for the last time */
static unsigned int when(unsigned long request)
{
	for (unsigned int i = nset; i-- > 0;)
		if (set[i] == request)
			return i;
	ck_abort_msg("KVM was not told by 0x%lx", request);
	return 0;
}

START_TEST(registers_go_to_another_vcpu)
{
	ck_assert_str_eq(load(), "");
	ck_assert_uint_eq(cpu.regs.rip, UINT64_C(0x5a5a5a5a5a5a5a5a));
	ck_assert_uint_eq(cpu.sregs.cr3, UINT64_C(0x5a5a5a5a5a5a5a5a));
	ck_assert_uint_eq(cpu.xsave.region[100], 0x5a5a5a5a);
	ck_assert_uint_eq(cpu.xcrs.xcrs[0].value, UINT64_C(0x5a5a5a5a5a5a5a5a));
	ck_assert_uint_eq(cpu.debug.db[3], UINT64_C(0x5a5a5a5a5a5a5a5a));
	ck_assert_int_eq(cpu.lapic.regs[0x320], 0x5a);
	ck_assert_uint_eq(cpu.events.nmi.pending, 0x5a);
	ck_assert_uint_eq(cpu.mp.mp_state, 0x5a5a5a5a);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(cpu.msr[i].data, 0x5a * UINT64_C(1000) + i);
	for (uint32_t i = 0; i < MSR_MANY; i += 3)
		ck_assert_uint_eq(find_msr(MSR_FIRST_OF_MANY + i)->data,
				  0x5a * UINT64_C(7) + i);
}
END_TEST

/* Setting one forgets or uses what another was (vcpu_state()) */
START_TEST(kvm_is_told_in_this_order)
{
	ck_assert_str_eq(load(), "");
	ck_assert_uint_lt(when(KVM_SET_SREGS2), when(KVM_SET_REGS));
	ck_assert_uint_lt(when(KVM_SET_SREGS2), when(KVM_SET_LAPIC));
	ck_assert_uint_lt(when(KVM_SET_XCRS), when(KVM_SET_XSAVE));
	ck_assert_uint_lt(when(KVM_SET_LAPIC), when(KVM_SET_MSRS));
	ck_assert_uint_eq(when(KVM_SET_VCPU_EVENTS), nset - 1);
	ck_assert_uint_eq(nmsr_set, cpu.nmsr);
	ck_assert_uint_eq(msr_set[0], MSR_TSC);
	ck_assert_uint_eq(msr_set[nmsr_set - 1], MSR_TSC_DEADLINE);
}
END_TEST

START_TEST(another_processor_is_refused_before_anything_is_set)
{
	kvm_arch_close(&kvm);
	leaf7_ebx = 0x201;
	ck_assert_int_eq(kvm_arch_open(&kvm, &err), 0);
	ck_assert_ptr_nonnull(kvm_x86_cpuid(&kvm, 4, 0, &err));
	expect_refusal(load(), "its processor lacks fsgsbase, which this host's has; "
			       "load it on a host with the same processor");
	kvm_arch_close(&kvm);
	leaf7_ebx = 0;
	ck_assert_int_eq(kvm_arch_open(&kvm, &err), 0);
	ck_assert_ptr_nonnull(kvm_x86_cpuid(&kvm, 4, 0, &err));
	expect_refusal(load(), "its processor has erms, which this host's lacks");
	ck_assert_uint_eq(nset, 0);
}
END_TEST

/* A kernel measures the rate anew at each boot of the host. */
START_TEST(another_rate_of_the_tsc_is_scaled_or_refused)
{
	cpu.tsc_khz = 2000300;
	ck_assert_str_eq(load(), "");
	ck_assert_int_eq(cpu.tsc_khz, 2000300);
	cpu.tsc_khz = 2100000;
	expect_refusal(load(), "its TSC ran at 2000000 kHz, this host's runs at 2100000");
	ck_assert_uint_eq(nset, 0);
	can_scale = true;
	ck_assert_str_eq(load(), "");
	ck_assert_int_eq(cpu.tsc_khz, 2000000);
	ck_assert_uint_lt(when(KVM_SET_TSC_KHZ), when(KVM_SET_MSRS));
}
END_TEST

/* KVM may take a write to the TSC for an attempt to synchronize it, and drop it. */
START_TEST(tsc_goes_by_its_offset_where_kvm_has_it)
{
	struct state second;

	has_offset = true;
	make(0x5a);
	vcpu.id = 0;
	cpu.offset = 5000;
	find_msr(MSR_TSC)->data = 105000;
	state_free(&saved);
	save();
	vcpu.id = 1;
	cpu.offset = 5700; /* 700 ahead */
	state_collector(&second);
	vcpu_state(&vcpu, &kvm, &second);
	make(0x11);
	vcpu.id = 0;
	cpu.offset = -UINT64_C(1000000);
	find_msr(MSR_TSC)->data = 40;
	ck_assert_str_eq(load(), "");
	ck_assert_uint_eq(cpu.offset, -UINT64_C(1000000) + 105000 - 40);
	ck_assert_uint_eq(find_msr(MSR_TSC)->data, 40); /* not written */
	state_free(&saved);
	saved = second;
	vcpu.id = 1;
	find_msr(MSR_TSC)->data = 99; /* when that is loaded, which does not matter */
	ck_assert_str_eq(load(), "");
	ck_assert_uint_eq(cpu.offset, -UINT64_C(1000000) + 105000 - 40 + 700);
}
END_TEST

START_TEST(what_kvm_refuses_is_named)
{
	static const struct {
		unsigned long request;
		const char *name;
	} row[] = {
		{KVM_SET_REGS, "general registers"},
		{KVM_SET_SREGS2, "system registers"},
		{KVM_SET_XSAVE, "vector registers"},
		{KVM_SET_XCRS, "XCR0"},
		{KVM_SET_DEBUGREGS, "debug registers"},
		{KVM_SET_LAPIC, "local APIC"},
		{KVM_SET_VCPU_EVENTS, "pending events"},
		{KVM_SET_MP_STATE, "run state"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(row); i++) {
		const char *why;

		refused = row[i].request;
		why = load();
		expect_refusal(why, row[i].name);
		expect_refusal(why, "this host's KVM refuses its");
		expect_refusal(why, "Invalid argument; a host with the processor");
	}
}
END_TEST

START_TEST(msr_that_cannot_be_set_may_be_right_already)
{
	refused_msr = MSR_LISTED;
	expect_refusal(load(), "refuses 0x15f91 for its MSR 0x174; a host with");
	find_msr(MSR_LISTED)->data = 0x5a * 1000 + 1;
	ck_assert_str_eq(load(), "");
	ck_assert_uint_eq(find_msr(MSR_TSC_DEADLINE)->data, 0x5a * 1000 + 2);
}
END_TEST

START_TEST(what_kvm_does_not_tell_is_not_saved)
{
	static const unsigned long request[] = {
		KVM_GET_REGS,      KVM_GET_SREGS2,         KVM_GET_XSAVE,
		KVM_GET_DEBUGREGS, KVM_GET_LAPIC,          KVM_GET_VCPU_EVENTS,
		KVM_GET_MP_STATE,  KVM_GET_MSR_INDEX_LIST, KVM_GET_MSRS};

	for (unsigned int i = 0; i < ARRAY_SIZE(request); i++) {
		state_free(&saved);
		refused = request[i];
		save();
		ck_assert(!state_ok(&saved));
		expect_refusal(saved.why, "this host's KVM does not");
	}
}
END_TEST

START_TEST(cut_state_is_refused_wherever_it_ends)
{
	for (size_t len = 0; len < saved.pos; len += 1 + len / 64)
		expect_refusal(load_bytes(len), "state");
}
END_TEST

/* Any bytes: KVM checks its structures, what is ours is checked here (sanitizers look on) */
START_TEST(damaged_state_is_refused_or_harmless)
{
	unsigned int seed = 1;

	for (unsigned int i = 0; i < 3000; i++) {
		size_t at = (size_t)rand_r(&seed) % saved.pos;
		uint8_t was = saved.buf[at];

		saved.buf[at] = (uint8_t)rand_r(&seed);
		(void)load();
		saved.buf[at] = was;
	}
	make(0x11);
	ck_assert_str_eq(load(), "");
}
END_TEST

/* A processor that is taken away between the clock and the time of day */
static int moments;

static void slow_twice(void *ctx, uint64_t at)
{
	*(uint64_t *)ctx = at;
	if (moments++ < 2)
		usleep(20000);
}

START_TEST(moment_has_a_gap)
{
	uint64_t last = 0, at;

	moments = 0;
	at = state_moment(slow_twice, &last);
	ck_assert_int_ge(moments, 3);
	ck_assert_uint_eq(at, last);
}
END_TEST

START_TEST(clock_goes_on_from_where_it_stood)
{
	struct state s;

	make(0x22);
	state_free(&saved);
	state_collector(&saved);
	kvm_clock_state(&kvm, &saved);
	ck_assert(state_ok(&saved));
	make(0x11);
	state_loader(&s, saved.buf, saved.pos);
	kvm_clock_state(&kvm, &s);
	ck_assert(state_ok(&s));
	ck_assert_uint_ge(cpu.clock.clock, UINT64_C(0x2222222222222222));
	ck_assert_uint_lt(cpu.clock.clock, UINT64_C(0x2222222222222222) + 30000000000);
	ck_assert_uint_eq(cpu.clock.flags, 0); /* or KVM adds the time that has passed */
	kvm.keep_time = kvm.time_is_known = false; /* or the time goes on */
	state_loader(&s, saved.buf, saved.pos);
	kvm_clock_state(&kvm, &s);
	ck_assert(state_ok(&s));
	ck_assert_uint_gt(cpu.clock.clock, UINT64_C(0x2222222222222222));
	ck_assert_uint_lt(cpu.clock.clock, UINT64_C(0x2222222222222222) + 60000000000);
	refused = KVM_SET_CLOCK;
	state_loader(&s, saved.buf, saved.pos);
	kvm_clock_state(&kvm, &s);
	ck_assert_str_eq(s.why, "clock: this host's KVM refuses it: Invalid argument");
}
END_TEST

UNIT_MAIN("state_x86", setup, teardown, t)
{
	tcase_add_test(t, registers_go_to_another_vcpu);
	tcase_add_test(t, kvm_is_told_in_this_order);
	tcase_add_test(t, another_processor_is_refused_before_anything_is_set);
	tcase_add_test(t, another_rate_of_the_tsc_is_scaled_or_refused);
	tcase_add_test(t, tsc_goes_by_its_offset_where_kvm_has_it);
	tcase_add_test(t, what_kvm_refuses_is_named);
	tcase_add_test(t, msr_that_cannot_be_set_may_be_right_already);
	tcase_add_test(t, what_kvm_does_not_tell_is_not_saved);
	tcase_add_test(t, cut_state_is_refused_wherever_it_ends);
	tcase_add_test(t, damaged_state_is_refused_or_harmless);
	tcase_add_test(t, moment_has_a_gap);
	tcase_add_test(t, clock_goes_on_from_where_it_stood);
}

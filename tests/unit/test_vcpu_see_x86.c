/* SPDX-License-Identifier: Apache-2.0 */
/* test_vcpu_see_x86 - what is kept of a vCPU's stack, wherever its guest has it */
#include "tests/unit/fake_kvm.h"

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/kvm/vcpu_arch.h"

#define LSTAR 0xc0000082u
#define HIGH  UINT64_C(0xffffc90000000000) /* where the guest has its first pages mapped */
#define ENTRY UINT64_C(0xffffffff9b000200)
#define WORDS (VCPU_STACK / 8)

static struct gmem mem;
static struct vcpu_host host = {.mem = &mem};
static struct vcpu vcpu;
static struct kvm_regs regs;
static struct kvm_sregs sregs;
static uint64_t stack[WORDS], from, to; /* [from, to) is mapped, 1:1 above HIGH */

static int translate(struct kvm_translation *tr)
{
	uint64_t va = tr->linear_address;

	tr->valid = va >= from && va < to;
	tr->physical_address = va - HIGH;
	return 0;
}

static int answer(unsigned long request, void *arg)
{
	struct kvm_msrs *msrs = arg;

	switch (request) {
	case KVM_GET_REGS:
		memcpy(arg, &regs, sizeof(regs));
		return 0;
	case KVM_GET_SREGS:
		memcpy(arg, &sregs, sizeof(sregs));
		return 0;
	case KVM_TRANSLATE:
		return translate(arg);
	case KVM_GET_MSRS:
		ck_assert(msrs->nmsrs == 1 && msrs->entries[0].index == LSTAR);
		msrs->entries[0].data = ENTRY;
		return 1;
	default:
		errno = EIO;
		return -1;
	}
}

static void setup(void)
{
	struct err e = {0};
	uint64_t word;

	fake_kvm = answer;
	gmem_init(&mem, false);
	ck_assert_int_eq(gmem_add(&mem, 0, 64 * KIB, &e), 0);
	for (uint64_t at = 0; at < 64 * KIB; at += sizeof(word)) {
		word = at;
		ck_assert_int_eq(gmem_write(&mem, at, &word, sizeof(word)), 0);
	}
	regs = (struct kvm_regs){.rip = ENTRY + 5, .rsp = HIGH + 0x1008};
	sregs = (struct kvm_sregs){0};
	from = HIGH;
	to = HIGH + 64 * KIB;
	vcpu = (struct vcpu){.fd = FAKE_KVM_FD, .host = &host, .seen = {.stack = stack}};
}

static void teardown(void)
{
	gmem_fini(&mem);
}

START_TEST(vcpu_is_elsewhere)
{
	vcpu_see(&vcpu);
	ck_assert(vcpu.seen.known && !vcpu.seen.user);
	ck_assert_uint_eq(vcpu.seen.pc, ENTRY + 5);
	ck_assert_uint_eq(vcpu.seen.sp, HIGH + 0x1008);
	ck_assert_uint_eq(vcpu.seen.entry, ENTRY);
	/* no more than there is room for, over pages' ends */
	ck_assert_uint_eq(vcpu.seen.nstack, WORDS);
	for (uint64_t i = 0; i < WORDS; i++)
		ck_assert_uint_eq(stack[i], 0x1008 + 8 * i);
}
END_TEST

START_TEST(programs_stack_is_read)
{
	sregs.ss.dpl = 3;
	vcpu_see(&vcpu);
	ck_assert(vcpu.seen.known && vcpu.seen.user);
	ck_assert_uint_eq(vcpu.seen.nstack, 0);
	sregs.ss.dpl = 0;
	vcpu.seen.stack = NULL;
	vcpu_see(&vcpu);
	ck_assert_uint_eq(vcpu.seen.nstack, 0);
}
END_TEST

/* An interrupts' stack ends with where the task's goes on, before a page that is not mapped */
START_TEST(interrupted_task_has_another_stack)
{
	uint64_t task = HIGH + 0x800;

	to = HIGH + 0x2000;
	ck_assert_int_eq(gmem_write(&mem, 0x1ff8, &task, 8), 0);
	vcpu_see(&vcpu);
	ck_assert_uint_eq(stack[0], 0x1008);
	ck_assert_uint_eq(stack[(0x1ff8 - 0x1008) / 8], task);
	ck_assert_uint_eq(stack[(0x2000 - 0x1008) / 8], 0x800);
	/* to the end of what is mapped, and no third time */
	ck_assert_uint_eq(vcpu.seen.nstack, (0x2000 - 0x1008) / 8 + (0x2000 - 0x800) / 8);
}
END_TEST

static const uint64_t nowhere[] = {
	0,
	UINT64_MAX,
	UINT64_MAX - 7,
	HIGH + 0x1801,   /* not aligned */
	HIGH + 0x1800,   /* in what was read already */
	0x1000,          /* a program's */
	HIGH + 64 * KIB, /* mapped to no RAM */
};

START_TEST(guest_leads_us_astray)
{
	to = HIGH + 0x2000;
	ck_assert_int_eq(gmem_write(&mem, 0x1ff8, &nowhere[_i], 8), 0);
	vcpu_see(&vcpu);
	ck_assert_uint_eq(vcpu.seen.nstack, (0x2000 - 0x1008) / 8);
}
END_TEST

START_TEST(stack_is_nowhere)
{
	regs.rsp = _i ? UINT64_MAX : 0;
	to = _i == 2 ? UINT64_MAX : to;
	vcpu_see(&vcpu);
	ck_assert(vcpu.seen.known);
	ck_assert_uint_eq(vcpu.seen.nstack, 0);
}
END_TEST

UNIT_MAIN("vcpu_see_x86", setup, teardown, t)
{
	tcase_add_test(t, vcpu_is_elsewhere);
	tcase_add_test(t, programs_stack_is_read);
	tcase_add_test(t, interrupted_task_has_another_stack);
	tcase_add_loop_test(t, guest_leads_us_astray, 0, ARRAY_SIZE(nowhere));
	tcase_add_loop_test(t, stack_is_nowhere, 0, 3);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_kvm_x86 - what we ask of KVM when a VM is made, and what we do with its answers. */
#include "tests/unit/fake_kvm.h"

#include <stdio.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm.h"

static struct kvm kvm;
static struct err err;

static unsigned int interrupted; /* KVM_CREATE_VM: so many times */
static int version = KVM_API_VERSION, lacks = -1, run_size = 3 * 4096;
static int create_error; /* 0: none */
static struct kvm_userspace_memory_region slot[8];
static unsigned int nslot;
static struct kvm_ioeventfd bell;
static struct kvm_irqfd irqfd;

static int answer(int code)
{
	errno = code;
	return code ? -1 : FAKE_KVM_FD;
}

static int on_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_GET_API_VERSION:
		return version;
	case KVM_CREATE_VM:
		if (interrupted) {
			interrupted--;
			return answer(EINTR);
		}
		return answer(create_error);
	case KVM_GET_VCPU_MMAP_SIZE:
		return run_size;
	case KVM_CHECK_EXTENSION:
		return (int)(intptr_t)arg != lacks;
	case KVM_SET_USER_MEMORY_REGION:
		ck_assert_uint_lt(nslot, ARRAY_SIZE(slot));
		slot[nslot++] = *(struct kvm_userspace_memory_region *)arg;
		return 0;
	case KVM_IOEVENTFD:
		bell = *(struct kvm_ioeventfd *)arg;
		return 0;
	case KVM_IRQFD:
		irqfd = *(struct kvm_irqfd *)arg;
		return 0;
	default:
		return 0;
	}
}

static void teardown(void)
{
	kvm_close(&kvm);
}

static void refused(const char *why)
{
	ck_assert_int_lt(kvm_open(&kvm, &err), 0);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
}

START_TEST(signal_while_the_vm_is_made)
{
	interrupted = 3;
	ck_assert_msg(kvm_open(&kvm, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(kvm.vm_fd, FAKE_KVM_FD);
	ck_assert_uint_eq(interrupted, 0);
}
END_TEST

START_TEST(kvm_that_makes_no_vm)
{
	create_error = EBUSY;
	refused("cannot make a virtual machine: Device or resource busy");
}
END_TEST

START_TEST(kvm_that_is_too_old_or_too_new)
{
	version = 11;
	refused("speaks API version 11");
	kvm_close(&kvm);
	version = KVM_API_VERSION;
	lacks = KVM_CAP_IOEVENTFD;
	refused("no KVM_CAP_IOEVENTFD");
	kvm_close(&kvm);
	lacks = -1;
	run_size = 16;
	refused("only 16 bytes");
}
END_TEST

START_TEST(guest_writes_to_its_memory_and_not_to_registers)
{
	static uint8_t page[4096];
	struct gmem m;

	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	gmem_init(&m, false);
	ck_assert_int_eq(gmem_add(&m, 0, MIB, &err), 0);
	ck_assert_int_eq(kvm_add_memory(&kvm, &m, &err), 0);
	ck_assert_int_eq(kvm_add_rom(&kvm, 0xd0000000, page, 4096, &err), 0);
	ck_assert_int_eq(kvm_add_file(&kvm, 4 * GIB, page, 4096, true, &err), 0);
	ck_assert_int_eq(kvm_add_file(&kvm, 5 * GIB, page, 4096, false, &err), 0);
	ck_assert_uint_eq(nslot, 4);
	for (unsigned int i = 0; i < nslot; i++) {
		ck_assert_uint_eq(slot[i].slot, i);
		ck_assert_uint_eq(slot[i].flags, i == 1 || i == 2 ? KVM_MEM_READONLY : 0);
	}
	ck_assert_uint_eq(slot[0].memory_size, MIB);
	ck_assert_uint_eq(slot[0].userspace_addr, (uintptr_t)m.region[0].host);
	gmem_fini(&m);
}
END_TEST

START_TEST(doorbell_is_rung_by_its_own_value_only)
{
	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	ck_assert_int_eq(kvm.doorbells.bind(&kvm.doorbells, 0xd0000050, 3, 42), 0);
	ck_assert_uint_eq(bell.flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
	ck_assert_uint_eq(bell.addr, 0xd0000050);
	ck_assert_uint_eq(bell.datamatch, 3);
	ck_assert_uint_eq(bell.len, 4);
	ck_assert_int_eq(bell.fd, 42);
}
END_TEST

START_TEST(line_is_bound_and_let_go)
{
	const struct irq_line line = {.fd = 43, .gsi = 9};

	ck_assert_int_eq(kvm_open(&kvm, &err), 0);
	for (unsigned int on = 0; on < 2; on++) {
		ck_assert_int_eq(kvm_irqfd(&kvm, &line, on), 0);
		ck_assert_uint_eq(irqfd.fd, 43);
		ck_assert_uint_eq(irqfd.gsi, 9);
		ck_assert_uint_eq(irqfd.flags, on ? 0 : KVM_IRQFD_FLAG_DEASSIGN);
	}
}
END_TEST

UNIT_MAIN("kvm_x86", NULL, teardown, t)
{
	fake_kvm = on_ioctl;
	tcase_add_test(t, signal_while_the_vm_is_made);
	tcase_add_test(t, kvm_that_makes_no_vm);
	tcase_add_test(t, kvm_that_is_too_old_or_too_new);
	tcase_add_test(t, guest_writes_to_its_memory_and_not_to_registers);
	tcase_add_test(t, doorbell_is_rung_by_its_own_value_only);
	tcase_add_test(t, line_is_bound_and_let_go);
}

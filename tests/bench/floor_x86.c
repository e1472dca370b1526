/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - the least that any VMM has to do to run `minimal`: a VM, memory, a vCPU in
 * protected mode, one OUT, the end.  No devices, no interrupt chips, no CPUID, no checks: a
 * lower bound to compare with, not a way to write a VMM.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/layout_x86.h"

#define FLOOR_RAM (256UL << 20) /* microvm's default */

/* the very instructions of minimal_x86.S */
static const uint8_t floor_code[] = {0xba, 0x01, 0x06, 0, 0, 0xb0, 0x34, 0xee, 0xf4};

static int floor_registers(int vcpu)
{
	struct kvm_regs regs = {.rip = LAYOUT_KERNEL, .rflags = 2};
	struct kvm_sregs s;

	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return -1;
	s.cs.base = s.ds.base = 0;
	s.cs.limit = s.ds.limit = 0xffffffff;
	s.cs.g = s.cs.db = s.ds.g = s.ds.db = 1;
	s.cs.selector = 8;
	s.cr0 |= 1;
	if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0)
		return -1;
	return ioctl(vcpu, KVM_SET_REGS, &regs);
}

static int floor_memory(int vm)
{
	struct kvm_userspace_memory_region slot = {.memory_size = FLOOR_RAM};
	uint8_t *ram = mmap(NULL, FLOOR_RAM, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (ram == MAP_FAILED)
		return -1;
	memcpy(ram + LAYOUT_KERNEL, floor_code, sizeof(floor_code));
	slot.userspace_addr = (uintptr_t)ram;
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot);
}

int main(void)
{
	int dev = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	struct kvm_run *run;

	if (dev < 0 || (vm = ioctl(dev, KVM_CREATE_VM, 0UL)) < 0 ||
	    floor_memory(vm) < 0 || (vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL)) < 0 ||
	    floor_registers(vcpu) < 0)
		return 1;
	run = mmap(NULL, (size_t)ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED || ioctl(vcpu, KVM_RUN, 0) < 0)
		return 1;
	return run->exit_reason == KVM_EXIT_IO && run->io.port == LAYOUT_ACPI_PM + 1 ? 0
										     : 1;
}

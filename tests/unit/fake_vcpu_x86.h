/* SPDX-License-Identifier: Apache-2.0 */
/* fake_vcpu_x86 - a vCPU whose KVM_RUN is the test's, with a device on either bus that remembers.
 * For one .c file a program.
 */
#ifndef MICROVM_TESTS_FAKE_VCPU_X86_H
#define MICROVM_TESTS_FAKE_VCPU_X86_H

#include "tests/unit/fake_kvm.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>

#include "vmm/core/thread.h"
#include "vmm/core/util.h"
#include "vmm/kvm/vcpu.h"

#define PORT   0x3f0
#define WINDOW 0x1000
#define LEN    8 /* of either of the device's windows */

static union {
	struct kvm_run run;
	uint8_t bytes[2 * 4096];
} area; /* what KVM maps for a vCPU: struct kvm_run, then the data of port accesses */
static struct vcpu vcpu;
static struct bus mmio, pio;
static struct err err;
static sem_t entered;

/* ---- a device that remembers ---- */

static struct {
	bool write;
	uint64_t off, val;
	unsigned int size;
	bool by_vcpu;
} seen[16];
static unsigned int nseen;
static sem_t *stops_at; /* NULL, or each access waits for it */

static uint64_t device_access(uint64_t off, unsigned int size, bool write, uint64_t val)
{
	ck_assert_uint_lt(nseen, ARRAY_SIZE(seen));
	seen[nseen].write = write;
	seen[nseen].off = off;
	seen[nseen].size = size;
	seen[nseen].by_vcpu = thread_is_vcpu();
	seen[nseen++].val = val;
	(void)sem_post(&entered);
	while (stops_at && sem_wait(stops_at) < 0)
		;
	return 0x1122334455667788 + nseen;
}

static uint64_t device_read(struct device *d, uint64_t off, unsigned int size)
{
	(void)d;
	return device_access(off, size, false, 0);
}

static void device_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	(void)d;
	(void)device_access(off, size, true, val);
}

static bool slow_if_odd(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	(void)d;
	(void)off;
	(void)size;
	return val & 1;
}

static const struct device_ops ops = {
	.arm = device_nop_arm,
	.read = device_read,
	.write = device_write,
	.reset = device_nop_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = device_nop_state,
	.destroy = device_fini,
};
static struct device ports, registers;

/* ---- KVM_RUN ---- */

static int (*on_run[8])(struct kvm_run *run); /* what each KVM_RUN does */
static unsigned int nrun;
static unsigned int
	told[ARRAY_SIZE(on_run) + 1]; /* KVM_KVMCLOCK_CTRL before each of them */

static struct kvm_mp_state mp;
static struct kvm_regs regs;
static struct kvm_sregs sregs;

static unsigned int ncompleted;      /* KVM_RUNs that only complete what was before */
static _Atomic unsigned int nhalves; /* and that come back with more of it first */

static void (*on_complete)(void); /* NULL, or once, in the next of those */

static int run_second_half(struct kvm_run *run)
{
	nhalves--;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = WINDOW + 4;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
	return 0;
}

static int on_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_GET_MP_STATE:
		memcpy(arg, &mp, sizeof(mp));
		return 0;
	case KVM_GET_REGS:
		memcpy(arg, &regs, sizeof(regs));
		return 0;
	case KVM_GET_SREGS:
		memcpy(arg, &sregs, sizeof(sregs));
		return 0;
	case KVM_KVMCLOCK_CTRL:
		told[nrun]++;
		errno = EINVAL; /* as for a guest without that clock */
		return -1;
	default:
		break;
	}
	errno = EIO;
	if (request != KVM_RUN)
		return -1;
	if (__atomic_load_n(&area.run.immediate_exit, __ATOMIC_SEQ_CST)) {
		if (nhalves)
			return run_second_half(&area.run);
		ncompleted++;
		if (on_complete)
			on_complete();
		on_complete = NULL;
		errno = EINTR;
		return -1;
	}
	ck_assert_uint_lt(nrun, ARRAY_SIZE(on_run));
	return on_run[nrun++](&area.run);
}

static int run_ends(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int run_reads_register(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = WINDOW;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
	return 0;
}

/* ---- the machine's side ---- */

static unsigned int nended;
static enum vcpu_end how;
static char detail[512];

static void on_ended(struct vcpu_host *h, enum vcpu_end why, const char *text)
{
	h->over = true;
	how = why;
	(void)snprintf(detail, sizeof(detail), "%s", text);
	nended++;
}

static struct vcpu_host host = {.mmio = &mmio, .pio = &pio, .ended = on_ended};

static void setup(void)
{
	mmio = (struct bus){.name = "MMIO"};
	pio = (struct bus){.name = "port"};
	device_init(&ports, &ops, DEVICE_SERIAL, "ports", PORT, LEN);
	device_init(&registers, &ops, DEVICE_SERIAL, "registers", WINDOW, LEN);
	ck_assert_int_eq(bus_add(&pio, &ports, &err), 0);
	ck_assert_int_eq(bus_add(&mmio, &registers, &err), 0);
	ck_assert_int_eq(sem_init(&entered, 0, 0), 0);
	area.run = (struct kvm_run){0};
	nended = nseen = nrun = 0;
	on_complete = NULL;
	memset(told, 0, sizeof(told));
	host.pauses = 0;
	host.early = false;
	registers.slow = slow_if_odd;
	stops_at = NULL;
	vcpu = (struct vcpu){.fd = FAKE_KVM_FD, .run = &area.run, .host = &host};
	vcpu_init_signals();
}

static void start(void)
{
	ck_assert_int_eq(vcpu_start(&vcpu, &err), 0);
	vcpu_resume(&vcpu);
}

/* Run @steps to their end.  Return: what ended it */
static enum vcpu_end run(int (*const *step)(struct kvm_run *run), unsigned int n)
{
	memcpy(on_run, step, n * sizeof(*step));
	nrun = 0;
	host.over = false;
	start();
	vcpu_join(&vcpu);
	ck_assert_uint_eq(nrun, n);
	ck_assert_uint_eq(nended, 1);
	return how;
}

#endif

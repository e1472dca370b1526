/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_x86 - does this KVM run a guest's ring 0, or does it interpret it?
 *
 * No name or flag tells (a KVM without vmx and svm may run it, and one with them may be nested in
 * one that does not), so we try: a tiny guest in 64-bit mode counts down, against the clock, and
 * then runs the instructions that every stock kernel needs and KVM's interpreter lacks. Each
 * trial has a vCPU of its own, set up as a machine's is.
 */
#include "vmm/doctor.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/gmem.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_x86.h"
#include "vmm/kvm/vcpu.h"

/* Where things are in the guest's 2 MiB */
#define TRIAL_RAM   (2 * MIB)
#define TRIAL_GDT   0x1000ULL
#define TRIAL_IDT   0x2000ULL
#define TRIAL_PML4  0x3000ULL
#define TRIAL_PDPT  0x4000ULL
#define TRIAL_PD    0x5000ULL
#define TRIAL_DATA  0x6000ULL /* RSI: 4 KiB, all zeros */
#define TRIAL_STACK 0x9000ULL
#define TRIAL_CODE  0x9000ULL

#define TRIAL_CODE64 0x10   /* as struct boot_result has it */
#define TRIAL_VALUE  42u    /* RBX after the instruction did its work */
#define TRIAL_LOOPS  50000u /* of two instructions; trial_loop says it too */
#define TRIAL_RUNS   3      /* the fastest counts: the CPU may have been shared */
/* Native code runs 200 M instructions a second even in an emulated processor, interpreted code
 * 1.3 M; the measured time includes one exit (40 us).
 */
#define TRIAL_NATIVE 20000000u

#define CR4_OSFXSR  (UINT64_C(1) << 9)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define LEAF1_XSAVE (1u << 26)

/* The guest's code, position-independent, copied to TRIAL_CODE. Each part ends with a port write,
 * an exit.
 */
extern const char trial_code[], trial_code_end[], trial_loop[], trial_int3[],
	trial_handler[], trial_cmpxchg16b[], trial_fxrstor[], trial_xrstor[];
__asm__(".pushsection .rodata\n"
	"trial_code:\n"
	"trial_loop:\n"
	"	outb	%al, $0x80\n" /* the clock starts */
	"	movl	$50000, %ecx\n"
	"1:	decl	%ecx\n"
	"	jnz	1b\n"
	"	movl	$42, %ebx\n"
	"	outb	%al, $0x80\n"
	"trial_int3:\n"
	"	int3\n"
	"	outb	%al, $0x80\n"
	"trial_handler:\n"
	"	movl	$42, %ebx\n"
	"	iretq\n"
	"trial_cmpxchg16b:\n" /* 0 there, 0 in EDX:EAX: ECX:EBX is stored */
	"	movl	$42, %ebx\n"
	"	xorl	%eax, %eax\n"
	"	xorl	%edx, %edx\n"
	"	xorl	%ecx, %ecx\n"
	"	lock cmpxchg16b (%rsi)\n"
	"	movl	(%rsi), %ebx\n"
	"	outb	%al, $0x80\n"
	"trial_fxrstor:\n"
	"	fxsave	(%rsi)\n"
	"	fxrstor	(%rsi)\n"
	"	movl	$42, %ebx\n"
	"	outb	%al, $0x80\n"
	"trial_xrstor:\n"
	"	movl	$1, %eax\n"
	"	xorl	%edx, %edx\n"
	"	xsave	(%rsi)\n"
	"	xrstor	(%rsi)\n"
	"	movl	$42, %ebx\n"
	"	outb	%al, $0x80\n"
	"trial_code_end:\n"
	".popsection\n");

struct trial {
	struct kvm *kvm;
	struct gmem mem;
	unsigned int nvcpu; /* made so far: the next one's id */
};

struct trial_result {
	bool done;    /* ended at its last port write, with the right RBX */
	uint64_t ns;  /* from the port write before that, or from the start */
	char why[96]; /* if not done */
};

static gpa_t trial_gpa(const char *label)
{
	return TRIAL_CODE + (gpa_t)(label - trial_code);
}

/* An interrupt gate for vector 3; the others stay absent: any other fault is a triple one */
static void trial_fill_tables(struct gmem *m)
{
	uint64_t handler = trial_gpa(trial_handler);
	const uint64_t gdt[] = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};
	const uint64_t gate[] = {(handler & 0xffff) | TRIAL_CODE64 << 16 |
					 UINT64_C(0x8e) << 40 | (handler >> 16) << 48,
				 0};
	const uint64_t pml4 = TRIAL_PDPT | 3, pdpt = TRIAL_PD | 3, pd = 0x83;

	int rc = gmem_write(m, TRIAL_GDT, gdt, sizeof(gdt)) |
		 gmem_write(m, TRIAL_IDT + 3 * sizeof(gate), gate, sizeof(gate)) |
		 gmem_write(m, TRIAL_PML4, &pml4, sizeof(pml4)) |
		 gmem_write(m, TRIAL_PDPT, &pdpt, sizeof(pdpt)) |
		 gmem_write(m, TRIAL_PD, &pd, sizeof(pd)) |
		 gmem_write(m, TRIAL_CODE, trial_code,
			    (size_t)(trial_code_end - trial_code));

	BUG_ON(rc); /* all of it is within TRIAL_RAM */
}

/* Registers as at a 64-bit kernel's entry, and what a kernel would switch on next */
static int trial_set_registers(struct vcpu *c, const char *code, uint64_t cr4,
			       struct err *e)
{
	const struct boot_result entry = {
		.mode = BOOT_LONG64,
		.entry = trial_gpa(code),
		.rsi = TRIAL_DATA,
		.cr3 = TRIAL_PML4,
		.gdt = TRIAL_GDT,
		.stack = TRIAL_STACK,
	};
	struct kvm_sregs s;

	if (vcpu_set_entry(c, &entry, e) < 0)
		return -e->code;
	if (ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return err_set(e, errno, "KVM_GET_SREGS: %s", strerror(errno));
	s.idt.base = TRIAL_IDT;
	s.idt.limit = 4 * 16 - 1;
	s.cr4 |= cr4;
	if (ioctl(c->fd, KVM_SET_SREGS, &s) < 0)
		return err_set(e, errno, "KVM_SET_SREGS: %s", strerror(errno));
	return 0;
}

static void trial_explain(const struct kvm_run *run, struct trial_result *r)
{
	if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR &&
	    run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		(void)snprintf(r->why, sizeof(r->why), "KVM cannot emulate it");
	else if (run->exit_reason == KVM_EXIT_SHUTDOWN)
		(void)snprintf(r->why, sizeof(r->why), "it faulted");
	else
		(void)snprintf(r->why, sizeof(r->why), "KVM exit %u", run->exit_reason);
}

/* Run @c to its @nwrites-th port write */
static void trial_execute(struct vcpu *c, unsigned int nwrites, struct trial_result *r)
{
	struct kvm_regs regs;

	for (unsigned int i = 0; i < nwrites; i++) {
		uint64_t start = monotonic_ns();

		if (ioctl(c->fd, KVM_RUN, 0) < 0) {
			(void)snprintf(r->why, sizeof(r->why), "%s",
				       errno == EINTR ? "it does not end"
						      : strerror(errno));
			return;
		}
		r->ns = monotonic_ns() - start;
		if (c->run->exit_reason != KVM_EXIT_IO) {
			trial_explain(c->run, r);
			return;
		}
	}
	r->done = ioctl(c->fd, KVM_GET_REGS, &regs) == 0 && regs.rbx == TRIAL_VALUE;
	if (!r->done)
		(void)snprintf(r->why, sizeof(r->why), "it has no effect");
}

static struct trial_result trial_run(struct trial *t, const char *code, uint64_t cr4,
				     unsigned int nwrites)
{
	struct trial_result r = {0};
	struct vcpu_host host = {.mem = &t->mem};
	struct err e = {0};
	struct vcpu c;

	if (vcpu_create(&c, t->kvm, t->nvcpu++, 1, &host, &e) < 0 ||
	    trial_set_registers(&c, code, cr4, &e) < 0) {
		(void)snprintf(r.why, sizeof(r.why), "%.90s", e.msg);
	} else {
		doctor_set_alarm(true);
		trial_execute(&c, nwrites, &r);
		doctor_set_alarm(false);
	}
	vcpu_destroy(&c);
	return r;
}

static void trial_speed(struct doctor *d, struct trial *t)
{
	struct trial_result r;
	uint64_t best = 0, rate;

	for (unsigned int i = 0; i < TRIAL_RUNS; i++) {
		r = trial_run(t, trial_loop, 0, 2);
		if (!r.done)
			break;
		rate = UINT64_C(2000000000) * TRIAL_LOOPS / MAX(r.ns, 1);
		best = MAX(best, rate);
		if (best >= TRIAL_NATIVE)
			break;
	}
	if (!best)
		doctor_say(d, DOCTOR_NO, "guest ring 0", "does not run: %s", r.why);
	else if (best < TRIAL_NATIVE)
		doctor_say(d, DOCTOR_NO, "guest ring 0",
			   "is interpreted (%.1f M instructions/s), not run: a KVM on "
			   "hardware virtualization is needed",
			   (double)best / 1e6);
	else
		doctor_say(d, DOCTOR_OK, "guest ring 0",
			   "runs natively (over %.0f M instructions/s)",
			   (double)best / 1e6);
}

static void trial_instruction(struct doctor *d, struct trial *t, const char *name,
			      const char *code, uint64_t cr4)
{
	struct trial_result r = trial_run(t, code, cr4, 1);

	if (r.done)
		doctor_say(d, DOCTOR_OK, name, "works in ring 0");
	else
		doctor_say(d, DOCTOR_NO, name,
			   "%s in ring 0, and every stock kernel uses it", r.why);
}

/* Does the table that the vCPUs were given offer XSAVE? */
static bool trial_has_xsave(struct kvm *k)
{
	struct err e;
	const struct kvm_cpuid2 *cpuid = kvm_x86_cpuid(k, 1, 0, &e);

	for (uint32_t i = 0; cpuid && i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			return cpuid->entries[i].ecx & LEAF1_XSAVE;
	return false;
}

void doctor_arch_trial(struct doctor *d, struct kvm *k)
{
	struct trial t = {.kvm = k};
	struct err e = {0};

	gmem_init(&t.mem, false);
	if (gmem_add(&t.mem, 0, TRIAL_RAM, &e) < 0 || kvm_add_memory(k, &t.mem, &e) < 0) {
		doctor_say(d, DOCTOR_NO, "guest memory", "%s", e.msg);
	} else {
		trial_fill_tables(&t.mem);
		trial_speed(d, &t);
		trial_instruction(d, &t, "int3", trial_int3, 0);
		trial_instruction(d, &t, "cmpxchg16b", trial_cmpxchg16b, 0);
		trial_instruction(d, &t, "fxrstor", trial_fxrstor, CR4_OSFXSR);
		if (trial_has_xsave(k))
			trial_instruction(d, &t, "xrstor", trial_xrstor,
					  CR4_OSFXSR | CR4_OSXSAVE);
	}
	gmem_fini(&t.mem);
}

const struct doctor_cap doctor_arch_caps[] = {
	{KVM_CAP_SPLIT_IRQCHIP, "KVM_CAP_SPLIT_IRQCHIP", DOCTOR_NO, "interrupts"},
	{KVM_CAP_X2APIC_API, "KVM_CAP_X2APIC_API", DOCTOR_NO, "interrupts"},
	{KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR", DOCTOR_NO, "Intel processors"},
	{KVM_CAP_SET_IDENTITY_MAP_ADDR, "KVM_CAP_SET_IDENTITY_MAP_ADDR", DOCTOR_NO,
	 "Intel processors"},
	{KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID", DOCTOR_NO, "the processor's features"},
	{KVM_CAP_TSC_DEADLINE_TIMER, "KVM_CAP_TSC_DEADLINE_TIMER", DOCTOR_NOTE,
	 "timers that cost less"},
	{KVM_CAP_GET_TSC_KHZ, "KVM_CAP_GET_TSC_KHZ", DOCTOR_NOTE,
	 "a clock without calibration"},
	{KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER", DOCTOR_NOTE,
	 "limiting the MSRs of a guest"},
	{KVM_CAP_ENFORCE_PV_FEATURE_CPUID, "KVM_CAP_ENFORCE_PV_FEATURE_CPUID",
	 DOCTOR_NOTE, "limiting the hypercalls of a guest"},
};
const unsigned int doctor_arch_ncaps = ARRAY_SIZE(doctor_arch_caps);

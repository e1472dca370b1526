/* SPDX-License-Identifier: Apache-2.0 */
/* msr_x86 - which registers a guest reaches (KVM API document, KVM_X86_SET_MSR_FILTER). */
#include "vmm/kvm/msr_x86.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* Where registers are; each becomes a range of KVM's, which takes KVM_MSR_FILTER_MAX_RANGES. All
 * others are denied, Hyper-V's (0x40000000) included, which no guest of ours is told of.
 */
static const struct {
	uint32_t base, count;
} msr_windows[] = {
	{0x0, 0x2000},        /* Intel's, which AMD shares in part */
	{0x4b564d00, 0x100},  /* KVM's own */
	{0xc0000000, 0x1000}, /* AMD's, which Intel shares in part */
	{0xc0010000, 0x2000}, /* AMD's */
};
#define MSR_WINDOWS     ARRAY_SIZE(msr_windows)
#define MSR_WINDOW_MAX  0x2000
#define MSR_BITMAP_SIZE (MSR_WINDOW_MAX / 8)
_Static_assert(MSR_BITMAP_SIZE <= KVM_MSR_FILTER_MAX_BITMAP_SIZE, "as KVM takes it");

/* KVM emulates these and does not list them: they are no state to be saved, or are saved another
 * way.
 */
static const struct {
	uint32_t first, last;
} msr_unlisted[] = {
	{0x17, 0x17},   /* platform id: read by Intel's microcode driver */
	{0x1b, 0x1b},   /* the local APIC's base and mode */
	{0x2a, 0x2a},   /* power-on configuration */
	{0x2c, 0x2c},   /* bus clock: read to reckon the processor's */
	{0x49, 0x49},   /* prediction command: a barrier against speculation */
	{0x79, 0x79},   /* microcode update: KVM drops it */
	{0x8b, 0x8b},   /* microcode revision */
	{0xcd, 0xcd},   /* bus clock, as 0x2c */
	{0xfe, 0xfe},   /* MTRRs: how many, */
	{0x10b, 0x10b}, /* flush command: level 1 data cache */
	{0x11e, 0x11e}, /* L2 cache control */
	{0x122, 0x122}, /* TSX control, for switching it off: listed since Linux 6.7 */
	{0x179, 0x17b}, /* machine checks: capabilities, status, control */
	{0x198, 0x199}, /* performance state: KVM makes one up */
	{0x1d9, 0x1d9}, /* debug control */
	{0x1db, 0x1de}, /* last branch and interrupt: read as zero */
	{0x200, 0x2ff}, /* MTRRs: ranges; PAT; machine checks: when they interrupt */
	{0x400, 0x47f}, /* machine checks: 32 banks */
	{0x606, 0x606}, /* energy: these read as zero, and kernels read them by model, */
	{0x611, 0x611}, /* package, */
	{0x619, 0x619}, /* memory, */
	{0x639, 0x639}, /* cores, */
	{0x641, 0x641}, /* graphics */
	{0x6e0, 0x6e0}, /* TSC deadline */
	{0xda0, 0xda0}, /* what XSAVES saves of the supervisor's state */
	{0xc0000080, 0xc0000084}, /* EFER, SYSCALL */
	{0xc0000100, 0xc0000103}, /* bases of FS and GS, TSC_AUX */
	{0xc0010010, 0xc0010010}, /* system configuration: read by the MTRR code */
	{0xc0010015, 0xc0010015}, /* hardware configuration */
	{0xc001001b, 0xc001001b}, /* clock control */
	{0xc001001f, 0xc001001f}, /* northbridge configuration */
	{0xc0010020, 0xc0010020}, /* microcode update: KVM drops it */
	{0xc0010055, 0xc0010055}, /* interrupt pending */
	{0xc0010058, 0xc0010058}, /* base of PCI's configuration space */
	{0xc0010112, 0xc0010114}, /* SMM's memory; is SVM locked? */
	{0xc0010117, 0xc0010117}, /* SVM's host save area: read as zero */
	{0xc0010140, 0xc0010141}, /* errata that need no workaround */
	{0xc0011021, 0xc0011023}, /* instruction and data cache configuration */
	{0xc0011029, 0xc001102a}, /* decoder configuration (is LFENCE serializing?) */
	{0xc001102c, 0xc001102c}, /* execution unit configuration */
};

struct msr_filter {
	struct kvm_msr_filter kvm;
	uint8_t bits[MSR_WINDOWS][MSR_BITMAP_SIZE];
};

static void msr_allow(struct msr_filter *f, uint32_t msr)
{
	for (unsigned int i = 0; i < MSR_WINDOWS; i++) {
		uint32_t at = msr - msr_windows[i].base;

		if (at < msr_windows[i].count)
			f->bits[i][at / 8] |= (uint8_t)(1u << at % 8);
	}
}

struct kvm_msr_list *msr_fetch(const struct kvm *k, unsigned long request)
{
	struct kvm_msr_list none = {0}, *list;

	/* KVM gives the number in any case */
	if (ioctl(k->dev_fd, request, &none) < 0 && errno != E2BIG)
		return NULL;
	list = calloc(1, sizeof(*list) + none.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return NULL;
	list->nmsrs = none.nmsrs;
	if (ioctl(k->dev_fd, request, list) == 0)
		return list;
	free(list);
	return NULL;
}

static int msr_allow_listed(struct msr_filter *f, const struct kvm *k,
			    unsigned long request)
{
	cleanup_free struct kvm_msr_list *list = msr_fetch(k, request);

	if (!list)
		return -errno;
	for (uint32_t i = 0; i < list->nmsrs; i++)
		msr_allow(f, list->indices[i]);
	return 0;
}

static void msr_set_ranges(struct msr_filter *f)
{
	f->kvm.flags = KVM_MSR_FILTER_DEFAULT_DENY;
	for (unsigned int i = 0; i < MSR_WINDOWS; i++)
		f->kvm.ranges[i] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			.base = msr_windows[i].base,
			.nmsrs = msr_windows[i].count,
			.bitmap = f->bits[i],
		};
}

int msr_limit(const struct kvm *k, struct err *e)
{
	cleanup_free struct msr_filter *f = NULL;
	int rc;

	if (kvm_has(k, KVM_CAP_X86_MSR_FILTER) <= 0) {
		log_debug("this host's KVM cannot limit a guest's MSRs");
		return 0;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(e, ENOMEM, "no memory for the VM");
	for (unsigned int i = 0; i < ARRAY_SIZE(msr_unlisted); i++)
		for (uint32_t msr = msr_unlisted[i].first; msr <= msr_unlisted[i].last;
		     msr++)
			msr_allow(f, msr);
	rc = msr_allow_listed(f, k, KVM_GET_MSR_INDEX_LIST);
	if (rc == 0 && kvm_has(k, KVM_CAP_GET_MSR_FEATURES) > 0)
		rc = msr_allow_listed(f, k, KVM_GET_MSR_FEATURE_INDEX_LIST);
	if (rc < 0)
		return err_set(e, -rc, "KVM does not tell which MSRs it has: %s",
			       strerror(-rc));
	msr_set_ranges(f);
	if (ioctl(k->vm_fd, KVM_X86_SET_MSR_FILTER, &f->kvm) < 0)
		return err_set(e, errno, "KVM refuses to limit the guest's MSRs: %s",
			       strerror(errno));
	return 0;
}

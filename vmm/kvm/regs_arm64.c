/* SPDX-License-Identifier: Apache-2.0 */
/*
 * regs_arm64 - registers one by one, and a walk through the guest's stage 1 tables (Arm
 * ARM, D8 "The AArch64 Virtual Memory System Architecture"): KVM has no KVM_TRANSLATE here.
 */
#include "vmm/kvm/regs_arm64.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/core/util.h"

#define SCTLR_M UINT64_C(1) /* the MMU is on */
/* TCR_EL1: TTBR1's half begins at bit 16 and names the granules in another order */
#define TCR_TSZ(half) ((unsigned int)(half)&0x3f)
#define TCR_TG(half)  ((unsigned int)((half) >> 14) & 3)
#define TCR_BITS_MAX  52 /* with FEAT_LVA */
#define DESC_VALID    UINT64_C(1)
#define DESC_TABLE    UINT64_C(2)
#define DESC_ADDRESS  UINT64_C(0x0000fffffffff000) /* down to the granule */
#define TTBR_ADDRESS  UINT64_C(0x0000fffffffffffe) /* ASID above, CnP below */
#define BITS(n)       ((UINT64_C(1) << (n)) - 1)

int regs_get(int fd, uint64_t reg, uint64_t *value)
{
	struct kvm_one_reg r = {.id = reg, .addr = (uintptr_t)value};

	return ioctl(fd, KVM_GET_ONE_REG, &r) < 0 ? -errno : 0;
}

int regs_set(int fd, uint64_t reg, uint64_t value)
{
	struct kvm_one_reg r = {.id = reg, .addr = (uintptr_t)&value};

	return ioctl(fd, KVM_SET_ONE_REG, &r) < 0 ? -errno : 0;
}

/* What a walk through one half of the address space needs */
struct regs_space {
	unsigned int bits; /* of a virtual address */
	unsigned int
		page; /* bits of an offset in a page; a table has 2^(page - 3) entries */
	uint64_t table; /* the first */
};

static int regs_get_space(int fd, bool high, struct regs_space *s)
{
	static const uint8_t page[2][4] = {{12, 16, 14, 0}, {0, 14, 12, 16}};
	uint64_t tcr = 0;
	int rc = regs_get(fd, REG_TCR, &tcr);

	s->table = 0;
	if (rc == 0)
		rc = regs_get(fd, high ? REG_TTBR1 : REG_TTBR0, &s->table);
	if (rc < 0)
		return rc;
	tcr >>= high ? 16 : 0;
	s->table &= TTBR_ADDRESS;
	s->bits = 64 - TCR_TSZ(tcr);
	s->page = page[high][TCR_TG(tcr)];
	return s->page && s->bits > s->page && s->bits <= TCR_BITS_MAX ? 0 : -EFAULT;
}

static int regs_walk(const struct gmem *m, const struct regs_space *s, uint64_t va,
		     gpa_t *gpa)
{
	unsigned int stride = s->page - 3, low = s->page;
	uint64_t desc, table = s->table;

	while (low + stride < s->bits)
		low += stride; /* the first table's */
	for (va &= BITS(s->bits);; low -= stride) {
		uint64_t index = va >> low & BITS(stride);

		if (gmem_read(m, table + index * sizeof(desc), &desc, sizeof(desc)) < 0 ||
		    !(desc & DESC_VALID))
			return -EFAULT;
		table = desc & DESC_ADDRESS & ~BITS(s->page);
		if (low == s->page || !(desc & DESC_TABLE))
			break;
	}
	*gpa = (table & ~BITS(low)) | (va & BITS(low));
	return 0;
}

int regs_translate(int fd, const struct gmem *m, uint64_t va, gpa_t *gpa)
{
	struct regs_space s;
	uint64_t sctlr;
	int rc = regs_get(fd, REG_SCTLR, &sctlr);

	if (rc < 0)
		return rc;
	*gpa = va;
	if (!(sctlr & SCTLR_M))
		return 0;
	rc = regs_get_space(fd, va >> 55 & 1, &s);
	return rc < 0 ? rc : regs_walk(m, &s, va, gpa);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race - one processor offers chains while another rewrites them: descriptors, the indirect
 * table, the rings. A field that the device reads twice differs the second time. Bounded by
 * rounds=; needs two processors and a disk or entropy device.
 */
#include "guest-images/payloads/hostile/cases.h"
#include "vmm/core/layout_x86.h"

static struct rig rig;
static volatile bool stop, stopped;

/* race_word() - one of the values that a check could be fooled with */
static uint64_t race_word(struct prng *p)
{
	const uint64_t words[] = {rig_addr(&rig, RIG_DATA),
				  rig_addr(&rig, RIG_INDIRECT),
				  cases_ram_end() - 16,
				  cases_ram_end(),
				  LAYOUT_VIRTIO,
				  UINT64_MAX - 15,
				  0,
				  UINT64_C(1) << 63};

	return words[prng_below(p, sizeof(words) / sizeof(words[0]))];
}

static void race_flip_desc(struct prng *p, volatile struct vring_desc *d)
{
	static const uint32_t lens[] = {0, 1, 15, 16, 32, 64, 0x80000000, UINT32_MAX};

	switch (prng_below(p, 4)) {
	case 0:
		d->addr = race_word(p);
		break;
	case 1:
		d->len = lens[prng_below(p, sizeof(lens) / sizeof(lens[0]))];
		break;
	case 2:
		d->flags = (uint16_t)prng_below(p, 8);
		break;
	default:
		d->next = (uint16_t)prng_below(p, RIG_QUEUE + 4);
	}
}

/* The other processor */
static void race_flip(void)
{
	struct vring_desc *indirect = (void *)(rig.arena + RIG_INDIRECT);
	struct prng p;

	prng_seed(&p, cmdline_u64("seed", 1) + 1);
	while (!stop) {
		unsigned int i = (unsigned int)prng_below(&p, 8);

		if (prng_below(&p, 3))
			race_flip_desc(&p, &rig.vq->desc[i]);
		else
			race_flip_desc(&p, &indirect[i]);
		if (!prng_below(&p, 64))
			rig.vq->avail->ring[i] = (uint16_t)prng_below(&p, RIG_QUEUE + 2);
	}
	stopped = true;
}

/* race_round() - an honest request that does not stay honest.  The device promises nothing about
 * it except that it can be reset
 */
static bool race_round(struct prng *p)
{
	if (!rig_begin(&rig))
		return false;
	vio_driver_ok(&rig.v);
	for (uint16_t idx = 1; idx <= RIG_QUEUE; idx++) {
		rig.vq->desc[0].flags = (uint16_t)(prng_below(p, 2)
							   ? VRING_DESC_F_INDIRECT
							   : VRING_DESC_F_WRITE);
		__atomic_store_n(&rig.vq->avail->idx, idx, __ATOMIC_RELEASE);
		vio_write(&rig.v, VIRTIO_MMIO_QUEUE_NOTIFY, rig.t->qi);
		if (vio_status(&rig.v) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return true;
	}
	return true;
}

static bool race_target(const struct target *t, uint64_t rounds)
{
	struct prng p;

	prng_seed(&p, cmdline_u64("seed", 1));
	stop = stopped = false;
	if (!rig_works(&rig) || !rt_ap_start(1, race_flip)) {
		print("FAIL %s or the other processor does not start\n", t->name);
		return false;
	}
	while (rounds--)
		if (!race_round(&p)) {
			print("WEDGED %s\n", t->name);
			return false;
		}
	stop = true;
	while (!stopped)
		cpu_relax();
	if (!rig_works(&rig)) {
		print("WEDGED %s\n", t->name);
		return false;
	}
	print("PASS %s\n", t->name);
	return true;
}

int main(void)
{
	uint64_t rounds = cmdline_u64("rounds", 100);
	unsigned int raced = 0;

	for (unsigned int i = 0; i < rig_ntargets; i++) {
		if (!rig_open(&rig, &rig_targets[i]))
			continue;
		if (!race_target(&rig_targets[i], rounds))
			return 1;
		raced++;
	}
	print("%u raced\n", raced);
	return !raced;
}

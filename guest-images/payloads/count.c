/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count - steps through a sequence of numbers, in registers, until its first disk has another size;
 * then it checks by another way that it is where so many steps lead. It says what its balloon is asked
 * for whenever that changes. None of its devices is brought to life, but their registers are read.
 */
#include <linux/virtio_balloon.h>
#include <linux/virtio_blk.h>

#include "guest-images/payloads/rt/virtio.h"

#define COUNT_MUL   UINT64_C(6364136223846793005)
#define COUNT_ADD   UINT64_C(1442695040888963407)
#define COUNT_STEPS 50000 /* between two looks */

static uint64_t count_disk_size(const struct vio *v)
{
	uint64_t at = v->base + VIRTIO_MMIO_CONFIG +
		      offsetof(struct virtio_blk_config, capacity);

	return read32(at) | (uint64_t)read32(at + 4) << 32;
}

static uint32_t count_balloon(const struct vio *v)
{
	return read32(v->base + VIRTIO_MMIO_CONFIG +
		      offsetof(struct virtio_balloon_config, num_pages));
}

/* Where @n steps from 0 lead: the step is doubled as often as @n has bits */
static uint64_t count_jump(uint64_t n)
{
	uint64_t mul = COUNT_MUL, add = COUNT_ADD, x = 0;

	for (; n; n >>= 1) {
		if (n & 1)
			x = x * mul + add;
		add *= mul + 1;
		mul *= mul;
	}
	return x;
}

int main(void)
{
	struct vio disk, balloon;
	bool has = vio_find(&balloon, VIRTIO_ID_BALLOON, 0);
	uint32_t asked = has ? count_balloon(&balloon) : 0;
	uint64_t size, x = 0, n = 0;

	if (!vio_find(&disk, VIRTIO_ID_BLOCK, 0)) {
		print("FAIL: no disk\n");
		return 1;
	}
	size = count_disk_size(&disk);
	print("counting\n");
	while (count_disk_size(&disk) == size) {
		for (unsigned int i = 0; i < COUNT_STEPS; i++)
			x = x * COUNT_MUL + COUNT_ADD;
		n += COUNT_STEPS;
		if (has && count_balloon(&balloon) != asked) {
			asked = count_balloon(&balloon);
			print("the balloon is asked for %u pages\n", asked);
		}
	}
	print("%lu steps, %lu sectors\n", n, count_disk_size(&disk));
	print(x == count_jump(n) ? "PASS\n" : "FAIL: another number\n");
	return x != count_jump(n);
}

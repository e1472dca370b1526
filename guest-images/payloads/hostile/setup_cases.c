/* SPDX-License-Identifier: Apache-2.0 */
/* setup_cases - queues set up wrongly, or set up again while they run. */
#include "guest-images/payloads/hostile/cases.h"
#include "vmm/core/layout_x86.h"

static void setup_reg(struct rig *r, unsigned int reg, uint32_t val)
{
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL, r->t->qi);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_READY, 0);
	vio_write(&r->v, reg, val);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void setup_addr(struct rig *r, unsigned int low, uint64_t addr)
{
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL, r->t->qi);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_READY, 0);
	vio_write(&r->v, low, (uint32_t)addr);
	vio_write(&r->v, low + 4, (uint32_t)(addr >> 32));
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Before DRIVER_OK */
#define SETUP_SIZE(name, n)                             \
	static void name(struct rig *r)                 \
	{                                               \
		setup_reg(r, VIRTIO_MMIO_QUEUE_NUM, n); \
	}
SETUP_SIZE(setup_size_0, 0)
SETUP_SIZE(setup_size_3, 3)
SETUP_SIZE(setup_size_32768, 32768)
SETUP_SIZE(setup_size_65536, 65536 + RIG_QUEUE)
SETUP_SIZE(setup_size_max, UINT32_MAX)

#define SETUP_ADDR(name, reg, addr)                                   \
	static void name(struct rig *r)                               \
	{                                                             \
		setup_addr(r, VIRTIO_MMIO_QUEUE_##reg##_LOW, (addr)); \
	}
SETUP_ADDR(setup_desc_misaligned, DESC, (uintptr_t)r->vq->desc + 1)
SETUP_ADDR(setup_avail_misaligned, AVAIL, (uintptr_t)r->vq->avail + 1)
SETUP_ADDR(setup_used_misaligned, USED, (uintptr_t)r->vq->used + 2)
SETUP_ADDR(setup_desc_straddles, DESC, cases_ram_end() - 16)
SETUP_ADDR(setup_avail_straddles, AVAIL, cases_ram_end() - 4)
SETUP_ADDR(setup_used_straddles, USED, cases_ram_end() - 4)
SETUP_ADDR(setup_desc_in_device, DESC, LAYOUT_VIRTIO)
SETUP_ADDR(setup_avail_in_device, AVAIL, LAYOUT_VIRTIO)
SETUP_ADDR(setup_used_in_device, USED, LAYOUT_VIRTIO)
SETUP_ADDR(setup_desc_wraps, DESC, UINT64_MAX - 15)
SETUP_ADDR(setup_avail_wraps, AVAIL, UINT64_MAX - 1)
SETUP_ADDR(setup_used_wraps, USED, UINT64_MAX - 3)
SETUP_ADDR(setup_used_is_avail, USED, ((uintptr_t)r->vq->avail + 3) & ~3ULL)
SETUP_ADDR(setup_used_is_desc, USED, (uintptr_t)r->vq->desc)

static void setup_not_ready(struct rig *r)
{
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL, r->t->qi);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_READY, 0);
}
static void setup_kick_early(struct rig *r)
{
	__atomic_store_n(&r->vq->avail->idx, 1, __ATOMIC_RELEASE);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_NOTIFY, r->t->qi);
}

static void setup_early_selectors(struct rig *r)
{
	for (unsigned int i = 3; i <= 32; i++) {
		vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL,
			  (uint32_t)((UINT64_C(1) << i) - 1));
		for (unsigned int reg = VIRTIO_MMIO_QUEUE_NUM;
		     reg <= VIRTIO_MMIO_QUEUE_READY;
		     reg += VIRTIO_MMIO_QUEUE_READY - VIRTIO_MMIO_QUEUE_NUM)
			vio_write(&r->v, reg, 1);
		for (unsigned int reg = VIRTIO_MMIO_QUEUE_DESC_LOW;
		     reg <= VIRTIO_MMIO_QUEUE_USED_HIGH; reg += 4)
			vio_write(&r->v, reg, 0xfffffff0);
	}
}
/* setup_table_at_end() - an honest table, the last thing in RAM */
static void setup_table_at_end(struct rig *r)
{
	uint64_t at = cases_ram_end() - RIG_QUEUE * sizeof(struct vring_desc);

	memcpy((void *)(uintptr_t)at, r->vq->desc, RIG_QUEUE * sizeof(struct vring_desc));
	setup_addr(r, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	r->any_memory = true;
}

/* After it */
/* setup_live_grown() - after setup_table_at_end(): the head would lie past RAM */
static void setup_live_grown(struct rig *r)
{
	setup_reg(r, VIRTIO_MMIO_QUEUE_NUM, 256);
	r->vq->avail->ring[0] = 255;
}
static void setup_live_sizes(struct rig *r)
{
	static const uint32_t n[] = {0, 1, 3, 256, 257, 65535, UINT32_MAX};

	vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL, r->t->qi);
	for (unsigned int i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		vio_write(&r->v, VIRTIO_MMIO_QUEUE_NUM, n[i]);
}
static void setup_live_size_256(struct rig *r)
{
	setup_reg(r, VIRTIO_MMIO_QUEUE_NUM, 256);
}
static void setup_live_addresses(struct rig *r)
{
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL, r->t->qi);
	for (unsigned int reg = VIRTIO_MMIO_QUEUE_DESC_LOW;
	     reg <= VIRTIO_MMIO_QUEUE_USED_HIGH; reg += 4)
		vio_write(&r->v, reg, 0xfffffff0);
}
static void setup_live_unready(struct rig *r)
{
	setup_not_ready(r);
}
static void setup_live_features(struct rig *r)
{
	for (uint32_t sel = 0; sel < 3; sel++) {
		vio_write(&r->v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
		vio_write(&r->v, VIRTIO_MMIO_DRIVER_FEATURES, UINT32_MAX);
	}
}
static void setup_live_status_back(struct rig *r)
{
	for (uint32_t s = 1; s < 256; s++)
		vio_write(&r->v, VIRTIO_MMIO_STATUS, s);
}
static void setup_live_selectors(struct rig *r)
{
	for (unsigned int i = 0; i <= 32; i++) {
		uint32_t sel = (uint32_t)((UINT64_C(1) << i) - 1);

		vio_write(&r->v, VIRTIO_MMIO_QUEUE_SEL, sel);
		vio_write(&r->v, VIRTIO_MMIO_QUEUE_READY, 1);
		(void)vio_read(&r->v, VIRTIO_MMIO_QUEUE_NUM_MAX);
		(void)vio_read(&r->v, VIRTIO_MMIO_QUEUE_READY);
		vio_write(&r->v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, sel);
		(void)vio_read(&r->v, VIRTIO_MMIO_DEVICE_FEATURES);
	}
}
/* setup_reset_once() - as many chains as there is room for, kicked, and reset @ns later:
 * from then on all of it is ours again
 */
static void setup_reset_once(struct rig *r, uint64_t ns)
{
	uint8_t *data = r->arena + RIG_DATA;
	uint16_t n = 0;

	if (!rig_begin(r))
		return;
	vio_driver_ok(&r->v);
	rig_lay(r);
	for (; (n + 1U) * r->t->ndesc <= RIG_QUEUE; n++) {
		struct vring_desc *d = &r->vq->desc[n * r->t->ndesc];

		for (unsigned int i = 0; i < r->t->ndesc; i++) {
			d[i] = r->vq->desc[i];
			d[i].next = (uint16_t)(n * r->t->ndesc + i + 1);
		}
		r->vq->avail->ring[n] = (uint16_t)(n * r->t->ndesc);
	}
	__atomic_store_n(&r->vq->avail->idx, n, __ATOMIC_RELEASE);
	vio_write(&r->v, VIRTIO_MMIO_QUEUE_NOTIFY, r->t->qi);
	for (uint64_t end = now_ns() + ns; now_ns() < end;)
		cpu_relax();
	vio_write(&r->v, VIRTIO_MMIO_STATUS, 0);
	if (vio_status(&r->v))
		return;
	memset(data, 0x5a, r->t->len); /* at once: a write may be on its way */
	for (uint64_t end = now_ns() + 2000000; now_ns() < end;)
		cpu_relax();
	for (unsigned int i = 0; i < r->t->len; i++)
		r->damaged |= data[i] != 0x5a;
}
static void setup_reset_in_flight(struct rig *r)
{
	bool damaged = false;

	for (unsigned int i = 0; i < 100; i++) {
		setup_reset_once(r, i * UINT64_C(25000));
		damaged |= r->damaged;
	}
	r->damaged = damaged;
}

const struct hostile_case setup_cases[] = {
	{"queue_of_0", true, 0, setup_size_0, NULL},
	{"queue_of_3", true, 0, setup_size_3, NULL},
	{"queue_of_32768", true, 0, setup_size_32768, NULL},
	{"queue_of_65552", true, 0, setup_size_65536, NULL},
	{"queue_of_all_ones", true, 0, setup_size_max, NULL},
	{"table_misaligned", true, 0, setup_desc_misaligned, NULL},
	{"avail_misaligned", true, 0, setup_avail_misaligned, NULL},
	{"used_misaligned", true, 0, setup_used_misaligned, NULL},
	{"table_straddles_end_of_ram", true, 0, setup_desc_straddles, NULL},
	{"avail_straddles_end_of_ram", true, 0, setup_avail_straddles, NULL},
	{"used_straddles_end_of_ram", true, 0, setup_used_straddles, NULL},
	{"table_in_a_device", true, 0, setup_desc_in_device, NULL},
	{"avail_in_a_device", true, 0, setup_avail_in_device, NULL},
	{"used_in_a_device", true, 0, setup_used_in_device, NULL},
	{"table_wraps", true, 0, setup_desc_wraps, NULL},
	{"avail_wraps", true, 0, setup_avail_wraps, NULL},
	{"used_wraps", true, 0, setup_used_wraps, NULL},
	{"used_ring_is_the_avail_ring", false, 0, setup_used_is_avail, NULL},
	{"used_ring_is_the_table", false, 0, setup_used_is_desc, NULL},
	{"queue_not_ready", false, 0, setup_not_ready, NULL},
	{"kicked_before_driver_ok", false, 0, setup_kick_early, NULL},
	{"every_selector_before_driver_ok", false, 0, setup_early_selectors, NULL},
	{"size_grown_past_end_of_ram", true, 0, setup_table_at_end, setup_live_grown},
	{"size_rewritten_while_running", false, 0, NULL, setup_live_sizes},
	{"size_grown_while_running", false, 0, NULL, setup_live_size_256},
	{"addresses_rewritten_while_running", false, 0, NULL, setup_live_addresses},
	{"unready_while_running", false, 0, NULL, setup_live_unready},
	{"features_rewritten_while_running", false, 0, NULL, setup_live_features},
	{"every_status_while_running", false, 0, NULL, setup_live_status_back},
	{"every_selector_while_running", false, 0, NULL, setup_live_selectors},
	{"reset_in_flight", false, 0, NULL, setup_reset_in_flight},
};
const unsigned int setup_ncases = sizeof(setup_cases) / sizeof(setup_cases[0]);

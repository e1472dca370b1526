/* SPDX-License-Identifier: Apache-2.0 */
/* mmio_page - the driver's reads: the virtio-mmio registers (virtio 1.2, 4.2.2), kept as an image
 * of their window so that the machine can map it into the guest.
 */
#include "devices/virtio/mmio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "vmm/core/util.h"

#define MMIO_MAGIC     0x74726976 /* "virt" */
#define MMIO_VERSION   2
#define MMIO_VENDOR    0x206d766d /* "mvm " */
#define MMIO_CONFIG(m) ((m)->page + VIRTIO_MMIO_CONFIG)

void mmio_show(struct mmio *m, unsigned int off, uint32_t val)
{
	shared_store32(m->page + off, val);
}

void mmio_set_status(struct mmio *m, uint32_t status)
{
	m->status = status;
	mmio_show(m, VIRTIO_MMIO_STATUS, status);
}

void mmio_show_selected(struct mmio *m)
{
	const struct virtq *q = m->queue_sel < m->v->nvq ? &m->v->vq[m->queue_sel] : NULL;
	uint32_t features = 0;

	if (m->device_features_sel < 2)
		features = (uint32_t)(m->v->offered >> (32 * m->device_features_sel));
	mmio_show(m, VIRTIO_MMIO_DEVICE_FEATURES, features);
	mmio_show(m, VIRTIO_MMIO_QUEUE_NUM_MAX, q ? q->size_max : 0);
	mmio_show(m, VIRTIO_MMIO_QUEUE_READY, q && q->ready);
}

void mmio_show_config(struct mmio *m)
{
	const uint8_t *image = m->v->config;

	for (size_t off = 0; off < m->v->config_len; off += 4) {
		uint32_t word = 0;

		memcpy(&word, image + off, MIN(m->v->config_len - off, sizeof(word)));
		if (word != shared_load32(MMIO_CONFIG(m) + off))
			shared_store32(MMIO_CONFIG(m) + off, word);
	}
}

void mmio_show_all(struct mmio *m)
{
	mmio_show(m, VIRTIO_MMIO_MAGIC_VALUE, MMIO_MAGIC);
	mmio_show(m, VIRTIO_MMIO_VERSION, MMIO_VERSION);
	mmio_show(m, VIRTIO_MMIO_DEVICE_ID, m->v->id);
	mmio_show(m, VIRTIO_MMIO_VENDOR_ID, MMIO_VENDOR);
	/* No shared memory: length and base -1, whatever is selected (4.2.2) */
	mmio_show(m, VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX);
	mmio_show(m, VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX);
	mmio_show(m, VIRTIO_MMIO_SHM_BASE_LOW, UINT32_MAX);
	mmio_show(m, VIRTIO_MMIO_SHM_BASE_HIGH, UINT32_MAX);
	mmio_show(m, VIRTIO_MMIO_CONFIG_GENERATION, m->generation);
	mmio_show(m, VIRTIO_MMIO_INTERRUPT_STATUS, m->interrupt);
	mmio_show(m, VIRTIO_MMIO_STATUS, m->status);
	mmio_show_selected(m);
	mmio_show_config(m);
}

/* The generation changes on both sides of the change: a driver whose reads (generation, fields,
 * generation; 4.2.2.2) overlap either end reads again. One whose reads fit in between may see
 * half of the change, and reads again after the interrupt that follows.
 */
void mmio_config(struct mmio *m)
{
	mmio_show(m, VIRTIO_MMIO_CONFIG_GENERATION, ++m->generation);
	mmio_show_config(m);
	mmio_show(m, VIRTIO_MMIO_CONFIG_GENERATION, ++m->generation);
	if (m->status & VIRTIO_CONFIG_S_DRIVER_OK)
		mmio_interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

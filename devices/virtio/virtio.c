/* SPDX-License-Identifier: Apache-2.0 */
/* virtio - the ops of a device with nothing to do there, so that no slot is empty. */
#include "devices/virtio/virtio.h"

int virtio_nop_activate(struct virtio_dev *v)
{
	(void)v;
	return 0;
}

void virtio_nop_kick(struct virtio_dev *v, unsigned int qi)
{
	(void)v;
	(void)qi;
}

void virtio_nop_config_written(struct virtio_dev *v, unsigned int off, unsigned int len)
{
	(void)v;
	(void)off;
	(void)len;
}

void virtio_nop_reset(struct virtio_dev *v)
{
	(void)v;
}

void virtio_nop_state(struct virtio_dev *v, struct state *s)
{
	(void)v;
	(void)s;
}

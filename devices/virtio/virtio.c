/* SPDX-License-Identifier: Apache-2.0 */
/* virtio - the calls of devices, whatever their transport; and no-ops, so that no slot is empty.
 */
#include "devices/virtio/virtio.h"

#include "vmm/core/log.h"
#include "vmm/core/util.h"

int virtio_kick_fd(const struct virtio_dev *v, unsigned int qi)
{
	return v->transport->kick_fd(v, qi);
}

int virtio_call_fd(const struct virtio_dev *v)
{
	return v->dev->irq.fd;
}

bool virtio_pop(struct virtio_dev *v, struct virtq *q, struct virtq_chain *c)
{
	unsigned int qi = (unsigned int)(q - v->vq);
	int rc;

	BUG_ON(qi >= v->nvq);
	if (!v->active || v->resting)
		return false;
	if (!q->budget) {
		v->transport->kick(v, qi);
		return false;
	}
	rc = virtq_pop(q, c);
	if (rc < 0)
		virtio_broken(v, q->why);
	if (rc <= 0)
		return false;
	q->budget--;
	return true;
}

void virtio_notify(struct virtio_dev *v, struct virtq *q)
{
	if (v->active && virtq_publish(q))
		v->transport->used(v);
}

void virtio_config_changed(struct virtio_dev *v)
{
	v->transport->config(v);
}

void virtio_broken(struct virtio_dev *v, const char *why)
{
	v->active = false;
	if (v->transport->broken(v))
		log_guest("%s: %s; the device is off until the guest's driver resets it",
			  v->name, why);
}

int virtio_nop_arm(struct virtio_dev *v, struct err *e)
{
	(void)v;
	(void)e;
	return 0;
}

bool virtio_nop_rest(struct virtio_dev *v)
{
	(void)v;
	return true;
}

void virtio_nop_wake(struct virtio_dev *v)
{
	(void)v;
}

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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports_control - the control queues of the ports device (virtio 1.2, 5.3.6.2): the ports, their
 * names, and whether each is open at either side.
 */
#include "devices/virtio/ports.h"

#include <string.h>

/* ---- to the driver ---- */

/* Return: length of the message in @buf */
static size_t
ports_message(const struct port *p, enum ports_news what,
	      uint8_t buf[sizeof(struct virtio_console_control) + CONFIG_PORT_NAME_MAX])
{
	static const uint16_t event[PORTS_NEWS] = {
		[PORTS_ADD] = VIRTIO_CONSOLE_PORT_ADD,
		[PORTS_NAME] = VIRTIO_CONSOLE_PORT_NAME,
		[PORTS_CLOSE] = VIRTIO_CONSOLE_PORT_OPEN,
		[PORTS_OPEN] = VIRTIO_CONSOLE_PORT_OPEN,
	};
	struct virtio_console_control m = {
		.id = p->id, .event = event[what], .value = what != PORTS_CLOSE};
	size_t len = what == PORTS_NAME ? strlen(p->name) : 0;

	memcpy(buf, &m, sizeof(m));
	memcpy(buf + sizeof(m), p->name, len); /* without a NUL: its length is the rest */
	return sizeof(m) + len;
}

/* Return: false, there is no buffer now, or the device is broken */
static bool ports_send_one(struct ports *ps, struct port *p, enum ports_news what)
{
	uint8_t buf[sizeof(struct virtio_console_control) + CONFIG_PORT_NAME_MAX];
	size_t len = ports_message(p, what, buf);
	struct virtq *q = &ps->vq[PORTS_CONTROL_RX];
	struct virtq_chain *c = &ps->control;

	if (!virtio_pop(&ps->v, q, c))
		return false;
	if (c->from_driver.n || !span_put(&c->to_driver, buf, len)) {
		virtio_broken(&ps->v, "control buffer that takes no message");
		return false;
	}
	virtq_push(q, c->head, (uint32_t)len);
	p->news &= (uint8_t) ~(1U << what);
	return true;
}

void ports_control_send(struct ports *ps)
{
	for (unsigned int i = 0; ps->v.active && i < ps->n; i++)
		for (unsigned int what = 0; what < PORTS_NEWS; what++)
			if (ps->port[i].news & 1U << what &&
			    !ports_send_one(ps, &ps->port[i], (enum ports_news)what))
				goto out;
out:
	virtio_notify(&ps->v, &ps->vq[PORTS_CONTROL_RX]);
}

void ports_tell(struct port *p, enum ports_news what)
{
	if (what == PORTS_CLOSE)
		p->news &= (uint8_t) ~(1U << PORTS_OPEN);
	p->news |= (uint8_t)(1U << what);
}

/* ---- from the driver ---- */

static void ports_port_said(struct port *p, uint16_t event, uint16_t value)
{
	switch (event) {
	case VIRTIO_CONSOLE_PORT_READY:
		p->ready = value != 0;
		if (!p->ready)
			break;
		ports_tell(p, PORTS_NAME);
		if (tty_connected(p->tty))
			ports_tell(p, PORTS_OPEN);
		break;
	case VIRTIO_CONSOLE_PORT_OPEN:
		p->open = value != 0;
		if (p->open)
			tty_input_wanted(p->tty);
		break;
	default:
		virtio_broken(&p->ports->v, "control message that is not a driver's");
	}
}

static void ports_said(struct ports *ps, const struct virtio_console_control *m)
{
	/* a driver that could not start sends 0, and we cannot help it */
	if (m->event == VIRTIO_CONSOLE_DEVICE_READY) {
		for (unsigned int i = 0; m->value && i < ps->n; i++)
			ports_tell(&ps->port[i], PORTS_ADD);
		return;
	}
	if (m->id == 0 || m->id > ps->n) {
		virtio_broken(&ps->v, "control message about a port that is not there");
		return;
	}
	ports_port_said(&ps->port[m->id - 1], m->event, m->value);
}

void ports_control_receive(struct ports *ps)
{
	struct virtq *q = &ps->vq[PORTS_CONTROL_TX];
	struct virtq_chain *c = &ps->control;

	while (virtio_pop(&ps->v, q, c)) {
		struct virtio_console_control m;

		if (!span_get(&c->from_driver, &m, sizeof(m))) {
			virtio_broken(&ps->v, "control message that is too short");
			return;
		}
		ports_said(ps, &m);
		virtq_push(q, c->head, 0);
	}
	virtio_notify(&ps->v, q);
	ports_control_send(ps);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock - virtio socket device (virtio 1.2, 5.10), stream sockets: the device, its
 * transmit and its event queue.
 *
 * A guest that lies about the framing of a queue's buffers loses the device; one that lies
 * about a connection loses that.
 */
#include "devices/virtio/vsock.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "devices/virtio/devices.h"

static struct vsock *vsock_of(struct virtio_dev *v)
{
	return container_of(v, struct vsock, v);
}

/* One packet of the guest's, in @s->c. Return: false, it is no packet and the device is broken */
static bool vsock_tx_packet(struct vsock *s)
{
	struct span *data = &s->c.from_driver;
	struct virtio_vsock_hdr h;

	if (s->c.to_driver.n || !span_get(data, &h, VSOCK_HDR_LEN)) {
		virtio_broken(&s->v, "packet without a header, or not for reading");
		return false;
	}
	if (h.len > data->len) {
		virtio_broken(&s->v, "packet that is shorter than it says");
		return false;
	}
	data->n = vsock_trim(data->v, data->n, h.len);
	data->len = h.len;
	vsock_from_guest(s, &h, data);
	return true;
}

/* Each packet may have to be refused, so there must be room for it. */
static void vsock_tx(struct vsock *s)
{
	struct virtq *q = &s->vq[VSOCK_TX];

	s->tx_blocked = false;
	while (s->nrefusal < VSOCK_REFUSALS_MAX && virtio_pop(&s->v, q, &s->c)) {
		if (!vsock_tx_packet(s))
			return;
		virtq_push(q, s->c.head, 0);
	}
	s->tx_blocked = s->nrefusal == VSOCK_REFUSALS_MAX;
	virtio_notify(&s->v, q);
}

/* The guest's connections belong to another life (5.10.6.8). */
static void vsock_send_event(struct vsock *s)
{
	struct virtio_vsock_event event = {.id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET};
	struct virtq *q = &s->vq[VSOCK_EVENT];

	if (!s->event_due || !virtio_pop(&s->v, q, &s->c))
		return;
	if (!span_put(&s->c.to_driver, &event, sizeof(event))) {
		virtio_broken(&s->v, "event buffer that is too small or not for writing");
		return;
	}
	s->event_due = false;
	virtq_push(q, s->c.head, sizeof(event));
	virtio_notify(&s->v, q);
}

static void vsock_kick(struct virtio_dev *v, unsigned int qi)
{
	struct vsock *s = vsock_of(v);

	if (qi == VSOCK_EVENT)
		vsock_send_event(s);
	if (qi == VSOCK_TX)
		vsock_tx(s);
	vsock_rx(s);
	while (v->active && s->tx_blocked && !s->nrefusal) { /* ends: virtio_pop() does */
		vsock_tx(s);
		vsock_rx(s);
	}
	vsock_settle(s);
}

static int vsock_activate(struct virtio_dev *v)
{
	struct vsock *s = vsock_of(v);

	s->tx_blocked = s->event_due = false;
	s->source.dev = v->dev;
	s->rests = 0;
	return v->resting ? 0 : vsock_mux_wake(s);
}

/* No chain is ever held; bytes that the host sends meanwhile wait in its sockets */
static bool vsock_rest(struct virtio_dev *v)
{
	vsock_mux_rest(vsock_of(v));
	return true;
}

static void vsock_wake(struct virtio_dev *v)
{
	if (v->active && vsock_mux_wake(vsock_of(v)) < 0)
		virtio_broken(v, "the host cannot poll its sockets");
}

static void vsock_dev_reset(struct virtio_dev *v)
{
	vsock_settle(vsock_of(v)); /* not active: all connections end */
}

/* Connections are not saved: their other ends are processes of the host. */
static void vsock_state(struct virtio_dev *v, struct state *st)
{
	if (state_loading(st))
		vsock_of(v)->event_due = v->active;
}

static void vsock_destroy(struct virtio_dev *v)
{
	struct vsock *s = vsock_of(v);

	loop_del(v->env->loop, &s->source);
	v->active = false;
	vsock_settle(s);
	vsock_mux_close(s);
	free(s);
}

static const struct virtio_ops vsock_ops = {
	.arm = virtio_nop_arm,
	.activate = vsock_activate,
	.kick = vsock_kick,
	.config_written = virtio_nop_config_written,
	.reset = vsock_dev_reset,
	.rest = vsock_rest,
	.wake = vsock_wake,
	.state = vsock_state,
	.destroy = vsock_destroy,
};

struct virtio_dev *vsock_create(const struct virtio_env *env, unsigned int i,
				struct err *e)
{
	struct vsock *s = calloc(1, sizeof(*s));

	(void)i;
	if (!s) {
		err_set(e, ENOMEM, "vsock0: out of memory");
		return NULL;
	}
	/* a dry run does not make the host's end of it */
	if (vsock_mux_open(s, env->cfg->dry_run ? NULL : env->cfg->vsock.path, e) < 0) {
		free(s);
		return NULL;
	}
	vsock_table_init(s);
	s->config.guest_cid = env->cfg->vsock.cid;
	s->v = (struct virtio_dev){
		.ops = &vsock_ops,
		.name = "vsock0",
		.id = VIRTIO_ID_VSOCK,
		.offered = 1ULL << VSOCK_F_STREAM,
		.vq = s->vq,
		.nvq = ARRAY_SIZE(s->vq),
		.config = &s->config,
		.config_len = sizeof(s->config),
		.env = env,
	};
	for (unsigned int q = 0; q < ARRAY_SIZE(s->vq); q++)
		virtq_init(&s->vq[q], VSOCK_QUEUE);
	return &s->v;
}

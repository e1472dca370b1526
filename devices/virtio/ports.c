/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports - named byte streams between a guest and its host: a virtio console with multiport
 * (virtio 1.2, 5.3) and no console in it. (The console is a device of its own, console.c: so its
 * size stays in its configuration, where all drivers agree on it.)
 *
 * As in console.c we may hold one chain each way and port for longer, except at rest. The host's
 * bytes wait until a program in the guest opens the port: Linux drops earlier ones.
 */
#include "devices/virtio/ports.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#define PORTS_QUEUE 32 /* Linux posts a page for each entry of a receive queue */

static struct ports *ports_of(struct virtio_dev *v)
{
	return container_of(v, struct ports, v);
}

static bool ports_negotiated(const struct ports *ps)
{
	return ps->v.active && ps->v.acked & 1ULL << VIRTIO_CONSOLE_F_MULTIPORT;
}

/* ---- from the guest ---- */

/* Return: false, the tty took less and calls ports_output_room() later */
static bool ports_send_chain(struct port *p)
{
	struct span *s = &p->tx.from_driver;

	while (s->n) {
		size_t len = s->v->iov_len;
		size_t n = tty_write(p->tty, s->v->iov_base, len);

		(void)span_skip(s, n);
		p->taken += (uint32_t)n; /* a chain has less than 4 GiB */
		p->ports->v.dev->io.written_bytes += n;
		if (n < len)
			return false;
	}
	return true;
}

/* As in console_take() */
static bool ports_take(struct port *p)
{
	struct ports *ps = p->ports;

	if (!virtio_pop(&ps->v, &ps->vq[ports_tx(p->id)], &p->tx))
		return false;
	p->taken = (uint32_t)MIN(p->taken, p->tx.from_driver.len);
	(void)span_skip(&p->tx.from_driver, p->taken);
	return true;
}

static void ports_send(struct port *p)
{
	struct ports *ps = p->ports;
	struct virtq *q = &ps->vq[ports_tx(p->id)];

	while (p->sending || ports_take(p)) {
		p->sending = !ports_send_chain(p);
		if (p->sending)
			break;
		p->taken = 0;
		virtq_push(q, p->tx.head, 0);
		ps->v.dev->io.requests++;
	}
	virtio_notify(&ps->v, q);
}

static void ports_output_room(struct tty_client *tc)
{
	struct port *p = container_of(tc, struct port, client);

	if (ports_negotiated(p->ports))
		ports_send(p);
}

/* ---- to the guest ---- */

static size_t ports_input_room(struct tty_client *tc)
{
	struct port *p = container_of(tc, struct port, client);
	struct ports *ps = p->ports;

	if (!ports_negotiated(ps) || !p->open)
		return 0;
	if (!p->receiving && virtio_pop(&ps->v, &ps->vq[ports_rx(p->id)], &p->rx)) {
		p->receiving = p->rx.to_driver.n && !p->rx.from_driver.n;
		if (!p->receiving)
			virtio_broken(&ps->v, "receive buffer that is not for writing");
	}
	return p->receiving ? p->rx.to_driver.len : 0;
}

static void ports_input(struct tty_client *tc, const uint8_t *buf, size_t n)
{
	struct port *p = container_of(tc, struct port, client);
	struct ports *ps = p->ports;
	struct virtq *q = &ps->vq[ports_rx(p->id)];

	BUG_ON(!p->receiving || !span_put(&p->rx.to_driver, buf, n));
	p->receiving = false;
	virtq_push(q, p->rx.head, (uint32_t)n);
	ps->v.dev->io.read_bytes += n;
	ps->v.dev->io.requests++;
	virtio_notify(&ps->v, q);
}

static void ports_connected(struct tty_client *tc, bool yes)
{
	struct port *p = container_of(tc, struct port, client);

	if (!p->ready)
		return;
	ports_tell(p, yes ? PORTS_OPEN : PORTS_CLOSE);
	ports_control_send(p->ports);
}

static void ports_resized(struct tty_client *tc, uint16_t cols, uint16_t rows)
{
	(void)tc; /* a stream has no size */
	(void)cols;
	(void)rows;
}

/* ---- life ---- */

static void ports_kick(struct virtio_dev *v, unsigned int qi)
{
	struct ports *ps = ports_of(v);
	unsigned int id = qi / 2 - 1;

	if (!ports_negotiated(ps) || qi < PORTS_CONTROL_RX)
		return;
	if (qi == PORTS_CONTROL_RX)
		ports_control_send(ps);
	else if (qi == PORTS_CONTROL_TX)
		ports_control_receive(ps);
	else if (qi == ports_rx(id))
		tty_input_wanted(ps->port[id - 1].tty);
	else if (!ps->port[id - 1].sending)
		ports_send(&ps->port[id - 1]);
}

static void ports_reset(struct virtio_dev *v)
{
	struct ports *ps = ports_of(v);

	for (unsigned int i = 0; i < ps->n; i++) {
		struct port *p = &ps->port[i];

		p->news = 0;
		p->ready = p->open = p->sending = p->receiving = false;
		p->taken = 0;
		if (v->resting) /* a device that is off gets no wake() */
			tty_wake(p->tty);
	}
}

static bool ports_rest(struct virtio_dev *v)
{
	struct ports *ps = ports_of(v);

	for (unsigned int i = 0; i < ps->n; i++) {
		struct port *p = &ps->port[i];

		tty_rest(p->tty);
		if (p->receiving)
			virtq_unpop(&ps->vq[ports_rx(p->id)], &p->rx);
		if (p->sending)
			virtq_unpop(&ps->vq[ports_tx(p->id)], &p->tx);
		p->sending = p->receiving = false;
	}
	return true;
}

static void ports_wake(struct virtio_dev *v)
{
	const struct ports *ps = ports_of(v);

	for (unsigned int i = 0; i < ps->n; i++)
		tty_wake(ps->port[i].tty);
}

/* The host's end of a port may be another peer than before: the driver is told again */
static void ports_meet(struct port *p)
{
	if (p->ready)
		ports_tell(p, tty_connected(p->tty) ? PORTS_OPEN : PORTS_CLOSE);
	if (p->open)
		tty_input_wanted(p->tty);
}

static void ports_state(struct virtio_dev *v, struct state *s)
{
	struct ports *ps = ports_of(v);

	for (unsigned int i = 0; i < ps->n; i++) {
		struct port *p = &ps->port[i];

		state_same_bytes(s, p->name, (uint32_t)strlen(p->name), "port");
		state_u8(s, &p->news);
		state_bool(s, &p->ready);
		state_bool(s, &p->open);
		state_u32(s, &p->taken);
		if (p->news >> PORTS_NEWS)
			state_fail(s, "a port has no such news");
	}
	if (!state_loaded(s))
		return;
	for (unsigned int i = 0; v->active && i < ps->n; i++)
		ports_meet(&ps->port[i]);
	ports_control_send(ps);
}

static void ports_destroy(struct virtio_dev *v)
{
	free(ports_of(v));
}

static const struct virtio_ops ports_ops = {
	.arm = virtio_nop_arm,
	.activate = virtio_nop_activate,
	.kick = ports_kick,
	.config_written = virtio_nop_config_written,
	.reset = ports_reset,
	.rest = ports_rest,
	.wake = ports_wake,
	.state = ports_state,
	.destroy = ports_destroy,
};

static void ports_init_port(struct ports *ps, unsigned int i, const char *name,
			    struct tty *tty)
{
	ps->port[i] = (struct port){
		.ports = ps,
		.id = i + 1,
		.name = name,
		.tty = tty,
		.client = {.whole = true,
			   .input_room = ports_input_room,
			   .input = ports_input,
			   .output_room = ports_output_room,
			   .resized = ports_resized,
			   .connected = ports_connected},
	};
}

struct virtio_dev *ports_create(const struct virtio_env *env, struct tty *const *tty,
				struct err *e)
{
	struct ports *ps = calloc(1, sizeof(*ps));

	if (!ps) {
		err_set(e, ENOMEM, "ports0: out of memory");
		return NULL;
	}
	ps->n = env->cfg->nport;
	ps->config.max_nr_ports = ps->n + 1;
	ps->v = (struct virtio_dev){
		.ops = &ports_ops,
		.name = "ports0",
		.id = VIRTIO_ID_CONSOLE,
		.offered = 1ULL << VIRTIO_CONSOLE_F_MULTIPORT,
		.vq = ps->vq,
		.nvq = 4 + 2 * ps->n,
		.config = &ps->config,
		.config_len = sizeof(ps->config),
		.env = env,
	};
	for (unsigned int i = 0; i < ps->v.nvq; i++)
		virtq_init(&ps->vq[i], PORTS_QUEUE);
	for (unsigned int i = 0; i < ps->n; i++)
		ports_init_port(ps, i, env->cfg->port[i].name, tty[i]);
	return &ps->v;
}

struct tty_client *ports_client(struct virtio_dev *v, unsigned int i)
{
	struct port *p = &ports_of(v)->port[i];

	p->client.dev = v->dev;
	return &p->client;
}

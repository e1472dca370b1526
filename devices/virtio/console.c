/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console - virtio console (virtio 1.2, 5.3) with one port, hvc0, on the operator's tty.
 *
 * We may hold one chain each way for longer: a transmitted one that the tty has taken in part,
 * and a receive buffer whose size the tty was told. At rest the ring has both back, and the
 * device remembers how much of the first was taken.
 */
#include "devices/virtio/devices.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdlib.h>

#include "vmm/core/util.h"

#define CONSOLE_QUEUE 32 /* Linux posts a page for each entry of the receive queue */
#define CONSOLE_RX    0
#define CONSOLE_TX    1

struct console {
	struct virtio_dev v;
	struct virtq vq[2];
	struct virtio_console_config config;
	uint16_t cols, rows; /* the driver may write @config, up to emerg_wr */
	struct tty *tty;
	struct tty_client client;
	uint64_t kicks;        /* of output, since the driver started */
	bool sending;          /* @tx is popped, its span is the rest of it */
	uint32_t taken;        /* of @tx, or of the next chain if there is none */
	bool receiving;        /* @rx is popped, and empty */
	struct virtq_chain tx; /* only its used part is ever touched */
	struct virtq_chain rx;
};

static struct console *console_of(struct virtio_dev *v)
{
	return container_of(v, struct console, v);
}

static struct console *console_of_client(struct tty_client *tc)
{
	return container_of(tc, struct console, client);
}

/* ---- to the operator ---- */

/* Return: false, the tty took less and calls console_output_room() later */
static bool console_send_chain(struct console *c)
{
	struct span *s = &c->tx.from_driver;

	while (s->n) {
		size_t len = s->v->iov_len;
		size_t n = tty_write(c->tty, s->v->iov_base, len);

		(void)span_skip(s, n);
		c->taken += (uint32_t)n; /* a chain has less than 4 GiB */
		c->v.dev->io.written_bytes += n;
		if (n < len)
			return false;
	}
	return true;
}

/* A part of it may have gone out before a rest. If the driver shortened it, send what is left. */
static bool console_take(struct console *c)
{
	if (!virtio_pop(&c->v, &c->vq[CONSOLE_TX], &c->tx))
		return false;
	c->taken = (uint32_t)MIN(c->taken, c->tx.from_driver.len);
	(void)span_skip(&c->tx.from_driver, c->taken);
	return true;
}

static void console_send(struct console *c)
{
	struct virtq *q = &c->vq[CONSOLE_TX];

	while (c->sending || console_take(c)) {
		c->sending = !console_send_chain(c);
		if (c->sending)
			break;
		c->taken = 0;
		virtq_push(q, c->tx.head, 0);
		c->v.dev->io.requests++;
	}
	virtio_notify(&c->v, q);
}

static void console_output_room(struct tty_client *tc)
{
	struct console *c = console_of_client(tc);

	if (c->v.active)
		console_send(c);
}

/* ---- from the operator ---- */

static size_t console_input_room(struct tty_client *tc)
{
	struct console *c = console_of_client(tc);

	if (!c->v.active)
		return 0;
	if (!c->receiving && virtio_pop(&c->v, &c->vq[CONSOLE_RX], &c->rx)) {
		c->receiving = c->rx.to_driver.n && !c->rx.from_driver.n;
		if (!c->receiving)
			virtio_broken(&c->v, "receive buffer that is not for writing");
	}
	return c->receiving ? c->rx.to_driver.len : 0;
}

static void console_input(struct tty_client *tc, const uint8_t *p, size_t n)
{
	struct console *c = console_of_client(tc);
	struct virtq *q = &c->vq[CONSOLE_RX];

	BUG_ON(!c->receiving || !span_put(&c->rx.to_driver, p, n));
	c->receiving = false;
	virtq_push(q, c->rx.head, (uint32_t)n);
	c->v.dev->io.read_bytes += n;
	c->v.dev->io.requests++;
	virtio_notify(&c->v, q);
}

/* ---- configuration ---- */

static void console_show_size(struct console *c)
{
	c->config = (struct virtio_console_config){.cols = c->cols, .rows = c->rows};
}

static void console_resized(struct tty_client *tc, uint16_t cols, uint16_t rows)
{
	struct console *c = console_of_client(tc);

	if (cols == c->cols && rows == c->rows)
		return;
	c->cols = cols;
	c->rows = rows;
	console_show_size(c);
	virtio_config_changed(&c->v);
}

/* Linux' driver reads the size when it changes, never at its start, and only once hvc0 exists,
 * which is after the device is ready. So we report a change again as the guest prints, ever more
 * rarely: each time costs a few exits, and repeating a size does no harm.
 */
static void console_remind_of_size(struct console *c)
{
	c->kicks++;
	if (c->cols && (c->kicks & (c->kicks - 1)) == 0)
		virtio_config_changed(&c->v);
}

static void console_connected(struct tty_client *tc, bool yes)
{
	(void)tc; /* a console is always there: its output is kept for the next peer */
	(void)yes;
}

/* 5.3.4: a byte for the operator in emerg_wr, in any state; the rest is read-only. */
static void console_config_written(struct virtio_dev *v, unsigned int off,
				   unsigned int len)
{
	const unsigned int at = offsetof(struct virtio_console_config, emerg_wr);
	struct console *c = console_of(v);
	uint8_t byte = (uint8_t)c->config.emerg_wr;

	if (off <= at && at < off + len)
		(void)tty_write(c->tty, &byte, 1);
	console_show_size(c);
}

/* ---- life ---- */

static void console_kick(struct virtio_dev *v, unsigned int qi)
{
	struct console *c = console_of(v);

	if (qi == CONSOLE_RX) {
		tty_input_wanted(c->tty);
		return;
	}
	console_remind_of_size(c);
	if (!c->sending)
		console_send(c);
}

static int console_activate(struct virtio_dev *v)
{
	tty_input_wanted(console_of(v)->tty);
	return 0;
}

static void console_reset(struct virtio_dev *v)
{
	struct console *c = console_of(v);

	c->sending = c->receiving = false;
	c->taken = 0;
	c->kicks = 0;
	if (v->resting) /* a device that is off gets no wake() */
		tty_wake(c->tty);
}

static bool console_rest(struct virtio_dev *v)
{
	struct console *c = console_of(v);

	tty_rest(c->tty);
	if (c->receiving)
		virtq_unpop(&c->vq[CONSOLE_RX], &c->rx);
	if (c->sending)
		virtq_unpop(&c->vq[CONSOLE_TX], &c->tx);
	c->sending = c->receiving = false;
	return true;
}

static void console_wake(struct virtio_dev *v)
{
	tty_wake(console_of(v)->tty);
}

/* A driver that was told another size is told ours. Bytes that the tty holds are the host's, and
 * stay there.
 */
static void console_state(struct virtio_dev *v, struct state *s)
{
	struct console *c = console_of(v);
	uint16_t cols = c->cols, rows = c->rows;

	state_u16(s, &cols);
	state_u16(s, &rows);
	state_u32(s, &c->taken);
	if (state_loaded(s) && v->active && (cols != c->cols || rows != c->rows))
		virtio_config_changed(v);
}

static void console_destroy(struct virtio_dev *v)
{
	free(console_of(v));
}

static const struct virtio_ops console_ops = {
	.arm = virtio_nop_arm,
	.activate = console_activate,
	.kick = console_kick,
	.config_written = console_config_written,
	.reset = console_reset,
	.rest = console_rest,
	.wake = console_wake,
	.state = console_state,
	.destroy = console_destroy,
};

struct virtio_dev *console_create(const struct virtio_env *env, struct tty *tty,
				  struct err *e)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c) {
		err_set(e, ENOMEM, "console0: out of memory");
		return NULL;
	}
	c->tty = tty;
	c->v = (struct virtio_dev){
		.ops = &console_ops,
		.name = "console0",
		.id = VIRTIO_ID_CONSOLE,
		.offered = 1ULL << VIRTIO_CONSOLE_F_SIZE |
			   1ULL << VIRTIO_CONSOLE_F_EMERG_WRITE,
		.vq = c->vq,
		.nvq = ARRAY_SIZE(c->vq),
		.config = &c->config,
		.config_len = sizeof(c->config),
		.config_writable = sizeof(c->config),
		.env = env,
	};
	c->client = (struct tty_client){
		.input_room = console_input_room,
		.input = console_input,
		.output_room = console_output_room,
		.resized = console_resized,
		.connected = console_connected,
	};
	virtq_init(&c->vq[CONSOLE_RX], CONSOLE_QUEUE);
	virtq_init(&c->vq[CONSOLE_TX], CONSOLE_QUEUE);
	if (tty) /* not in a dry run */
		tty_winsize(tty, &c->cols, &c->rows);
	console_show_size(c);
	return &c->v;
}

struct tty_client *console_client(struct virtio_dev *v)
{
	struct console *c = console_of(v);

	c->client.dev = v->dev;
	return &c->client;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* serial_wire - bytes between the serial port's two FIFOs and the tty. */
#include "devices/legacy/serial_wire.h"

#include <string.h>

#include "vmm/core/util.h"

/* Only after the FIFO has run empty, so that input comes in pieces of 16 */
void serial_feed(struct serial *s)
{
	if (!s->starved || s->nrx || serial_loopback(s))
		return;
	s->starved = false;
	if (s->tty)
		tty_input_wanted(s->tty);
}

uint8_t serial_receive(struct serial *s)
{
	uint8_t b = s->rx[0];

	if (s->nrx == 0)
		return 0;
	s->nrx--;
	memmove(s->rx, s->rx + 1, s->nrx);
	serial_feed(s);
	return b;
}

static void serial_push(struct serial *s, uint8_t b)
{
	if (s->nrx < serial_depth(s))
		s->rx[s->nrx++] = b;
	else
		s->overrun = true;
}

static size_t serial_input_room(struct tty_client *c)
{
	struct serial *s = container_of(c, struct serial, client);
	unsigned int depth = serial_depth(s);
	size_t room = s->nrx < depth ? depth - s->nrx : 0;

	if (serial_loopback(s))
		room = 0;
	s->starved = room == 0;
	return room;
}

static void serial_input(struct tty_client *c, const uint8_t *p, size_t n)
{
	struct serial *s = container_of(c, struct serial, client);
	size_t room = serial_input_room(c);

	n = MIN(n, room);
	for (size_t i = 0; i < n; i++)
		serial_push(s, p[i]);
	s->dev.io.read_bytes += n;
	serial_update(s);
}

void serial_drain(struct serial *s)
{
	size_t n = s->ntx;

	if (n && s->tty)
		n = tty_write(s->tty, s->tx, n);
	memmove(s->tx, s->tx + n, s->ntx - n);
	s->ntx = (uint8_t)(s->ntx - n);
	s->dev.io.written_bytes += n;
	if (s->ntx == 0 && n)
		s->thri = true;
}

void serial_send(struct serial *s, uint8_t b)
{
	bool idle;

	if (serial_loopback(s)) {
		serial_push(s, b);
		s->thri = s->ntx == 0;
		return;
	}
	idle = s->ntx == 0;
	s->thri = false;
	if (s->ntx < serial_depth(s))
		s->tx[s->ntx++] = b; /* else lost: the driver did not wait */
	if (idle)
		serial_drain(s); /* else the tty will call */
}

static void serial_output_room(struct tty_client *c)
{
	struct serial *s = container_of(c, struct serial, client);

	serial_drain(s);
	serial_update(s);
}

static void serial_resized(struct tty_client *c, uint16_t cols, uint16_t rows)
{
	(void)c; /* a serial line has no size */
	(void)cols;
	(void)rows;
}

static void serial_connected(struct tty_client *c, bool yes)
{
	(void)c; /* the modem's lines always say "ready", or drivers would hang up */
	(void)yes;
}

const struct tty_client serial_client_ops = {
	.input_room = serial_input_room,
	.input = serial_input,
	.output_room = serial_output_room,
	.resized = serial_resized,
	.connected = serial_connected,
};

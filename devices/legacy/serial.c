/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial - a 16550A with its two FIFOs of 16 bytes.
 *
 * Time does not pass on the wire: a byte is sent the moment it is written, unless the tty is
 * full. Then it waits in the transmit FIFO, and THRE and TEMT stay 0 until the tty takes it; so a
 * driver that waits for THRE, and then writes at most 16 bytes, loses nothing. It asks for input
 * only while the receive FIFO has room, so that overruns only in loopback.
 *
 * The line is an edge, pulsed whenever one of the four conditions of IIR becomes true. A
 * condition that stays true needs no second pulse: the driver that took the first reads IIR until
 * it is empty. Every byte received counts as reaching the trigger level.
 */
#include "devices/legacy/legacy.h"

#include <linux/serial_reg.h>
#include <stdlib.h>

#include "devices/legacy/pio_ports.h"
#include "devices/legacy/serial_wire.h"
#include "vmm/core/util.h"

#define SERIAL_LEN 8

#define SERIAL_IER (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI)
#define SERIAL_MCR \
	(UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP)
#define SERIAL_FCR     (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK)
#define SERIAL_FIFO_ON 0xc0 /* IIR: FIFOs are there and enabled */
/* The modem lines of a peer that is present and ready */
#define SERIAL_MSR_READY (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD)

static uint8_t serial_conditions(const struct serial *s)
{
	uint8_t c = 0;

	if (s->overrun)
		c |= UART_IER_RLSI;
	if (s->nrx)
		c |= UART_IER_RDI;
	if (s->thri)
		c |= UART_IER_THRI;
	if (s->msr & UART_MSR_ANY_DELTA)
		c |= UART_IER_MSI;
	return c & s->ier;
}

void serial_update(struct serial *s)
{
	uint8_t c = serial_conditions(s);

	if (c & ~s->pending)
		irq_pulse(&s->dev.irq);
	s->pending = c;
}

/* Return: IIR.  Reporting the empty transmitter clears that condition */
static uint8_t serial_identify(struct serial *s)
{
	uint8_t c = serial_conditions(s);
	uint8_t fifo = s->fcr & UART_FCR_ENABLE_FIFO ? SERIAL_FIFO_ON : 0;

	if (c & UART_IER_RLSI)
		return fifo | UART_IIR_RLSI;
	if (c & UART_IER_RDI)
		return fifo | UART_IIR_RDI;
	if (c & UART_IER_THRI) {
		s->thri = false;
		return fifo | UART_IIR_THRI;
	}
	if (c & UART_IER_MSI)
		return fifo | UART_IIR_MSI;
	return fifo | UART_IIR_NO_INT;
}

static uint8_t serial_line_status(struct serial *s)
{
	uint8_t lsr = s->nrx ? UART_LSR_DR : 0;

	if (s->ntx == 0)
		lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	if (s->overrun)
		lsr |= UART_LSR_OE;
	s->overrun = false;
	return lsr;
}

/* The modem lines of the other side, or in loopback our own: RTS is CTS, DTR is DSR, OUT1
 * is RI, OUT2 is DCD
 */
static void serial_update_modem(struct serial *s)
{
	uint8_t old = s->msr, now = SERIAL_MSR_READY, delta;

	if (serial_loopback(s))
		now = (uint8_t)((s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
				(s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
				(s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
				(s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0));
	delta = (uint8_t)((old ^ now) >> 4);
	if (now & UART_MSR_RI) /* only the end of a ring is reported */
		delta &= (uint8_t)~UART_MSR_TERI;
	s->msr = (uint8_t)(now | (old & UART_MSR_ANY_DELTA) | delta);
}

static void serial_set_fcr(struct serial *s, uint8_t val)
{
	bool switched = (s->fcr ^ val) & UART_FCR_ENABLE_FIFO;

	s->fcr = val & UART_FCR_ENABLE_FIFO ? val & SERIAL_FCR : 0;
	if (switched || val & UART_FCR_CLEAR_RCVR)
		s->nrx = 0;
	if ((switched || val & UART_FCR_CLEAR_XMIT) && s->ntx) {
		s->ntx = 0;
		s->thri = true;
	}
	serial_feed(s);
}

/* Enabling the transmitter's interrupt while it is empty raises it, each time: Linux's
 * driver tests for that and falls back to a timer otherwise
 */
static void serial_set_ier(struct serial *s, uint8_t val)
{
	uint8_t raised = val & (uint8_t)~s->ier;

	s->ier = val & SERIAL_IER;
	if (raised & UART_IER_THRI && s->ntx == 0)
		s->thri = true;
}

static uint8_t serial_get_reg(struct serial *s, unsigned int reg)
{
	bool dlab = s->lcr & UART_LCR_DLAB;
	uint8_t msr = s->msr;

	switch (reg) {
	case UART_RX:
		return dlab ? s->dll : serial_receive(s);
	case UART_IER:
		return dlab ? s->dlm : s->ier;
	case UART_IIR:
		return serial_identify(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return serial_line_status(s);
	case UART_MSR:
		s->msr &= (uint8_t)~UART_MSR_ANY_DELTA;
		return msr;
	default:
		return s->scr;
	}
}

static void serial_set_reg(struct serial *s, unsigned int reg, uint8_t val)
{
	bool dlab = s->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			s->dll = val;
		else
			serial_send(s, val);
		break;
	case UART_IER:
		if (dlab)
			s->dlm = val;
		else
			serial_set_ier(s, val);
		break;
	case UART_FCR:
		serial_set_fcr(s, val);
		break;
	case UART_LCR:
		s->lcr = val;
		break;
	case UART_MCR:
		s->mcr = val & SERIAL_MCR;
		serial_update_modem(s);
		serial_feed(s);
		break;
	case UART_SCR:
		s->scr = val;
		break;
	default:
		break; /* LSR and MSR are ours to write */
	}
}

/* The bus's side */

static uint8_t serial_get(struct device *d, unsigned int port)
{
	struct serial *s = container_of(d, struct serial, dev);
	uint8_t val = serial_get_reg(s, port);

	serial_update(s);
	return val;
}

static void serial_set(struct device *d, unsigned int port, uint8_t val)
{
	struct serial *s = container_of(d, struct serial, dev);

	serial_set_reg(s, port, val);
	serial_update(s);
}

static uint64_t serial_read(struct device *d, uint64_t off, unsigned int size)
{
	return ports_read(d, off, size, serial_get);
}

static void serial_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	ports_write(d, off, size, val, serial_set);
}

static void serial_reset(struct device *d)
{
	struct serial *s = container_of(d, struct serial, dev);

	s->ier = s->fcr = s->lcr = s->mcr = s->scr = 0;
	s->dll = 1; /* 115200: software derives its divisor from this */
	s->dlm = 0;
	s->msr = SERIAL_MSR_READY;
	s->overrun = s->thri = false;
	s->pending = 0;
	s->nrx = s->ntx = 0;
	serial_feed(s);
}

static void serial_state_fields(struct serial *s, struct state *st)
{
	uint8_t *reg[] = {&s->ier, &s->fcr, &s->lcr, &s->mcr, &s->msr,
			  &s->scr, &s->dll, &s->dlm, &s->nrx, &s->ntx};

	for (unsigned int i = 0; i < ARRAY_SIZE(reg); i++)
		state_u8(st, reg[i]);
	state_bool(st, &s->overrun);
	state_bool(st, &s->thri);
	state_bytes(st, s->rx, sizeof(s->rx));
	state_bytes(st, s->tx, sizeof(s->tx));
	if (s->ier & ~SERIAL_IER || s->mcr & ~SERIAL_MCR || s->fcr & ~SERIAL_FCR ||
	    s->nrx > serial_depth(s) || s->ntx > serial_depth(s) || (s->thri && s->ntx))
		state_fail(st, "a serial port has no such registers");
}

static void serial_state(struct device *d, struct state *st)
{
	struct serial *s = container_of(d, struct serial, dev);

	state_begin(st, d->name, 1);
	serial_state_fields(s, st);
	state_end(st);
	if (!state_loading(st))
		return;
	if (state_refused(st)) {
		serial_reset(d);
		return;
	}
	/* Neither a pulse under way nor room that the tty reported was saved: ask again */
	s->pending = 0;
	s->starved = true;
	serial_feed(s);
	serial_drain(s);
	serial_update(s);
}

/* The FIFOs stay as they are; bytes in or out of them at the host's end wait */
static bool serial_rest(struct device *d)
{
	tty_rest(container_of(d, struct serial, dev)->tty);
	return true;
}

static void serial_wake(struct device *d)
{
	tty_wake(container_of(d, struct serial, dev)->tty);
}

static void serial_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct serial, dev));
}

static const struct device_ops serial_ops = {
	.arm = device_nop_arm,
	.read = serial_read,
	.write = serial_write,
	.reset = serial_reset,
	.rest = serial_rest,
	.wake = serial_wake,
	.state = serial_state,
	.destroy = serial_destroy,
};

struct device *serial_create(const char *name, uint64_t base, unsigned int gsi,
			     struct tty *tty)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	device_init(&s->dev, &serial_ops, DEVICE_SERIAL, name, base, SERIAL_LEN);
	s->tty = tty;
	s->client = serial_client_ops;
	s->client.dev = &s->dev;
	serial_reset(&s->dev);
	if (irq_init(&s->dev.irq, gsi)) {
		serial_destroy(&s->dev);
		return NULL;
	}
	return &s->dev;
}

struct tty_client *serial_client(struct device *d)
{
	return &container_of(d, struct serial, dev)->client;
}

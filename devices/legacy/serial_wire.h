/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serial_wire - the half of the serial port that faces the tty: input, output, and held bytes.
 * For serial.c alone, which is the half that faces the guest.
 */
#ifndef MICROVM_LEGACY_SERIAL_WIRE_H
#define MICROVM_LEGACY_SERIAL_WIRE_H

#include <linux/serial_reg.h>
#include <stdbool.h>

#include "devices/legacy/legacy.h"

#define SERIAL_FIFO 16

struct serial {
	struct device dev;
	struct tty_client client;
	struct tty *tty; /* NULL: nothing at the other end of the wire */

	uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
	bool overrun;
	bool thri;       /* the transmitter is empty, and IIR has not said so yet */
	uint8_t pending; /* conditions, as bits of IER, at the last pulse; gone ones
			  * cleared
			  */
	bool starved;    /* the tty asked for room and there was none */
	uint8_t rx[SERIAL_FIFO], tx[SERIAL_FIFO];
	uint8_t nrx, ntx;
};

static inline bool serial_loopback(const struct serial *s)
{
	return s->mcr & UART_MCR_LOOP;
}

/* serial_depth() - bytes a FIFO holds; a disabled one is the 16450's single register */
static inline unsigned int serial_depth(const struct serial *s)
{
	return s->fcr & UART_FCR_ENABLE_FIFO ? SERIAL_FIFO : 1;
}

/* serial_update() - pulse the line for each new condition; after anything that may have changed
 * one
 */
void serial_update(struct serial *s);

/* The rest leave serial_update() to the caller.
 * serial_receive() - take the oldest byte received; 0 if there is none
 */
uint8_t serial_receive(struct serial *s);
/* serial_feed() - let the tty go on if it found no room and there is room now */
void serial_feed(struct serial *s);
/* serial_send() - the guest writes @b to the transmitter */
void serial_send(struct serial *s, uint8_t b);
/* serial_drain() - send what is held, as far as the tty takes it */
void serial_drain(struct serial *s);

extern const struct tty_client serial_client_ops; /* all but @dev */

#endif

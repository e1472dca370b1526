/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ports - what the ports device's two files share: ports.c (the bytes of each port) and
 * ports_control.c (control messages).
 *
 * Queues (virtio 1.2, 5.3.2): receive and transmit of port 0, both of control, then those of
 * ports 1 and up. A driver without multiport takes port 0 for its console; ours are numbered from
 * 1, so that it finds none.
 */
#ifndef MICROVM_VIRTIO_PORTS_H
#define MICROVM_VIRTIO_PORTS_H

#include <linux/virtio_console.h>

#include "devices/virtio/devices.h"
#include "vmm/core/util.h"

#define PORTS_CONTROL_RX 2
#define PORTS_CONTROL_TX 3
#define PORTS_QUEUES     (4 + 2 * CONFIG_PORTS_MAX)

/* Control messages that the driver must still get about a port, sent in this order. A flag each,
 * so that their number is bounded, however often the state changes.
 */
enum ports_news {
	PORTS_ADD,
	PORTS_NAME,
	PORTS_CLOSE, /* before OPEN: if a peer came and left, the last state counts */
	PORTS_OPEN,
	PORTS_NEWS
};

struct port {
	struct ports *ports;
	unsigned int id; /* the driver's number of it: 1 and up */
	const char *name;
	struct tty *tty;
	struct tty_client client;
	uint8_t news;   /* bits of enum ports_news */
	bool ready;     /* the driver knows it */
	bool open;      /* a program in the guest has it open */
	bool sending;   /* @tx is popped, its span is the rest of it */
	bool receiving; /* @rx is popped, and empty */
	uint32_t taken; /* of @tx, or of the next chain if there is none */
	struct virtq_chain tx, rx;
};

struct ports {
	struct virtio_dev v;
	struct virtio_console_config config;
	struct virtq vq[PORTS_QUEUES];
	unsigned int n;
	struct port port[CONFIG_PORTS_MAX];
	struct virtq_chain control;
};

/* The queues of the port with this number */
static inline unsigned int ports_rx(unsigned int id)
{
	return 2 + 2 * id;
}

static inline unsigned int ports_tx(unsigned int id)
{
	return 3 + 2 * id;
}

/* ports_tell() - there is news about @p for the driver; sent as it adds buffers for it */
void ports_tell(struct port *p, enum ports_news what);
/* ports_control_send() - the control receive queue may have buffers */
void ports_control_send(struct ports *ps);
/* ports_control_receive() - the driver has sent control messages */
void ports_control_receive(struct ports *ps);

#endif

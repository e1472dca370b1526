/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - a layer-2 interface of the host whose other end we hold: read a frame to receive,
 * write one to send, each behind a virtio_net_hdr_v1 of TAP_HDR_LEN bytes.
 */
#ifndef MICROVM_BACKEND_TAP_H
#define MICROVM_BACKEND_TAP_H

#include <net/if.h>
#include <stdbool.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

#define TAP_HDR_LEN 12
#define TAP_FRAME_MAX \
	(65536 + 32) /* with Ethernet header and VLAN tags, without TAP_HDR */

struct tap {
	int fd; /* non-blocking; -1: closed */
	char name[IFNAMSIZ];
	bool offloads; /* can do what tap_offloads() asks for */
};

/* tap_open() - cfg->net[@i]: attach to the interface of that name (made and brought up if
 * it does not exist and we may), or take over the file descriptor.
 * Return: 0, or -errno with a sentence in @e, @t->fd then -1
 */
int tap_open(struct tap *t, const struct config *cfg, unsigned int i, struct err *e);
void tap_close(struct tap *t);

/* tap_offloads() - may the host hand us frames without checksum (@csum), or with more than
 * one segment of TCP in them (@tso4, @tso6; these need @csum)?  Return: 0 or -errno
 */
int tap_offloads(const struct tap *t, bool csum, bool tso4, bool tso6);

#endif

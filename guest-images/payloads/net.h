/* SPDX-License-Identifier: Apache-2.0 */
/* net - what net.c asks of net_load.c: @count frames of @size bytes, and how long they took,
 * printed (unless quiet=1: a byte printed is an exit).  Return: all went well
 */
#ifndef PAYLOAD_NET_H
#define PAYLOAD_NET_H

#include "guest-images/payloads/rt/virtio.h"

bool net_transmit(uint64_t count, uint32_t size);
bool net_receive(uint64_t count, uint32_t size);
/* one frame at a time, each when the last one has come back: from a peer that answers, or (@ask)
 * from the host's kernel
 */
bool net_trip(uint64_t count, bool ask);

#endif

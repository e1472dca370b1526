/* SPDX-License-Identifier: Apache-2.0 */
/* blk - what blk.c asks of blk_load.c. */
#ifndef PAYLOAD_BLK_PAYLOAD_H
#define PAYLOAD_BLK_PAYLOAD_H

#include "guest-images/payloads/rt/blk.h"

/* blk_load() - count= random requests of size= bytes (rw=read or write) with depth= of them
 * in flight, aligned, seeded by seed=; prints how long they took,
 * unless quiet=1: a byte printed is an exit.  Return: all went well
 */
bool blk_load(struct blk *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* blk - what blk.c asks of blk_load.c and blk_records.c. */
#ifndef PAYLOAD_BLK_PAYLOAD_H
#define PAYLOAD_BLK_PAYLOAD_H

#include "guest-images/payloads/rt/blk.h"

/* blk_load() - count= random requests of size= bytes (rw=read or write) with depth= of them
 * in flight, aligned, seeded by seed=; prints how long they took,
 * unless quiet=1: a byte printed is an exit.  Return: all went well
 */
bool blk_load(struct blk *b);

/* blk_records() - write record after record of run seed=, flush after each batch= of them
 * (flush=no: not at all, for a disk that writes through) and print how many are safe; until
 * the disk is full.  blk_find_records() - are the first upto= of them there?
 */
bool blk_records(struct blk *b);
bool blk_find_records(struct blk *b);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* disk_engine - what disk.c needs to know of the engine that it opens a disk for. */
#ifndef MICROVM_BACKEND_DISK_ENGINE_H
#define MICROVM_BACKEND_DISK_ENGINE_H

#include "devices/backend/disk.h"

/* disk_engine_create() - for @d, whose fd and alignment are known.  NULL: no memory */
struct disk_engine *disk_engine_create(struct disk *d);
void disk_engine_destroy(struct disk_engine *en); /* nothing in flight; NULL is fine */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_io - one of KVM's structures, as KVM's ioctls read and write it: an ABI, of the same
 * layout and byte order on every host of an architecture. KVM checks what it is given.
 */
#ifndef MICROVM_KVM_STATE_IO_H
#define MICROVM_KVM_STATE_IO_H

#include "vmm/core/state.h"

/* state_io() - saving gets @p, of @len bytes, by the ioctl @get of @fd; loading sets it by @set.
 * @what, a plural or a name, is in the sentence of a failure.
 */
void state_io(struct state *s, int fd, unsigned long get, unsigned long set, void *p,
	      size_t len, const char *what);

#endif

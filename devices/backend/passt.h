/* SPDX-License-Identifier: Apache-2.0 */
/* passt - a network for a guest without root: passt(1), which turns the guest's connections into
 * sockets of its own.
 */
#ifndef MICROVM_BACKEND_PASST_H
#define MICROVM_BACKEND_PASST_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* passt_start() - for @c, with its published ports open.  It ends when its socket is closed,
 * however we end. Returns when passt is ready (20 ms). Main thread only.
 * Return: our end of a stream socket (netstream.h), or -errno with a sentence in @e
 */
int passt_start(const struct config_net *c, enum jail_mode jail, struct err *e);

#endif

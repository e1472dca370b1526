/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker - the process that was started: it has the machine's process made, and does for it what a
 * jailed process cannot.
 *
 * It reads the signals that are sent to us and tells each to the child, stops and goes on with it,
 * answers its questions about paths (vmm/core/outside.h), and says why it ended if it cannot say
 * so itself. One thread, that never waits for anything but messages.
 */
#ifndef MICROVM_JAIL_BROKER_H
#define MICROVM_JAIL_BROKER_H

#include "vmm/core/err.h"
#include "vmm/jail/jail.h"

/* broker_run() - clone the child, have it run @vmm(@ctx) and exit with what that returns, and serve
 * it until then. @j says in the child how it was begun. Signals are held (signals_hold()), and
 * there is one thread.
 * Return: the child's exit status; -errno with a sentence in @e: there was no child, or it ended
 * without one
 */
int broker_run(struct jail *j, int (*vmm)(void *ctx), void *ctx, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outside_wire - questions and answers on a SOCK_SEQPACKET socket between the jailed process and
 * the one that it asks.
 */
#ifndef MICROVM_CORE_OUTSIDE_WIRE_H
#define MICROVM_CORE_OUTSIDE_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/outside.h"

/* wire_open() - questions go to @fd from now on */
void wire_open(int fd);
/* wire_ask() - ask, and wait for the answer; any thread.  @fd: the descriptor that came with it,
 * close-on-exec, or -1. Return: the answer; -EPIPE: the other process is gone
 */
int wire_ask(const struct outside_question *q, int *fd);

/* wire_is_closed() - has no process its other end? */
bool wire_is_closed(int fd);
/* wire_send() - one message, and descriptor @pass with it unless that is -1.  @now: without a wait,
 * -EAGAIN if the other side does not read.  Return: 0 or -errno
 */
int wire_send(int fd, const void *msg, size_t len, bool now, int pass);
/* wire_receive() - one message of @size bytes at most, without a wait if @now.  @passed: NULL, or
 * where the descriptor goes; -1: none came. Descriptors that are not wanted are closed.
 * Return: its length; 0: the other end is closed; -EMSGSIZE: a longer one; -errno
 */
long wire_receive(int fd, void *msg, size_t size, bool now, int *passed);

#endif

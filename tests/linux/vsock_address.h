/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vsock_address - vsock:CID:PORT, unix:PATH, tcp:A.B.C.D:PORT, and host:PATH:PORT, which is
 * the guest's port through the VMM's socket.
 */
#ifndef MICROVM_TESTS_VSOCK_ADDRESS_H
#define MICROVM_TESTS_VSOCK_ADDRESS_H

/* die() - say @what failed, and errno's reason */
_Noreturn void die(const char *what);
/* reach() - connect to the address.  await() - listen there, and say "ready" on stdout.
 * Return: the socket
 */
int reach(const char *text);
int await(const char *text);

#endif

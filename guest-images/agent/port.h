/* SPDX-License-Identifier: Apache-2.0 */
/* port - the way to the host: a virtio port.  Nothing else of the agent knows what it is. */
#ifndef MICROVM_AGENT_PORT_H
#define MICROVM_AGENT_PORT_H

#include "guest-images/agent/agent.h"

/* Wait for the port of that name, and open it, non-blocking; panics if none comes */
int port_open(const char *name);

/* What has come, as far as it fits */
void port_read(int port, struct agent_reader *in);

/* What is to go, as far as it goes */
void port_write(int port, struct agent_writer *out);

#endif

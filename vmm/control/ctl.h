/* SPDX-License-Identifier: Apache-2.0 */
/* ctl - a client of the control socket: one question, one answer. */
#ifndef MICROVM_CONTROL_CTL_H
#define MICROVM_CONTROL_CTL_H

#include <jansson.h>

#include "vmm/core/err.h"

/* Of one who waits for as long as it takes: @look is called now and then, and a signal that is held
 * (signals_hold()) ends the wait
 */
struct ctl_patience {
	void (*look)(void *ctx);
	void *ctx;
};

/* ctl_ask() - ask the machine whose control socket is at @path for @request, which is let go of; @nfd
 * descriptors go along, two at most. Waits for its answer, half a minute at most without @patience; SIGINT
 * and the like end the process as ever.
 * Return: the result, the caller's; NULL: why is in @e, the machine's own sentence if it refused
 */
json_t *ctl_ask(const char *path, json_t *request, const int *fd, unsigned int nfd,
		const struct ctl_patience *patience, struct err *e);

#endif

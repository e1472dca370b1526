/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_ask - run a helper program for what it prints about itself. */
#include "devices/backend/daemon.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "vmm/core/signals.h"
#include "vmm/core/util.h"

#define DAEMON_ASK_NS UINT64_C(2000000000)

int daemon_ask(const struct daemon_spec *s, char *text, size_t size, struct err *e)
{
	uint64_t now = monotonic_ns(), end = now + DAEMON_ASK_NS;
	struct daemon d;
	size_t n = 0;
	int rc = daemon_start(&d, s, e);

	text[0] = '\0';
	if (rc < 0)
		return rc;
	for (; n < size - 1 && now < end && !signals_ending(); now = monotonic_ns()) {
		struct pollfd p = {.fd = d.talk.fd, .events = POLLIN};
		ssize_t got;

		(void)signals_poll(&p, (int)((end - now) / 1000000) + 1);
		got = read(d.talk.fd, text + n, size - 1 - n);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	text[n] = '\0';
	daemon_stop(&d);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* state_io - one of KVM's structures, saved or loaded. */
#include "vmm/kvm/state_io.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

void state_io(struct state *s, int fd, unsigned long get, unsigned long set, void *p,
	      size_t len, const char *what)
{
	if (!state_loading(s) && state_ok(s) && ioctl(fd, get, p) < 0)
		state_failf(s, "this host's KVM does not tell its %s: %s", what,
			    strerror(errno));
	state_bytes(s, p, len);
	if (state_loading(s) && state_ok(s) && ioctl(fd, set, p) < 0)
		state_failf(
			s,
			"this host's KVM refuses its %s: %s; a host with the "
			"processor and the kernel of the one that saved it takes them",
			what, strerror(errno));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* irq - interrupt lines over eventfds. */
#include "vmm/core/irq.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/core/fds.h"

int irq_init(struct irq_line *line, unsigned int gsi)
{
	line->gsi = gsi;
	line->fd = fd_place(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), FD_WAKE);
	return line->fd < 0 ? -errno : 0;
}

void irq_fini(struct irq_line *line)
{
	if (line->fd >= 0)
		close(line->fd);
	line->fd = -1;
}

void irq_pulse(const struct irq_line *line)
{
	/* A full counter (EAGAIN) means that the pulse is pending already. */
	if (line->fd >= 0)
		(void)!eventfd_write(line->fd, 1);
}

bool irq_kept(const struct irq_line *line)
{
	struct pollfd p = {.fd = line->fd, .events = POLLIN};

	return line->fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * irq - an interrupt line: devices can push it, like a button, and nothing more.
 *
 * All lines are edge-triggered. @fd is an eventfd: the machine binds it to KVM by irqfd, a unit
 * test reads it back.
 */
#ifndef MICROVM_CORE_IRQ_H
#define MICROVM_CORE_IRQ_H

#include <stdbool.h>

struct irq_line {
	unsigned int gsi;
	int fd; /* eventfd; -1: not connected, pulses go nowhere */
};

/* irq_init() - line @gsi with an eventfd of its own.  Return: 0 or -errno */
int irq_init(struct irq_line *line, unsigned int gsi);
void irq_fini(struct irq_line *line);
void irq_pulse(const struct irq_line *line); /* any thread */
/* irq_kept() - is an untaken pulse in the line's eventfd?  It stays there */
bool irq_kept(const struct irq_line *line);

#endif

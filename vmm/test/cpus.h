/* SPDX-License-Identifier: Apache-2.0 */
/* cpus - what each vCPU was at when its machine ended, for a person: cpus.txt (docs/test.md). */
#ifndef MICROVM_TEST_CPUS_H
#define MICROVM_TEST_CPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/machine/machine.h"
#include "vmm/test/symbols.h"
#include "vmm/test/who.h"

struct cpu {
	const struct vcpu_seen *seen; /* NULL: it did not come back */
};

struct cpus {
	const struct cpu *cpu;
	unsigned int n;
	struct symbols *symbols;
	const struct who *who;
	bool fixed; /* the kernel lies where it was linked: its command line has nokaslr */
	/* what cpus_place() finds */
	bool placed;     /* symbols can be used */
	bool foreign;    /* they are another kernel's */
	uint64_t offset; /* from where the kernel was linked to where it lies */
};

/* cpus_place() - read the symbols, and find out where the kernel lies: KASLR's offset is a vCPU's entry less
 * the symbol of it
 */
void cpus_place(struct cpus *c);
/* cpus_write() - all of it into @fd.  Return: 0, or -errno */
int cpus_write(struct cpus *c, int fd);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* cpuid_names_x86 - what a bit of CPUID is called. */
#ifndef MICROVM_KVM_CPUID_NAMES_X86_H
#define MICROVM_KVM_CPUID_NAMES_X86_H

#include <stddef.h>
#include <stdint.h>

/* cpuid_names() - into @buf the names, separated by spaces, of the features of @bits, in register @reg (0: EAX,
 * 3: EDX) of this leaf, as /proc/cpuinfo has them; those that have none are as "bit 5". Return: does the leaf
 * have features there?
 */
int cpuid_names(uint32_t function, uint32_t index, unsigned int reg, uint32_t bits,
		char *buf, size_t size);

#endif

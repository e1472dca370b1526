/* SPDX-License-Identifier: Apache-2.0 */
/* arch - what operators call the architecture that this program was built for, and the kernel. */
#ifndef MICROVM_CORE_ARCH_H
#define MICROVM_CORE_ARCH_H

#include <stdint.h>

/* "x86-64" or "arm64"; one arch_<arch>.c each. For sentences and for options that one
 * architecture lacks; never to choose between code of two architectures.
 */
extern const char arch_name[];
extern const char arch_images[]; /* "amd64" or "arm64": what guest-images calls it */
/* What a kernel is told besides that runs one job and is gone: it leaves out what pays off later */
extern const char arch_job_words[];
/* Where in a directory its kernel may be, the first that is there: after `make`, and as
 * guest-images has it. Ends in NULL
 */
extern const char *const arch_kernel_files[];
/* By what a running Linux shows where it lies: the symbols that may be where it takes system calls or
 * exceptions, each @count times, @step apart; and its distance from where it was linked is a multiple of @align
 */
struct arch_entry {
	const char *symbol; /* NULL: no more */
	unsigned int step, count;
};
extern const struct arch_entry arch_kernel_entry[];
extern const uint64_t arch_kernel_align;
/* Bits that are ones in an address of the kernel, but in which a processor may keep a signature of it */
extern const uint64_t arch_kernel_signs;
/* AUDIT_ARCH_* of its system calls, as a seccomp filter sees it */
extern const uint32_t arch_audit;
/* EM_* of its programs, as their ELF headers have it */
extern const uint16_t arch_elf;

#endif

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
/* AUDIT_ARCH_* of its system calls, as a seccomp filter sees it */
extern const uint32_t arch_audit;

#endif

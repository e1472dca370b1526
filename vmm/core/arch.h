/* SPDX-License-Identifier: Apache-2.0 */
/* arch - what operators call the architecture that this program was built for. */
#ifndef MICROVM_CORE_ARCH_H
#define MICROVM_CORE_ARCH_H

/* "x86-64" or "arm64"; one arch_<arch>.c each. For sentences and for options that one
 * architecture lacks; never to choose between code of two architectures.
 */
extern const char arch_name[];

#endif

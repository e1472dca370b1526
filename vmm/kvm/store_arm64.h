/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_arm64 - what a store does besides storing, for a write that is to be dropped: KVM
 * tells us of those that the processor does not decode, but not what they are.
 */
#ifndef MICROVM_KVM_STORE_ARM64_H
#define MICROVM_KVM_STORE_ARM64_H

#include <stdbool.h>
#include <stdint.h>

/* store_skip() - is the A64 instruction @code a plain store of one or two registers, of any
 * kind?  (Arm ARM, C4.1, "Loads and stores".)  Then register @base (31: none, or the stack
 * pointer) is to be changed by @add, which is 0 where the store changes no register
 */
bool store_skip(uint32_t code, unsigned int *base, int64_t *add);

#endif

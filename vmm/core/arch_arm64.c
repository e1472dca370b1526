/* SPDX-License-Identifier: Apache-2.0 */
/* arch_arm64 - this architecture's name. */
#include "vmm/core/arch.h"

const char arch_name[] = "arm64";

/* SPDX-License-Identifier: Apache-2.0 */
/* arch_x86 - this architecture's name. */
#include "vmm/core/arch.h"

const char arch_name[] = "x86-64";

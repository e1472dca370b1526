/* SPDX-License-Identifier: Apache-2.0 */
/* told - a word in guest memory by which a test on the host lets a payload end (rt_let_go()) */
#ifndef MICROVM_PAYLOADS_RT_TOLD_H
#define MICROVM_PAYLOADS_RT_TOLD_H

#include <stdint.h>

#define RT_TOLD    UINT64_C(0x6c6c61206c6c6577)
#define RT_TOLD_AT 8192 /* bytes before the end of the first region of RAM */

#endif

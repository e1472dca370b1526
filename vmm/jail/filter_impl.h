/* SPDX-License-Identifier: Apache-2.0 */
/* filter_impl - what the files of the filter share. */
#ifndef MICROVM_JAIL_FILTER_IMPL_H
#define MICROVM_JAIL_FILTER_IMPL_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/thread.h"

#define FILTER_CODE_MAX 512 /* instructions */

/* filter_code() - the program of a thread of @kind in process @pid, into @code, which has room for
 * FILTER_CODE_MAX.  Return: how many instructions; 0: the build has made none for that
 */
unsigned short filter_code(enum thread_kind kind, unsigned int extras, uint32_t pid,
			   struct sock_filter *code);
/* filter_call_name() - the name of the target's call @nr, "" if it has none. Async-signal-safe */
const char *filter_call_name(int nr);
/* filter_rule_call() - the number of the call of filter_rule(@i) */
int filter_rule_call(unsigned int i);
/* filter_built_sum() - filter_rules_sum() where the programs were made */
uint64_t filter_built_sum(void);

/* filter_trap_arm() - a call that the calling thread's filter stops becomes a sentence and the end
 * of the process.  Return: 0 or -errno
 */
int filter_trap_arm(void);

#endif

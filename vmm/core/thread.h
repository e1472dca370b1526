/* SPDX-License-Identifier: Apache-2.0 */
/* thread - what kinds of thread there are, and the first line that each of them runs. */
#ifndef MICROVM_CORE_THREAD_H
#define MICROVM_CORE_THREAD_H

enum thread_kind { THREAD_LOOP, THREAD_VCPU, THREAD_HELPER, THREAD_WORKER };

#endif

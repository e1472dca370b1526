/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - resource limits of the process (setrlimit(2)): which one made a call fail, and which
 * we need ourselves.
 */
#ifndef MICROVM_CORE_LIMITS_H
#define MICROVM_CORE_LIMITS_H

#include <pthread.h>
#include <stddef.h>

#include "vmm/core/err.h"

#define LIMITS_THREAD_STACK ((size_t)256 << 10) /* bytes, of each thread but the first */

/* limits_init() - at the start: enough stack for this thread, whatever the soft limit was.
 * Return: 0, or -errno with a sentence in @e
 */
int limits_init(struct err *e);
/* limits_cure() - a call failed with errno @code: which limit of ours causes that, in words that
 * name the cure. Return: "raise ulimit -f", never freed; NULL: no limit that is set causes it
 */
const char *limits_cure(int code);
/* limits_lock() - from now on the limits are as they are now: a thread under its filter cannot ask.
 * Before there is a second thread
 */
void limits_lock(void);
/* limits_thread_attr() - for a thread whose stack does not depend on ulimit -s, glibc's default
 * size; the caller destroys it
 */
void limits_thread_attr(pthread_attr_t *attr);
/* limits_thread_cure() - the end of the sentence about a thread or process that could not be
 * made: "; raise ulimit -u ..." for EAGAIN, else ""
 */
const char *limits_thread_cure(int code);

#endif

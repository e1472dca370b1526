/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread - how a machine's threads begin, and how those that may not end stay.
 *
 * Ending a thread takes system calls that a confined thread does not have. A machine whose parts
 * are armed early (cfg->early) has all its threads from the start, and they stay until the process
 * ends.
 */
#ifndef MICROVM_CORE_THREAD_H
#define MICROVM_CORE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* The last four are threads of other processes (vmm/jail/broker.h, vmm/job/job_copy.h,
 * vmm/archive/reader.h, vmm/image/importer.h)
 */
enum thread_kind {
	THREAD_LOOP,
	THREAD_VCPU,
	THREAD_HELPER,
	THREAD_WORKER,
	THREAD_BROKER,
	THREAD_COPIER,
	THREAD_READER,
	THREAD_IMPORTER,
	THREAD_KINDS
};

/* thread_set_entry() - what thread_begins() calls, before the first thread is started; NULL: nothing */
void thread_set_entry(void (*fn)(enum thread_kind kind));
/* thread_start() - run fn(arg), whose first line is thread_begins(), on a thread that no signal
 * interrupts but @sig (0: none at all) and crashes. Return: 0, or an errno as pthread_create()
 */
int thread_start(pthread_t *t, int sig, void *(*fn)(void *arg), void *arg);
/* thread_begins() - name the calling thread ("vcpu0", "worker1"; the loop's keeps the process's
 * name), and call what was set for its kind. The loop's thread calls it last, before it runs
 */
void thread_begins(enum thread_kind kind, unsigned int nr);
/* threads_begun() - wait until all that thread_start() started have begun */
void threads_begun(void);
/* thread_is_vcpu() - is the calling thread a vCPU's? It makes few system calls: write() on
 * descriptors that are open, and what locks need. It leaves the rest to another (loop_post())
 */
bool thread_is_vcpu(void);
/* thread_stays() - instead of returning: wait for the process's end. Uses nothing of its caller */
_Noreturn void thread_stays(void);

#endif

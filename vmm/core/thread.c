/* SPDX-License-Identifier: Apache-2.0 */
/* thread - the begin and the end of a machine's threads. */
#include "vmm/core/thread.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "vmm/core/limits.h"
#include "vmm/core/util.h"

/* Global, as threads are the process's: how many were started and have not begun, and what each
 * calls first.
 */
static pthread_mutex_t thread_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t thread_cond = PTHREAD_COND_INITIALIZER;
static unsigned int thread_due; /* under thread_lock */
static void (*thread_entry)(enum thread_kind kind);
static _Thread_local bool thread_vcpu;

void thread_set_entry(void (*fn)(enum thread_kind kind))
{
	thread_entry = fn;
}

static void thread_count(int n)
{
	pthread_mutex_lock(&thread_lock);
	thread_due += (unsigned int)n;
	if (!thread_due)
		pthread_cond_broadcast(&thread_cond);
	pthread_mutex_unlock(&thread_lock);
}

int thread_start(pthread_t *t, int sig, void *(*fn)(void *arg), void *arg)
{
	sigset_t mine, old;
	pthread_attr_t attr;
	int rc;

	limits_thread_attr(&attr);
	signals_block(&old);
	sigemptyset(&mine);
	if (sig)
		sigaddset(&mine, sig);
	pthread_sigmask(SIG_UNBLOCK, &mine, NULL);
	thread_count(1);
	rc = pthread_create(t, &attr, fn, arg);
	if (rc)
		thread_count(-1);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

void thread_begins(enum thread_kind kind, unsigned int nr)
{
	static const char *const names[] = {
		[THREAD_VCPU] = "vcpu",
		[THREAD_HELPER] = "helper",
		[THREAD_WORKER] = "worker",
	};
	char name[16];

	thread_vcpu = kind == THREAD_VCPU;
	if (kind != THREAD_LOOP) {
		(void)snprintf(name, sizeof(name), "%s%u", names[kind], nr);
		(void)prctl(PR_SET_NAME, name);
	}
	if (thread_entry)
		thread_entry(kind);
	if (kind != THREAD_LOOP)
		thread_count(-1);
}

void threads_begun(void)
{
	pthread_mutex_lock(&thread_lock);
	while (thread_due)
		pthread_cond_wait(&thread_cond, &thread_lock);
	pthread_mutex_unlock(&thread_lock);
}

bool thread_is_vcpu(void)
{
	return thread_vcpu;
}

_Noreturn void thread_stays(void)
{
	pthread_mutex_lock(&thread_lock);
	for (;;)
		pthread_cond_wait(&thread_cond, &thread_lock);
}

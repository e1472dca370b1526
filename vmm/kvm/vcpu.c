/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu - the thread of a virtual processor.
 *
 * Leaving and resting: the asker says what it wants, sets run->immediate_exit, so that the next
 * KVM_RUN returns at once, and sends VCPU_SIGNAL, so that the present one does (KVM API document,
 * 5, "The kvm_run structure", immediate_exit).  What an exit is about reaches the guest's
 * registers only in the KVM_RUN that follows, so a thread that is to rest enters once more
 * (the same document, KVM_EXIT_IO and KVM_EXIT_MMIO).
 */
#include "vmm/kvm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/limits.h"
#include "vmm/core/thread.h"
#include "vmm/core/util.h"
#include "vmm/kvm/vcpu_arch.h"
#include "vmm/kvm/vcpu_exit.h"

/* Below SIGRTMIN: real-time signals are refused when their queue, which the user's processes
 * share and which has a limit (ulimit -i), is full. SIGURG, because no process sends it, and it
 * does nothing where there is no handler.
 */
#define VCPU_SIGNAL    SIGURG
#define VCPU_AGAIN_FEW 8        /* in a row: a guest's own doing may cause so many */
#define VCPU_AGAIN_MAX 200      /* in a row: two seconds of the naps below */
#define VCPU_AGAIN_NS  10000000 /* another process of the same user may end */

static void vcpu_on_signal(int sig)
{
	(void)sig; /* it only has to interrupt KVM_RUN */
}

void vcpu_init_signals(void)
{
	struct sigaction sa = {.sa_handler = vcpu_on_signal};

	(void)sigaction(VCPU_SIGNAL, &sa, NULL);
}

int vcpu_create(struct vcpu *c, struct kvm *k, unsigned int id, unsigned int ncpu,
		struct vcpu_host *h, struct err *e)
{
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->host = h;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->moved, NULL);
	vcpu_helper_init(&c->helper, id);
	c->fd = fd_place(ioctl(k->vm_fd, KVM_CREATE_VCPU, (unsigned long)id), FD_VCPU);
	if (c->fd < 0)
		return err_set(e, errno, "KVM cannot make vCPU %u: %s", id,
			       strerror(errno));
	c->run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED) {
		c->run = NULL;
		return err_set(e, errno, "vCPU %u: mapping its state: %s", id,
			       strerror(errno));
	}
	c->run_size = k->run_size;
	return vcpu_arch_init(c, k, ncpu, e);
}

void vcpu_destroy(struct vcpu *c)
{
	/* A thread that stays has left both. The VM ends with the last of them: at the process's
	 * exit that would take the kernel two waits more
	 */
	if (c->run)
		munmap(c->run, c->run_size);
	cleanup_close_fd(&c->fd);
	c->run = NULL;
	c->fd = -1;
	if (c->started || c->helper.started) /* they stay, and what they wait for */
		return;
	vcpu_helper_fini(&c->helper);
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->lock);
}

/* Until a time: after SIGSTOP, the kernel restarts a sleep for a time by a system call of its own,
 * restart_syscall
 */
void vcpu_nap(long ns)
{
	uint64_t end = monotonic_ns() + (uint64_t)ns;
	const struct timespec t = {.tv_sec = (time_t)(end / 1000000000),
				   .tv_nsec = (long)(end % 1000000000)};

	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* A vCPU gets EAGAIN once when another one that starts it wakes it. KVM also returns it, at once
 * and always, if it cannot make a thread of its own for this VM (Linux 6.12 and later make it
 * under our limits, in the first KVM_RUN). Return: try again?
 */
static bool vcpu_again(struct vcpu *c)
{
	struct kvm_mp_state state = {.mp_state = KVM_MP_STATE_RUNNABLE};

	if (++c->again < VCPU_AGAIN_FEW)
		return true;
	if (c->again < VCPU_AGAIN_MAX) {
		vcpu_nap(VCPU_AGAIN_NS);
		return true;
	}
	c->again = 0;
	(void)ioctl(c->fd, KVM_GET_MP_STATE, &state);
	errno = EAGAIN; /* and not a former call's */
	return state.mp_state != KVM_MP_STATE_RUNNABLE;
}

static void vcpu_tell_pause(struct vcpu *c)
{
	unsigned int n = atomic_load_explicit(&c->host->pauses, memory_order_relaxed);

	if (n != c->pauses)
		vcpu_arch_paused(c);
	c->pauses = n;
}

/* An asker sets @want or @asked before immediate_exit: if this clears the latter, vcpu_thread()
 * still sees the former.
 */
static void vcpu_look(struct vcpu *c)
{
	__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	c->look = vcpu_arch_look(c);
	c->asked = false;
}

/* KVM_RUN was interrupted. If not by us, then SIGSTOP, a debugger, a frozen control group or a
 * host's sleep stopped the process, and the other vCPUs with it, wherever they were. A rest that
 * was taken back before this thread came to it has left immediate_exit set.
 */
static void vcpu_interrupted(struct vcpu *c)
{
	bool by_us = __atomic_exchange_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);

	vcpu_count(c, KVM_EXIT_INTR);
	if (c->asked)
		vcpu_look(c);
	else if (!by_us && c->want == VCPU_RUN)
		atomic_fetch_add(&c->host->pauses, 1);
}

/* Until it should go on or leave, whatever it is asked meanwhile */
static void vcpu_park(struct vcpu *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->want == VCPU_REST) {
		c->resting = true;
		if (c->asked)
			vcpu_look(c);
		pthread_cond_wait(&c->moved, &c->lock);
	}
	c->resting = false;
	pthread_mutex_unlock(&c->lock);
}

/* KVM_RUN came back.  Return: go on? */
static bool vcpu_came_back(struct vcpu *c, int rc)
{
	if (rc == 0) {
		c->again = 0;
		return vcpu_handle_exit(c);
	}
	if (errno == EINTR) {
		vcpu_interrupted(c);
		return true;
	}
	if (errno == EAGAIN && vcpu_again(c))
		return true;
	vcpu_run_failed(c, errno);
	return false;
}

/* The last exit is complete when KVM_RUN returns for immediate_exit; it may return with another
 * exit first, the second half of an access that crosses a page.
 * Return: go on?
 */
static bool vcpu_take_rest(struct vcpu *c)
{
	int rc;

	do {
		__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		rc = ioctl(c->fd, KVM_RUN, 0);
		if (rc == 0 && !vcpu_came_back(c, rc))
			return false;
	} while (rc == 0 && c->want == VCPU_REST);
	vcpu_park(c);
	__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (c->asked)
		vcpu_look(c);
	return true;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *c = arg;
	bool on = true, stay = c->host->early;

	c->pid = getpid();
	c->tid = gettid(); /* later this thread has no call for either */
	thread_begins(THREAD_VCPU, c->id);
	vcpu_park(c);
	if (stay) /* the loop, which let it go, does not wait for the others */
		threads_begun();
	if (c->id == 0)
		c->host->first_run_ns = monotonic_ns();
	while (on && c->want != VCPU_LEAVE && !c->host->over) {
		vcpu_tell_pause(c);
		on = c->want == VCPU_REST ? vcpu_take_rest(c)
					  : vcpu_came_back(c, ioctl(c->fd, KVM_RUN, 0));
	}
	if (c->host->keeps) {
		vcpu_arch_tell(c, c->told, sizeof(c->told));
		vcpu_see(c);
	}
	pthread_mutex_lock(&c->lock);
	c->left = true;
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
	if (stay)
		thread_stays();
	return NULL;
}

int vcpu_start(struct vcpu *c, struct err *e)
{
	int rc = c->host->early ? vcpu_helper_start(&c->helper) : 0;

	c->want = VCPU_REST;
	c->left = false;
	if (rc == 0)
		rc = thread_start(&c->thread, VCPU_SIGNAL, vcpu_thread, c);
	if (rc)
		return err_set(e, rc, "vCPU %u: no thread for it: %s%s", c->id,
			       strerror(rc), limits_thread_cure(rc));
	c->started = true;
	return 0;
}

static void vcpu_kick(struct vcpu *c)
{
	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	/* Not pthread_kill(), which makes four calls of one. A thread that has not begun looks at
	 * what it is asked before it enters the guest.
	 */
	if (c->tid)
		(void)syscall(SYS_tgkill, c->pid, c->tid, VCPU_SIGNAL);
	pthread_mutex_lock(&c->lock);
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
}

void vcpu_stop(struct vcpu *c)
{
	if (!c->started || c->left)
		return;
	c->want = VCPU_LEAVE;
	vcpu_kick(c);
}

void vcpu_rest(struct vcpu *c)
{
	if (!c->started || c->want != VCPU_RUN)
		return;
	c->want = VCPU_REST;
	vcpu_kick(c);
}

bool vcpu_rests(const struct vcpu *c)
{
	return !c->started || c->resting || c->left;
}

void vcpu_resume(struct vcpu *c)
{
	if (!c->started || c->want != VCPU_REST)
		return;
	pthread_mutex_lock(&c->lock);
	c->want = VCPU_RUN;
	c->resting = false; /* before its thread wakes up: vcpu_rests() of a next rest */
	pthread_cond_broadcast(&c->moved);
	pthread_mutex_unlock(&c->lock);
}

void vcpu_ask(struct vcpu *c)
{
	if (!c->started || c->asked)
		return;
	c->asked = true;
	vcpu_kick(c);
}

bool vcpu_answer(const struct vcpu *c, enum vcpu_look *look)
{
	if (!c->started || c->asked)
		return false;
	*look = (enum vcpu_look)c->look;
	return true;
}

bool vcpu_left(const struct vcpu *c)
{
	return !c->started || c->left;
}

void vcpu_join(struct vcpu *c)
{
	if (c->started) {
		pthread_mutex_lock(&c->lock);
		while (!c->left)
			pthread_cond_wait(&c->moved, &c->lock);
		pthread_mutex_unlock(&c->lock);
		if (c->host->early) /* both threads stay, and have nothing to do */
			return;
		pthread_join(c->thread, NULL);
	}
	c->started = false;
}

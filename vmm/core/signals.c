/* SPDX-License-Identifier: Apache-2.0 */
/* signals - what each signal does to the program, set up before anything else. */
#include "vmm/core/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define SIGNALS_CHUNK 64

static const int signals_ends[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
static const int signals_questions[] = {SIGUSR1, SIGUSR2};
static const int signals_stops[] = {SIGTSTP};

/* Where another process reads them for us: the pipe that it writes them to, a byte each, and those
 * that came by it and were not taken yet, a bit each, as the kernel keeps pending ones. The write
 * end is for a handler.
 */
static struct {
	int fd, own;
	_Atomic uint64_t came;
} relay = {.fd = -1, .own = -1};

/* An ignored signal must not be blocked: the kernel keeps blocked signals, ignored or not, and we
 * would read it.
 */
static void signals_add(sigset_t *set, const int *sigs, size_t n)
{
	struct sigaction sa;

	for (size_t i = 0; i < n; i++)
		if (sigaction(sigs[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(set, sigs[i]);
}

static void signals_set(sigset_t *set, bool all)
{
	sigemptyset(set);
	signals_add(set, signals_questions, ARRAY_SIZE(signals_questions));
	if (!all)
		return;
	signals_add(set, signals_ends, ARRAY_SIZE(signals_ends));
	signals_add(set, signals_stops, ARRAY_SIZE(signals_stops));
}

void signals_init(void)
{
	sigset_t set;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	signals_set(&set, false);
	(void)pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void signals_hold(void)
{
	sigset_t set;

	signals_set(&set, true);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void signals_on_limit(int sig)
{
	const uint8_t byte = (uint8_t)sig;
	int saved = errno;

	(void)!write(relay.own, &byte, 1);
	errno = saved;
}

void signals_adopt(int fd, int own)
{
	struct sigaction limit = {.sa_handler = signals_on_limit,
				  .sa_flags = SA_RESTART},
			 none = {.sa_handler = SIG_IGN};
	sigset_t all;

	signals_set(&all, true);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&all, sig) == 1)
			(void)sigaction(sig, sig == SIGXCPU ? &limit : &none, NULL);
	relay.fd = fd;
	relay.own = own;
	(void)pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

static void signals_pump(void)
{
	uint8_t byte[SIGNALS_CHUNK];
	ssize_t n;

	while ((n = read(relay.fd, byte, sizeof(byte))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (byte[i] < 64)
				atomic_fetch_or(&relay.came, UINT64_C(1) << byte[i]);
}

/* One that came and was not taken; 0: none */
static int signals_take(void)
{
	uint64_t came;
	int sig;

	signals_pump();
	came = relay.came;
	if (!came)
		return 0;
	sig = __builtin_ctzll(came);
	atomic_fetch_and(&relay.came, ~(UINT64_C(1) << sig));
	return sig;
}

int signals_read(int fd)
{
	struct signalfd_siginfo si;

	if (relay.fd >= 0)
		return signals_take();
	return read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si) ? (int)si.ssi_signo : 0;
}

int signals_open(void)
{
	sigset_t set;
	int fd;

	if (relay.fd >= 0) {
		fd = fcntl(relay.fd, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	signals_set(&set, true);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int signals_ending(void)
{
	sigset_t set;

	sigemptyset(&set);
	if (relay.fd >= 0)
		signals_pump();
	else if (sigpending(&set) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals_ends); i++)
		if (sigismember(&set, signals_ends[i]) == 1 ||
		    relay.came >> signals_ends[i] & 1)
			return signals_ends[i];
	return 0;
}

/* A signalfd of the signals that end us only, for as long as the wait: an unread question would
 * end it at once.
 */
int signals_poll(struct pollfd *p, int ms)
{
	struct pollfd both[] = {*p, {.fd = -1, .events = POLLIN}};
	sigset_t set;
	int rc;

	sigemptyset(&set);
	signals_add(&set, signals_ends, ARRAY_SIZE(signals_ends));
	both[1].fd = relay.fd >= 0 ? relay.fd
				   : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	rc = poll(both, ARRAY_SIZE(both), ms);
	if (both[1].fd != relay.fd)
		cleanup_close_fd(&both[1].fd);
	p->revents = rc > 0 ? both[0].revents : 0;
	return rc < 0 ? rc : p->revents != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* signals - what each signal does to the program, set up before anything else. */
#include "vmm/core/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define SIGNALS_CHUNK          64 /* more different ones than there are */
#define SIGNALS_NAP_MS         50
#define SIGNALS_OUTWAIT_NAP_MS 10

static const int signals_ends[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
static const int signals_questions[] = {SIGUSR1, SIGUSR2};
static const int signals_stops[] = {SIGTSTP};
static const int signals_jobs[] = {SIGQUIT, SIGALRM};
static bool signals_with_jobs; /* written before there are threads */

/* Where another process reads them for us: a socket by which they come, a byte each, and its other
 * end, for a handler. The bytes stay in it until they are taken.
 */
static struct {
	int fd, own;
} relay = {.fd = -1, .own = -1};

/* Readable while a signal that ends us waits; -1: signals are not held. Never read: an unread
 * question must not end a wait.
 */
static int signals_ends_fd = -1;

/* Those that our parent made us ignore, as signals_init() found them */
static sigset_t signals_ignored;

/* An ignored signal must not be blocked: the kernel keeps blocked signals, ignored or not, and we
 * would read it.
 */
static void signals_add(sigset_t *set, const int *sigs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (sigismember(&signals_ignored, sigs[i]) == 0)
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
	if (signals_with_jobs)
		signals_add(set, signals_jobs, ARRAY_SIZE(signals_jobs));
}

void signals_init(void)
{
	struct sigaction sa;
	sigset_t set;

	sigemptyset(&signals_ignored);
	signals_set(&set, true);
	signals_add(&set, signals_jobs, ARRAY_SIZE(signals_jobs));
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&set, sig) == 1 && sigaction(sig, NULL, &sa) == 0 &&
		    sa.sa_handler == SIG_IGN)
			sigaddset(&signals_ignored, sig);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	signals_set(&set, false);
	(void)pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void signals_more(void)
{
	signals_with_jobs = true;
}

void signals_hold(void)
{
	sigset_t set;

	signals_set(&set, true);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	signals_add(&set, signals_ends, ARRAY_SIZE(signals_ends));
	signals_ends_fd = signalfd(signals_ends_fd, &set, SFD_CLOEXEC | SFD_NONBLOCK);
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
	struct sigaction limit = {.sa_handler = signals_on_limit, .sa_flags = SA_RESTART},
			 none = {.sa_handler = SIG_IGN};
	sigset_t all;

	signals_set(&all, true);
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&all, sig) == 1)
			(void)sigaction(sig, sig == SIGXCPU ? &limit : &none, NULL);
	relay.fd = fd;
	relay.own = own;
	cleanup_close_fd(&signals_ends_fd);
	signals_ends_fd = fd;
	(void)pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

/* Bytes that came and were not taken yet.  Return: how many, 0 also if that cannot be told */
static size_t signals_peek(uint8_t byte[SIGNALS_CHUNK])
{
	struct iovec iov = {byte, SIGNALS_CHUNK};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(relay.fd, &h, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

int signals_read(int fd)
{
	struct signalfd_siginfo si;
	uint8_t byte;

	if (relay.fd >= 0)
		return read(fd, &byte, 1) == 1 ? byte : 0;
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

int signals_of_child(int fd)
{
	sigset_t set;

	signals_set(&set, true);
	sigaddset(&set, SIGCHLD);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(fd, &set, 0) < 0 ? -errno : 0;
}

static int signals_ending_relayed(void)
{
	uint8_t byte[SIGNALS_CHUNK];
	size_t n = signals_peek(byte);

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(signals_ends); k++)
			if (byte[i] == signals_ends[k])
				return byte[i];
	return 0;
}

int signals_ending(void)
{
	sigset_t set;

	if (relay.fd >= 0)
		return signals_ending_relayed();
	if (sigpending(&set) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(signals_ends); i++)
		if (sigismember(&set, signals_ends[i]) == 1)
			return signals_ends[i];
	return 0;
}

bool signals_outwait(unsigned int n)
{
	const struct timespec nap = {.tv_nsec = SIGNALS_OUTWAIT_NAP_MS * 1000000L};

	if (n * SIGNALS_OUTWAIT_NAP_MS >= SIGNALS_OUTWAIT_MS || signals_ending())
		return false;
	(void)nanosleep(&nap, NULL);
	return true;
}

int signals_poll(struct pollfd *p, int ms)
{
	struct pollfd both[] = {*p, {.fd = signals_ends_fd, .events = POLLIN}};
	int rc = poll(both, ARRAY_SIZE(both), ms);

	/* a question that waits in the relay does not end us, nor may it make the caller spin */
	if (rc > 0 && !both[0].revents && relay.fd >= 0 && !signals_ending())
		rc = poll(both, 1, ms < 0 ? SIGNALS_NAP_MS : MIN(ms, SIGNALS_NAP_MS));
	p->revents = rc > 0 ? both[0].revents : 0;
	return rc < 0 ? rc : p->revents != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* reader - a process that reads what others made, and can do nothing else. */
#include "vmm/archive/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define READER_ABOVE 64 /* all that it begins with */
#define READER_MAGIC UINT32_C(0x72656164)

/* What it writes at its end, to a pipe */
struct answer {
	uint32_t magic;
	struct err e;
	char said[READER_SAID];
};

static void limit(__rlimit_resource_t what, uint64_t most)
{
	struct rlimit l;

	if (getrlimit(what, &l) < 0)
		return;
	l.rlim_cur = MIN(l.rlim_cur, most);
	l.rlim_max = MIN(l.rlim_max, most);
	(void)setrlimit(what, &l);
}

/* Its descriptors get their numbers; the pipe is its stderr as well: the terminal is not its, and a
 * filter's last sentence goes there.  Return: the pipe's number, or -1
 */
static int reader_descriptors(const struct reader *r, int out)
{
	int fd[READER_FDS_MAX + 1];

	for (unsigned int i = 0; i <= r->nfd; i++) {
		fd[i] = fcntl(i < r->nfd ? r->fd[i] : out, F_DUPFD_CLOEXEC, READER_ABOVE);
		if (fd[i] < 0)
			return -1;
	}
	for (unsigned int i = 0; i <= r->nfd; i++)
		(void)dup3(fd[i], READER_FIRST + (int)i, O_CLOEXEC);
	out = READER_FIRST + (int)r->nfd;
	(void)dup3(out, STDERR_FILENO, O_CLOEXEC);
	(void)close_range((unsigned int)out + 1, ~0U, 0);
	(void)close_range(0, 1, 0);
	return out;
}

static int reader_ready(const struct reader *r, pid_t parent, struct err *e)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* its filter's */
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(1);
	(void)prctl(PR_SET_NAME, "reader", 0, 0, 0);
	limit(RLIMIT_CPU, r->seconds);
	limit(RLIMIT_FSIZE, r->file_size);
	if (!r->lock)
		return 0;
	limit(RLIMIT_DATA, r->memory);
	return r->lock(r->lock_ctx, e);
}

static _Noreturn void reader(const struct reader *r, int out, pid_t parent)
{
	static struct answer a = {.magic = READER_MAGIC};

	out = reader_descriptors(r, out);
	if (out < 0)
		_exit(1);
	if (reader_ready(r, parent, &a.e) == 0)
		(void)r->work(r->ctx, a.said, &a.e);
	(void)write_full(out, &a, sizeof(a));
	_exit(0);
}

/* It ended and has not answered */
static int reader_lost(const struct reader *r, int status, char *text, long n,
		       struct err *e)
{
	text[MAX(n, 0)] = '\0';
	text[strcspn(text, "\n")] = '\0';
	text_printable(text, strlen(text));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return err_set(e, E2BIG,
			       "%.200s: takes more than %u seconds of a processor, or "
			       "more memory than there is, to be read: it is damaged, or "
			       "made to exhaust us; unpack it by other means, if you "
			       "trust it",
			       r->what, r->seconds);
	return err_set(
		e, EIO,
		"%.200s: the process that reads it has ended (status %#x)%s%.160s; "
		"it is damaged, or made to take that process over",
		r->what, (unsigned int)status, *text ? ": " : "", text);
}

static int reader_answer(const struct reader *r, int in, pid_t pid,
			 char said[READER_SAID], struct err *e)
{
	struct answer a;
	long n = read_full(in, &a, sizeof(a));
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n != (long)sizeof(a) || a.magic != READER_MAGIC || status != 0) {
		char text[sizeof(a) + 1];

		memcpy(text, &a, (size_t)MAX(n, 0));
		return reader_lost(r, status, text, n, e);
	}
	/* perhaps it is of a file that has taken the process over */
	a.e.msg[sizeof(a.e.msg) - 1] = a.said[sizeof(a.said) - 1] = '\0';
	text_printable(a.e.msg, strlen(a.e.msg));
	text_printable(a.said, strlen(a.said));
	memcpy(said, a.said, sizeof(a.said));
	if (!a.e.code && !*a.e.msg)
		return 0;
	return a.e.usage ? err_usage(e, "%s", a.e.msg)
			 : err_set(e, a.e.code > 0 && a.e.code < 4096 ? a.e.code : EIO,
				   "%s", a.e.msg);
}

int reader_run(const struct reader *r, char said[READER_SAID], struct err *e)
{
	pid_t parent = getpid(), pid;
	int answer[2], rc;

	if (pipe2(answer, O_CLOEXEC) < 0)
		return err_set(e, errno, "%.200s: no pipe to read it: %s", r->what,
			       strerror(errno));
	pid = fork();
	if (pid == 0)
		reader(r, answer[1], parent);
	rc = errno;
	close(answer[1]);
	if (pid < 0)
		rc = err_set(e, rc, "%.200s: no process to read it: %s", r->what,
			     strerror(rc));
	else
		rc = reader_answer(r, answer[0], pid, said, e);
	close(answer[0]);
	return rc;
}

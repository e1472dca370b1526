/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - enter each filter of system calls as the kernel runs it, and try every call.
 *
 * usage: probe IOCTLS    (a file of numbers, as ./ioctls prints them)
 *
 * What a filter would allow is not done: it is answered with an errno of its own, and so is what it
 * denies. The thread that asks has no system call left, so it tells by shared memory what it
 * found, and ends by an access to memory that is not there. The real filters come after that: a
 * process for each kind of thread, which makes a call that is denied.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/jail/probes.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter_impl.h"

#define ERRNO_ALLOWED 3001 /* no errno of Linux */
#define ERRNO_DENIED  3002
#define ERRNO_KILLED  3003
/* Of x86-64; no call elsewhere.  Linux 6.14 and later do not filter them, and a thread that comes
 * from no probe only gets an error or SIGILL
 */
#define URETPROBE  335
#define UPROBE     336
#define RANDOM     10000
#define IOCTLS_MAX 8192

static const char *const kinds[] = {"loop",   "vcpu",   "helper", "worker",
				    "broker", "copier", "reader"};
static uint32_t ioctls[IOCTLS_MAX];
static size_t n_ioctl;
static unsigned int failed;

static enum probe_answer ask(const void *ctx, int nr, const uint64_t a[FILTER_SYS_ARGS])
{
	(void)ctx;
	if (nr == UPROBE || nr == URETPROBE)
		return PROBE_DENIED;
	if (syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]) != -1)
		return PROBE_MADE;
	switch (errno) {
	case ERRNO_ALLOWED:
		return PROBE_ALLOWED;
	case ERRNO_DENIED:
		return PROBE_DENIED;
	case ERRNO_KILLED:
		return PROBE_KILLED;
	default:
		return PROBE_MADE;
	}
}

static uint32_t told(uint32_t action)
{
	switch (action) {
	case SECCOMP_RET_ALLOW:
		return SECCOMP_RET_ERRNO | ERRNO_ALLOWED;
	case SECCOMP_RET_TRAP:
		return SECCOMP_RET_ERRNO | ERRNO_DENIED;
	default:
		return SECCOMP_RET_ERRNO | ERRNO_KILLED;
	}
}

/* The child: never returns */
static void probe_child(struct probes *p, volatile int *nowhere)
{
	struct sock_filter code[FILTER_CODE_MAX];
	struct sock_fprog prog = {.filter = code};

	p->pid = (uint32_t)getpid();
	prog.len = filter_code(p->kind, p->extras, p->pid, code);
	for (unsigned int i = 0; i < prog.len; i++)
		if (code[i].code == (BPF_RET | BPF_K))
			code[i].k = told(code[i].k);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		probes_run(p, ioctls, n_ioctl);
	*nowhere = 0;
	__builtin_unreachable();
}

static void say(bool ok, const char *what, const char *kind, unsigned int extras)
{
	printf("%s %s-%s-%u", ok ? "ok" : "not ok", what, kind, extras);
	failed += !ok;
}

static void probe(enum thread_kind kind, unsigned int extras)
{
	struct probes *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int *nowhere =
		mmap(NULL, PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t pid;

	*p = (struct probes){
		.kind = kind, .extras = extras, .ask = ask, .random = RANDOM};
	pid = fork();
	if (pid == 0)
		probe_child(p, nowhere);
	(void)waitpid(pid, &status, 0);
	say(p->done && p->allowed && !p->wrong, "probe", kinds[kind], extras);
	if (p->wrong)
		printf(": %lu of %lu wrong, first call %d (%s) with %#llx %#llx %#llx %#llx: "
		       "answer %d",
		       p->wrong, p->asked, p->nr, filter_call_name(p->nr),
		       (unsigned long long)p->args[0], (unsigned long long)p->args[1],
		       (unsigned long long)p->args[2], (unsigned long long)p->args[3],
		       (int)p->answer);
	else
		printf(": %lu asked, %lu allowed", p->asked, p->allowed);
	printf("\n");
	munmap(p, sizeof(*p));
	munmap(nowhere, PAGE_SIZE);
}

/* The filter itself: its sentence, and the process's end */
static void trap(enum thread_kind kind)
{
	char text[512] = "", want[64];
	int ends[2], status = 0;
	ssize_t n = 0, got;
	pid_t pid;

	if (pipe(ends) < 0 || (pid = fork()) < 0)
		exit(1);
	if (pid == 0) {
		struct err e;

		(void)dup2(ends[1], STDERR_FILENO);
		(void)prctl(PR_SET_NAME, kinds[kind]);
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (jail_filter_enter(kind, JAIL_EXTRAS_ALL, &e) == 0)
			(void)syscall(SYS_getppid); /* harmless, and in no rule */
		_exit(0);
	}
	close(ends[1]);
	while (n < (ssize_t)sizeof(text) - 1 &&
	       (got = read(ends[0], text + n, sizeof(text) - 1 - (size_t)n)) > 0)
		n += got;
	close(ends[0]);
	(void)waitpid(pid, &status, 0);
	(void)snprintf(want, sizeof(want), "thread %s's system call %d (getppid)",
		       kinds[kind], (int)SYS_getppid);
	say(WIFEXITED(status) && WEXITSTATUS(status) == JAIL_FILTER_STATUS &&
		    strstr(text, want),
	    "trap", kinds[kind], JAIL_EXTRAS_ALL);
	printf(": status %#x, %s%s", (unsigned int)status, text,
	       *text ? "" : "no sentence\n");
}

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "re") : NULL;
	unsigned int cmd;

	if (!f) {
		fprintf(stderr, "usage: probe IOCTLS\n");
		return 2;
	}
	while (n_ioctl < IOCTLS_MAX && fscanf(f, "%x", &cmd) == 1)
		ioctls[n_ioctl++] = cmd;
	fclose(f);
	(void)setvbuf(stdout, NULL, _IONBF, 0);
	for (unsigned int k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned int extras = 0; extras <= JAIL_EXTRAS_ALL; extras++)
			probe((enum thread_kind)k, extras);
		trap((enum thread_kind)k);
	}
	return failed != 0;
}

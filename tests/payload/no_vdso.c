/* SPDX-License-Identifier: Apache-2.0 */
/*
 * no_vdso - run a command without the kernel's vDSO, as on a host whose clock that cannot read: each
 * time that the command asks for the time is a system call.
 *
 * usage: no-vdso COMMAND [ARGUMENT...]
 *
 * COMMAND is this process: a tracer waits for its exec, hides the vDSO, and leaves.
 */
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void fail(const char *what)
{
	perror(what);
	_exit(126);
}

static uint64_t look(pid_t pid, uint64_t at)
{
	uint64_t v = 0;
	struct iovec to = {&v, sizeof(v)}, from = {(void *)(uintptr_t)at, sizeof(v)};

	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)sizeof(v))
		fail("no-vdso: process_vm_readv");
	return v;
}

/* On a new program's stack: argc, argv, NULL, envp, NULL, then pairs of a type and a value */
static void hide(pid_t pid)
{
	struct user_regs_struct r;
	struct iovec regs = {&r, sizeof(r)};
	uint64_t at;

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &regs) < 0)
		fail("no-vdso: PTRACE_GETREGSET");
	at = NO_VDSO_STACK(r);
	at += 8 * (look(pid, at) + 2);
	while (look(pid, at))
		at += 8;
	for (at += 8; look(pid, at) != AT_NULL; at += 16)
		if (look(pid, at) == AT_SYSINFO_EHDR &&
		    ptrace(PTRACE_POKEDATA, pid, at, AT_IGNORE) < 0)
			fail("no-vdso: PTRACE_POKEDATA");
}

static _Noreturn void trace(pid_t pid, int ready)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXEC) < 0)
		fail("no-vdso: PTRACE_SEIZE");
	(void)!write(ready, "", 1);
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		_exit(1);
	hide(pid);
	(void)ptrace(PTRACE_DETACH, pid, 0, 0);
	_exit(0);
}

int main(int argc, char **argv)
{
	pid_t pid = getpid(), between;
	int ends[2];
	char c;

	if (argc < 2 || pipe(ends) < 0)
		return 126;
	(void)prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	between = fork();
	if (between == 0) { /* the tracer is no child of COMMAND's */
		if (fork() == 0)
			trace(pid, ends[1]);
		_exit(0);
	}
	(void)waitpid(between, NULL, 0);
	close(ends[1]);
	if (read(ends[0], &c, 1) != 1)
		return 126;
	close(ends[0]);
	(void)execvp(argv[1], argv + 1);
	fail(argv[1]);
}

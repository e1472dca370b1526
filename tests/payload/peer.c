/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - run a command with a socket open, and be what is at its other end.
 *
 * usage: peer FD COMMAND [ARGUMENT...]
 *
 * COMMAND inherits one end of a socket pair as descriptor FD.  Our stdin goes into the other, and what
 * comes out of it to our stdout, until it hangs up.  Exit status: COMMAND's; 128 and more: a signal's.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static pid_t run(int fd, int as, char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid > 0)
		return pid;
	if (fd == as ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, as) < 0)
		_exit(126);
	(void)execvp(argv[0], argv);
	_exit(127);
}

/* Copy what there is.  Return: 0, it is over */
static int copy(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	return n > 0 && write(to, buf, (size_t)n) == n;
}

int main(int argc, char **argv)
{
	int pair[2], status;
	pid_t pid;

	if (argc < 3)
		fail("peer FD COMMAND");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fail("socketpair");
	pid = run(pair[1], atoi(argv[1]), argv + 2);
	close(pair[1]);
	for (struct pollfd p[] = {{.fd = pair[0], .events = POLLIN},
				  {.fd = STDIN_FILENO, .events = POLLIN}};
	     poll(p, 2, -1) > 0;) {
		if (p[1].revents && !copy(STDIN_FILENO, pair[0]))
			p[1].fd = -1;
		if (p[0].revents && !copy(pair[0], STDOUT_FILENO))
			break;
	}
	if (waitpid(pid, &status, 0) < 0)
		fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

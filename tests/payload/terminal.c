/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal - run a command on a terminal of its own, which goes away.
 *
 * usage: terminal COMMAND [ARGUMENT...]
 *
 * Our stdin is typed, and what is shown goes to our stdout.  At the end of stdin the terminal
 * hangs up, as a window that is closed does; then we wait for COMMAND.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void become(const char *slave, char **argv)
{
	int fd;

	(void)setsid();
	fd = open(slave, O_RDWR); /* ours, as the first that a session's leader opens */
	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	if (fd > 2)
		close(fd);
	(void)execvp(argv[0], argv);
	_exit(127);
}

/* Copy what there is.  Return: false, it is over */
static int copy(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	return n > 0 && write(to, buf, (size_t)n) == n;
}

int main(int argc, char **argv)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	pid_t pid;

	if (argc < 2 || master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		fail("terminal");
	pid = fork();
	if (pid == 0)
		become(ptsname(master), argv + 1);
	for (;;) {
		struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				     {.fd = master, .events = POLLIN}};

		if (poll(p, 2, -1) < 0)
			fail("poll");
		if ((p[1].revents & POLLIN) && !copy(master, STDOUT_FILENO))
			break;
		if ((p[0].revents & (POLLIN | POLLHUP)) && !copy(STDIN_FILENO, master))
			break;
	}
	close(master);
	return waitpid(pid, &status, 0) == pid ? 0 : 1;
}

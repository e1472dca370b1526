/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal - run a program on a terminal of its own, as somebody who sits at it.
 *
 * usage: terminal ROWSxCOLS PROGRAM [ARGUMENT...]
 *
 * What comes on our stdin is typed there, what the program shows goes to our stdout, and a
 * question for the cursor's place, which is how a size is asked for, is answered.  Ends with the
 * program's status.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char question[] = "\033[6n";

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void put(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0)
			fail("write");
		p += k;
		n -= (size_t)k;
	}
}

/* Does this output end a question?  It may come in pieces. */
static bool asked(const char *p, size_t n)
{
	static size_t at;
	bool yes = false;

	for (size_t i = 0; i < n; i++) {
		at = p[i] == question[at] ? at + 1 : p[i] == question[0];
		if (question[at])
			continue;
		yes = true;
		at = 0;
	}
	return yes;
}

/* Until the program has closed its terminal */
static void sit(int master, const struct winsize *size)
{
	struct pollfd p[2] = {{.fd = master, .events = POLLIN},
			      {.fd = STDIN_FILENO, .events = POLLIN}};
	char buf[4096];
	ssize_t n;

	while (poll(p, 2, -1) >= 0 || errno == EINTR) {
		if (p[0].revents) {
			n = read(master, buf, sizeof(buf));
			if (n <= 0)
				return;
			put(STDOUT_FILENO, buf, (size_t)n);
			if (asked(buf, (size_t)n))
				put(master, buf,
				    (size_t)snprintf(buf, sizeof(buf), "\033[%u;%uR",
						     size->ws_row, size->ws_col));
		}
		if (p[1].revents) {
			n = read(STDIN_FILENO, buf, sizeof(buf));
			if (n <= 0)
				p[1].fd = -1;
			else
				put(master, buf, (size_t)n);
		}
	}
}

static void be(int slave, char **argv)
{
	(void)setsid();
	(void)signal(SIGINT, SIG_DFL); /* which a script's & ignores */
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		fail("TIOCSCTTY");
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup2(slave, fd);
	close(slave);
	execvp(argv[0], argv);
	fail(argv[0]);
}

int main(int argc, char **argv)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, status = 0;
	struct winsize size = {0};
	pid_t pid;

	if (argc < 3 || sscanf(argv[1], "%hux%hu", &size.ws_row, &size.ws_col) != 2)
		return 2;
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    ioctl(master, TIOCSWINSZ, &size) < 0)
		fail("pty");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave < 0)
		fail("TIOCGPTPEER");
	pid = fork();
	if (pid == 0)
		be(slave, argv + 2);
	close(slave);
	sit(master, &size);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		fail(argv[2]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_fd - read and write another process's file descriptor without ever blocking, and without
 * setting O_NONBLOCK on it: the shell that gave us its terminal shares that flag.
 */
#ifndef MICROVM_BACKEND_TTY_FD_H
#define MICROVM_BACKEND_TTY_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tty_fd_kind {
	TTY_FD_NONE,     /* not open: end of file, and output that goes nowhere */
	TTY_FD_NONBLOCK, /* our own file description, or already non-blocking */
	TTY_FD_SOCKET,   /* MSG_DONTWAIT */
	TTY_FD_FILE,     /* regular files and the like never make us wait */
	TTY_FD_POLL,     /* could not be reopened: poll, then move a little */
};

struct tty_fd {
	int fd;
	enum tty_fd_kind kind;
	bool own; /* @fd is ours to close */
	bool terminal;
};

/* tty_fd_open() - over @fd, which stays the caller's; @flags O_RDONLY or O_WRONLY */
void tty_fd_open(struct tty_fd *t, int fd, int flags);
void tty_fd_close(struct tty_fd *t);
/* Return: bytes moved, 0 at end of file, -EAGAIN, or -errno */
ssize_t tty_fd_read(const struct tty_fd *t, uint8_t *p, size_t n);
ssize_t tty_fd_write(const struct tty_fd *t, const uint8_t *p, size_t n);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_mode - the operator's terminal: raw while a guest has it, restored whatever ends us.
 *
 * One terminal a process. Signals: SIGWINCH and SIGCONT wake the loop through an eventfd, a crash
 * gives the terminal back before it kills us. The program handles those that end or stop a
 * machine in order (SIGINT, SIGTERM, SIGHUP, SIGTSTP). SIGKILL cannot be caught: `stty sane`
 * helps.
 */
#ifndef MICROVM_BACKEND_TTY_MODE_H
#define MICROVM_BACKEND_TTY_MODE_H

#include <stdbool.h>

/* tty_mode_start() - handle signals; @fd is the terminal to make raw, -1: only its size
 * matters; @shown: our output goes there as well, so that line ends are the guest's; @wakefd is
 * an eventfd.  Not raw yet
 */
void tty_mode_start(int fd, bool shown, int wakefd);
/* tty_mode_raw() - raw mode from now on.  Return: false, we are in the background and another job
 * has the terminal
 */
bool tty_mode_raw(void);
/* tty_mode_stop() - restore terminal and signals */
void tty_mode_stop(void);

#endif

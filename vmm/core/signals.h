/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signals - what each signal does to the program, set up before anything else.
 *
 *   SIGINT, SIGTERM, SIGHUP, SIGXCPU  end the machine in order
 *   SIGUSR1, SIGUSR2                  are questions and never an end
 *   SIGQUIT, SIGALRM                  likewise, if they are asked for (signals_more())
 *   SIGTSTP                           stops the process once the machine is at rest
 *   SIGPIPE, SIGXFSZ                  are ignored: the call that they are about fails
 *   SIGCHLD                           has its default action, or the kernel would reap
 *                                     the daemons that we wait for
 *
 * Those of the first four lines that our parent made us ignore (nohup, a script's `&`)
 * stay ignored.  A handler for any other signal is its owner's (tty_mode, vcpu, doctor).
 */
#ifndef MICROVM_CORE_SIGNALS_H
#define MICROVM_CORE_SIGNALS_H

#include <poll.h>
#include <stdbool.h>

/* signals_init() - the first call in main(): dispositions and mask as above, whatever our parent
 * left. From here on questions are held; signals that end us still kill, as there is nothing to
 * take apart yet.
 */
void signals_init(void);
/* signals_hold() - main thread, before the first file is made: signals that end or stop us are
 * held as well, until they are read from signals_open()
 */
void signals_hold(void);
/* signals_more() - before signals_hold(): what a job may be sent besides is held as well, SIGQUIT
 * and SIGALRM. Neither ends a wait
 */
void signals_more(void);
/* signals_open() - a signalfd of all that is held; the caller's to close.
 * Return: it, or -errno
 */
int signals_open(void);
/* signals_of_child() - from now on @fd, of signals_open(), has SIGCHLD as well.  Return: 0 or -errno */
int signals_of_child(int fd);
/* signals_read() - take one signal from @fd, of signals_open().  Return: its number, 0: none.  Loop
 * thread
 */
int signals_read(int fd);
/* signals_adopt() - from now on another process reads the signals of the first three lines for us,
 * and writes each as a byte to the stream socket @fd (non-blocking, ours for good); here they are
 * ignored, but for SIGXCPU, which the kernel sends to the process that used its time up: a handler
 * writes it to @own, that socket's other end. Before there are threads
 */
void signals_adopt(int fd, int own);
/* signals_ending() - is a signal that ends us waiting to be read?  Any thread.
 * Return: its number, 0: none
 */
int signals_ending(void);
/* signals_poll() - poll(2) of @p alone, @ms milliseconds at most, that also returns when a signal
 * arrives that ends us: for a wait outside the loop. Any thread.
 * Return: as poll(2); 0 also for such a signal
 */
int signals_poll(struct pollfd *p, int ms);
#define SIGNALS_OUTWAIT_MS 1500
/* signals_outwait() - what the host refuses may be held by a machine that is ending: a process
 * that was killed is gone before its child, and before the kernel has destroyed its io_uring.
 * Waits a moment before try @n + 1. Any thread outside the loop.
 * Return: false: that was SIGNALS_OUTWAIT_MS, or a signal arrived that ends us
 */
bool signals_outwait(unsigned int n);

#endif

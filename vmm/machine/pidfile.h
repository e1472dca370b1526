/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfile - a file with the number of our process, by which a supervisor sends it signals
 * (--pidfile FILE).
 *
 * The file is locked for as long as we live, so one that a killed process has left behind is
 * told from one of a machine that runs.
 */
#ifndef MICROVM_PIDFILE_H
#define MICROVM_PIDFILE_H

#include "vmm/core/err.h"

struct pidfile {
	int fd;           /* -1: there is none */
	const char *path; /* not owned */
};

/* pidfile_open() - make @path, or take over one that nobody has any more, with our number and a
 * line feed in it; NULL: none.  @path has to outlive @p.
 * Return: 0, or -errno with a sentence in @e and nothing made; in use by another machine, a
 * symbolic link, no regular file, or a file that holds something else are such
 */
int pidfile_open(struct pidfile *p, const char *path, struct err *e);
/* pidfile_close() - remove it, if it is still ours.  Again: nothing happens */
void pidfile_close(struct pidfile *p);

#endif

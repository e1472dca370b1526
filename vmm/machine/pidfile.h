/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pidfile - a file with the number of our process, by which a supervisor sends it signals
 * (--pidfile FILE).
 *
 * The file is locked for as long as we live, which distinguishes a running machine's file from
 * one that a killed process left.
 */
#ifndef MICROVM_PIDFILE_H
#define MICROVM_PIDFILE_H

#include "vmm/core/err.h"

struct pidfile {
	int fd;   /* -1: there is none */
	int slot; /* of its path */
};

/* pidfile_open() - make @path, or take over one whose owner is gone, and write our number and a
 * line feed to it; NULL: none.
 * Return: 0, or -errno with a sentence in @e and nothing made, also if another machine uses it,
 * or it is a symbolic link, no regular file, or holds something else
 */
int pidfile_open(struct pidfile *p, const char *path, struct err *e);
/* pidfile_close() - remove it, if it is still ours.  A second call does nothing */
void pidfile_close(struct pidfile *p);

#endif

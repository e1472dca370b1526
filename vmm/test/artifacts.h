/* SPDX-License-Identifier: Apache-2.0 */
/*
 * artifacts - what is left of a run for a person who looks into it (--artifacts DIR): the console with the
 * host's time, the command line that repeats it, and the report.
 *
 * All are opened before the guest runs, and the console is written as it comes: what ends us
 * loses nothing of it.
 */
#ifndef MICROVM_TEST_ARTIFACTS_H
#define MICROVM_TEST_ARTIFACTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine.h"
#include "vmm/test/cpus.h"

#define ARTIFACTS_MOST (256 * MIB) /* of console.log: a guest fills no disk */

struct artifacts {
	int console;        /* console.log; -1: there is none */
	int vcpus;          /* vcpus.json; likewise */
	int cpus;           /* cpus.txt; likewise */
	bool inside;        /* a line */
	bool anew;          /* the console began anew, which was said */
	uint64_t len, most; /* bytes of console.log: as many as there are, and may be */
	uint64_t start_ns;
};

/* artifacts_dir() - open @dir, which is made if it is not there; with @own it is one of ours in the operator's,
 * and no link. artifacts_make() - a new file @name in it, to be written, in place of what has that name: a
 * guest that shares the directory may have put a link or a pipe there.  Return: a descriptor, or -errno
 */
int artifacts_dir(const char *dir, bool own);
int artifacts_make(int dir, const char *name);
/* artifacts_of_cell() - the directory of the @nr-th of many, from 1, in @dir, which is made; 0: @dir itself.
 * Return: 0, or -errno
 */
int artifacts_of_cell(char path[PATH_MAX], const char *dir, unsigned int nr);

/* artifacts_open() - make the directory @dir, if it is not there, and its files, as many as a full disk has room
 * for; cfg->report is the report
 * in it, if none is given. @own: as artifacts_dir() has it. @argv: the words after `microvm test`.
 * Return: 0, or -errno in @e; artifacts_close() in either case
 */
int artifacts_open(struct artifacts *a, const char *dir, bool own, int argc,
		   char *const *argv, struct config *cfg, struct err *e);
void artifacts_close(struct artifacts *a);
/* artifacts_vcpus() - the registers of each vCPU of @m, which is over, unless there are none */
void artifacts_vcpus(struct artifacts *a, const struct machine *m);
/* artifacts_cpus() - what they were at, which has to be looked up in symbols */
void artifacts_cpus(struct artifacts *a, struct cpus *c);
/* artifacts_console() - the guest printed @n bytes more.  A file that takes no more is said once; one that is
 * full begins anew, for the last lines tell most
 */
void artifacts_console(struct artifacts *a, const uint8_t *p, size_t n);

#endif

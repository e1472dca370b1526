/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cells - the same test many times (--repeat), several at a time (--jobs): each a process of its own,
 * this program with the same words and its number in front.
 *
 * It runs in no jail and reads of a guest only what its machine's report says, which is JSON with a
 * bounded line in it. A signal ends the cells that run; the results so far are kept and printed.
 */
#ifndef MICROVM_TEST_CELLS_H
#define MICROVM_TEST_CELLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "vmm/core/err.h"
#include "vmm/test/matrix.h"
#include "vmm/test/test_options.h"
#include "vmm/test/verdict.h"

#define CELL_LINE 320

struct cell {
	pid_t pid;            /* 0: it does not run */
	int report;           /* a file, which it has inherited */
	int output;           /* output.log, likewise; -1: what it prints is dropped */
	bool trimmed;         /* that began anew, which was said */
	bool begun, over;     /* over: the rest is there */
	enum verdict verdict; /* VERDICT_NONE: it did not come to one */
	char line[CELL_LINE]; /* that decided; printable */
	uint64_t ns;
	json_t *each;  /* the cases of its tests, while it is written; NULL: none */
	uint64_t more; /* that are not among them */
};

struct cells {
	const struct test_options *options;
	const struct matrix *matrix;
	int argc; /* the words of each */
	char **argv;
	unsigned int n, next, running, shown;
	int stopped; /* by this signal; 0: by none */
	bool headed; /* TAP's first lines are out */
	bool live;   /* stderr is a terminal */
	FILE *junit; /* NULL: not wanted */
	struct cell *cell;
};

/* cells_wanted() - do the options ask for them? */
bool cells_wanted(const struct test_options *o);
/* cells_run() - run them all; @argv as `microvm test` got it.  Main thread, and the only one.
 * Return: the exit status; -errno in @e: none ran
 */
int cells_run(const struct test_options *o, const struct matrix *m, int argc, char **argv,
	      struct err *e);
/* cells_status() - the exit status of all: 0 if each is a PASS; else the first bad one's; else 125; or the
 * signal's
 */
int cells_status(const struct cells *c);

/* cells_trim() - an output.log of more than @most bytes begins anew */
void cells_trim(struct cells *c, uint64_t most);

/* cells_name() - of the @nr-th, from 0: "run 3", and what the matrix has for it; printable */
void cells_name(const struct cells *c, unsigned int nr, char name[CELL_LINE]);
/* cell_read() - @text, a report, into @cell; one that is not whole, or none, is an ERROR */
void cell_read(struct cell *cell, const char *text, size_t len, int status);

/* results.c: one that is over, on stdout as TAP or on stderr; and when all are, the table on stderr */
void results_tap(struct cells *c);
void results_one(const struct cells *c, unsigned int nr);
void results_table(const struct cells *c);

/* junit.c: JUnit's XML, a file that is opened before the first begins.  junit_run(): one that is over, with
 * the cases of its tests. junit_end(): those that did not run, and the file's end.  No file: nothing.
 * Return: 0, or -errno in @e
 */
int junit_open(struct cells *c, struct err *e);
void junit_run(struct cells *c, unsigned int nr);
int junit_end(struct cells *c, struct err *e);

#endif

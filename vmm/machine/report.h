/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - one JSON object about a run, when it is over or as it stands (--report FILE);
 * docs/report.md has every field.
 *
 * The file is opened before the guest starts, so that an unwritable path is an error then and not
 * a lost report at the end.
 */
#ifndef MICROVM_REPORT_H
#define MICROVM_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"
#include "vmm/core/err.h"
#include "vmm/machine/exit.h"

#define REPORT_EXITS_MAX   64
#define REPORT_DEVICES_MAX 64
#define REPORT_MEMORY_MAX  16
#define REPORT_LAYERS_MAX  32
#define REPORT_PHASES_MAX  4

struct report_figure {
	const char *name; /* a constant, as vcpu_exit_name() returns */
	uint64_t value;
};

struct report_device {
	char name[16]; /* device->name: the report outlives the devices */
	struct io_counters io;
	const char *engine; /* a constant, or NULL */
};

/* A case of a guest's tests; printable */
struct report_case {
	const char *name, *result;
	const char *line; /* that says so; NULL: it is ok */
};

/* Of `microvm test`: what became of the kernel */
struct report_test {
	const char *verdict; /* a constant, like "OOPS" */
	char line[320];      /* that decided; "": none did */
	struct {
		uint32_t ok, failed, skipped, xfail, missing; /* cases in KTAP and TAP */
		uint32_t warnings;
	} count;
	uint64_t decided_ns;            /* CLOCK_MONOTONIC: the verdict was fixed */
	const struct report_case *each; /* not owned */
	unsigned int neach;
	uint32_t more; /* cases that are not among them */
};

/* The contents of a report. main() fills the verdict and the ends, machine_report() the rest; the
 * writers take CPU time and peak RSS from the process itself.
 */
struct report {
	const char *name; /* --name */
	bool running;     /* there is no verdict yet */
	struct exit_verdict verdict;
	uint64_t start_ns;     /* CLOCK_MONOTONIC: the process began */
	uint64_t first_run_ns; /* just before the first guest instruction; 0: none ran */
	uint64_t end_ns;       /* the time of the end, or now */
	unsigned int nexit;
	struct report_figure exit[REPORT_EXITS_MAX]; /* exits to userspace, all vCPUs */
	uint64_t memory_ns; /* when the guest told the figures below; 0: it did not */
	unsigned int nmemory;
	struct report_figure memory[REPORT_MEMORY_MAX];
	const char *jail; /* around the run: a constant, its mode */
	unsigned int nlayer;
	const char *layer[REPORT_LAYERS_MAX]; /* constants: its layers that held */
	unsigned int nphase;                  /* of a job, that it got to */
	struct report_figure phase[REPORT_PHASES_MAX]; /* CLOCK_MONOTONIC */
	const struct report_test *test;                /* NULL: it is none */
	unsigned int ndev;
	struct report_device dev[REPORT_DEVICES_MAX];
};

/* Where a report goes.  A regular file is replaced in one step at the end: @fd is then a
 * temporary file beside it.  Anything else (a pipe, /dev/stderr) is written to as it is.
 */
struct report_file {
	int fd;     /* -1: no report */
	char *path; /* what the operator wrote, links resolved */
	int slot; /* of @path, to be replaced (vmm/core/outside.h); -1: @fd is @path itself */
};

/* report_open() - get @path ready for writing; NULL is no report at all.
 * Return: 0, or -errno with a sentence in @e; report_close() in either case
 */
int report_open(struct report_file *f, const char *path, struct err *e);
/* report_commit() - write @r as one line of JSON.  With no report, 0.
 * Return: 0, or -errno with a sentence in @e and an older file left as it was
 */
int report_commit(struct report_file *f, const struct report *r, struct err *e);
/* report_refresh() - as report_commit(), any number of times before it: @f stays open.  A pipe or
 * a descriptor gets one more line, unless it is stuck. Waits for the file system only; not at the
 * same time as the others
 */
int report_refresh(const struct report_file *f, const struct report *r, struct err *e);
/* report_text() - the same JSON as a text of @len bytes, on one line, without a line feed; the caller's to
 * free.  Any thread.  NULL: out of memory
 */
char *report_text(const struct report *r, size_t *len);
/* report_close() - remove a temporary file that was not committed, free */
void report_close(struct report_file *f);

#endif

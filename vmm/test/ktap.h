/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ktap - results of tests in KTAP version 1 (the kernel's Documentation/dev-tools/ktap.rst) and TAP
 * 13 and 14, nested by indentation.
 *
 * A document begins with its version line; what stands before one is not read. The line of a
 * test that had subtests is not a case of its own, unless it failed and none of them did. Memory is
 * fixed: numbers, and a level for each depth.
 */
#ifndef MICROVM_TEST_KTAP_H
#define MICROVM_TEST_KTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KTAP_DEPTH 8 /* what is deeper counts as if it stood there */
#define KTAP_NAME  95
#define KTAP_LINE  159 /* of a line that is told */

enum ktap_result { KTAP_OK, KTAP_FAILED, KTAP_SKIPPED, KTAP_XFAIL, KTAP_RESULTS };

struct ktap_level {
	unsigned int indent;
	int64_t plan; /* -1: none was printed */
	uint32_t seen, failed;
	uint32_t told; /* cases here and below that each() was told of */
};

/* A case, for the call: all is printable */
struct ktap_case {
	const char *name;
	const char *line; /* the whole one, from "ok" or "not ok" on */
	/* the first diagnostic line ("# ...") since the case before it; "": none */
	const char *note;
	enum ktap_result result;
};

struct ktap {
	uint32_t count[KTAP_RESULTS]; /* cases */
	uint32_t missing;             /* that a plan promised */
	uint32_t documents;
	bool skips; /* a plan says that there is nothing to do here: "1..0 # SKIP" */
	bool bailed;
	bool cut;                  /* a document ended before its plan */
	char first[KTAP_NAME + 1]; /* the name of the first case that failed */
	unsigned int depth;        /* levels that are open; 0: no document */
	struct ktap_level level[KTAP_DEPTH];
	char note[KTAP_LINE + 1];
	/* each case, as it comes; NULL: not wanted. A test's name may come after its cases: named() says
	 * that the last @n of those that each() was told of are @name's
	 */
	void (*each)(void *ctx, const struct ktap_case *c);
	void (*named)(void *ctx, const char *name, uint32_t n);
	void *ctx;
};

/* ktap_line() - one more line, without its end.  Return: has a case failed, with it? */
bool ktap_line(struct ktap *k, const char *line);
/* ktap_end() - there are no more: plans that are not met count */
void ktap_end(struct ktap *k);
/* ktap_failed() - is anything in it a failure? ktap_only_skipped(): was there something, all of it skipped? */
bool ktap_failed(const struct ktap *k);
bool ktap_only_skipped(const struct ktap *k);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* test_options - what the words after `microvm test` say, beside those of `microvm run`. */
#ifndef MICROVM_TEST_OPTIONS_H
#define MICROVM_TEST_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/job/job_options.h"
#include "vmm/test/judge.h"

#define TEST_REPEAT_MAX 100000
#define TEST_JOBS_MAX   256
#define TEST_TIMEOUT_NS UINT64_C(600000000000) /* --timeout, if not given */

struct test_options {
	struct judge_rules rules;
	uint64_t
		hang_ns; /* nothing comes from the guest for so long; 0: that is no end */
	const char *append;  /* the operator's words for the kernel's command line */
	bool initrd;         /* --initrd is given: no agent */
	unsigned int repeat; /* 0: not given */
	unsigned int jobs;   /* likewise */
	bool tap;
	const char *junit;
	const char *matrix; /* a file; NULL: none */
	/* one of many: its number; @cell_report is an open file for its report */
	unsigned int cell;
	int cell_report;
	const char *artifacts; /* a directory; NULL: none */
};

/* test_options_command() - the table of them, for the reader of job_options.h, which fills @o */
struct job_command test_options_command(struct test_options *o);
/* test_options_check() - once all are read: do they fit together, and with @job?  Completes @cfg.
 * Return: 0, or -errno in @e
 */
int test_options_check(struct test_options *o, const struct job_options *job,
		       struct config *cfg, struct err *e);
void test_options_fini(struct test_options *o);
/* test_options_help() - the lines of `microvm test --help` */
void test_options_help(FILE *out);

#endif

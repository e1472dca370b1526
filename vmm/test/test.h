/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test - one kernel, one machine, one verdict (`microvm test`): the judge's life beside the
 * machine's.
 *
 * The machine is that of a job (vmm/job), with the agent and a COMMAND, or bare. Its console comes
 * through a pipe onto the loop, in the process that is locked up, and there the judge hears it.
 */
#ifndef MICROVM_TEST_TEST_H
#define MICROVM_TEST_TEST_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/loop.h"
#include "vmm/job/job.h"
#include "vmm/machine/exit.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/report.h"
#include "vmm/test/artifacts.h"
#include "vmm/test/judge.h"
#include "vmm/test/matrix.h"
#include "vmm/test/symbols.h"
#include "vmm/test/test_options.h"

struct test {
	struct test_options options;
	struct job job;
	struct judge judge;
	struct artifacts artifacts;
	struct symbols symbols; /* of the kernel, for those */
	bool report_is_ours; /* and so has the report, or our parent: no --report asks for it */
	bool over;           /* test_over() was called */
	bool fixed;          /* it lies where it was linked */
	struct report_test told;
	int argc; /* the command line, for the artifacts */
	char **argv;
	struct matrix matrix;
	struct machine *machine;          /* NULL: not begun, or over */
	struct loop *loop;                /* NULL: not begun */
	struct loop_source silence, hang; /* timers */
	struct report_case *each;         /* of @told */
	uint64_t heard_ns;                /* when something came last */
	uint64_t fixed_ns;                /* when a verdict was fixed; 0: not yet */
	uint64_t decided_ns; /* when the present one was: a PASS is not the last word */
};

/* As job.h has them, in this order.  @t is zeroed */
int test_read(struct test *t, struct config *cfg, int argc, char **argv, struct err *e);
/* test_check() - do the words fit together?  @cfg is then that of the first of many, or of this one of them */
int test_check(struct test *t, struct config *cfg, struct err *e);
int test_plan(struct test *t, struct config *cfg, struct err *e);
void test_fini(struct test *t);
/* In the machine's process */
int test_prepare(struct test *t, struct config *cfg, struct err *e);
int test_begin(struct test *t, struct machine *m, struct loop *loop, struct err *e);
void test_locked(struct test *t);
void test_over(struct test *t, struct exit_verdict *v);
/* test_report() - what the report says of it, once it is over */
void test_report(struct test *t, struct report *r);
/* In the process that was started */
void test_ended(struct test *t);

#endif

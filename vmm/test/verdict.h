/* SPDX-License-Identifier: Apache-2.0 */
/* verdict - what `microvm test` says of a kernel: one table of names and exit statuses (docs/test.md). */
#ifndef MICROVM_TEST_VERDICT_H
#define MICROVM_TEST_VERDICT_H

enum verdict {
	VERDICT_NONE, /* not yet */
	VERDICT_PASS,
	VERDICT_FAIL,
	VERDICT_PANIC,
	VERDICT_OOPS,
	VERDICT_WARN,
	VERDICT_LOCKUP,
	VERDICT_HANG,
	VERDICT_TIMEOUT,
	VERDICT_CRASH,
	VERDICT_SKIP,    /* the test says that it cannot be run here */
	VERDICT_ERROR,   /* we, the host or the operator's words: nothing was learned */
	VERDICT_STOPPED, /* by a signal */
	VERDICT_COUNT
};

/* verdict_name() - "PASS" and so on.  verdict_status() - the process's exit status, as
 * `git bisect run` takes it: 0 good, 1 to 124 bad, 125 cannot be tested, above: stop
 */
const char *verdict_name(enum verdict v);
int verdict_status(enum verdict v);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* unit - the main() of a unit test: one suite of Check's, run as its environment says */
#ifndef MICROVM_TESTS_UNIT_H
#define MICROVM_TESTS_UNIT_H

#include <check.h>
#include <signal.h>
#include <stdlib.h>

/* A test that takes longer hangs: whatever is slow on a busy machine is done by then. */
#define UNIT_SECONDS 30

/*
 * The main() of a test program.  The block after it adds the tests to @t, a case that runs
 * @setup before and @teardown after each of them (either may be NULL); a test that needs
 * another fixture goes into a unit_case() of @suite:
 *
 *	UNIT_MAIN("bus", setup, teardown, t)
 *	{
 *		tcase_add_test(t, access_outside_of_every_device_is_ignored);
 *	}
 */
#define UNIT_MAIN(name, setup, teardown, t)                          \
	static void unit_tests(Suite *suite, TCase *t);              \
	int main(void)                                               \
	{                                                            \
		return unit_run(name, setup, teardown, unit_tests);  \
	}                                                            \
	static void unit_tests(Suite *suite __attribute__((unused)), \
			       TCase *t __attribute__((unused)))

/* Another case of @suite, with another fixture; it belongs to @suite. */
static inline TCase *unit_case(Suite *suite, const char *name, SFun begin, SFun end)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, begin, end);
	tcase_set_timeout(tcase, UNIT_SECONDS);
	suite_add_tcase(suite, tcase);
	return tcase;
}

/* What UNIT_MAIN does, for a main() that has arguments; returns what main() returns. */
static inline int unit_run(const char *name, SFun begin, SFun end,
			   void (*add)(Suite *suite, TCase *tcase))
{
	Suite *suite = suite_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	(void)signal(SIGPIPE, SIG_IGN); /* as the program has it */
	add(suite, unit_case(suite, name, begin, end));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * kunit_module - what Linux's KUnit lacks in a kernel that was configured without it: a member of each
 * task, and a list of suites that the loader of modules finds. Each module of tests runs its own.
 * Included in front of each source.
 */
#include <kunit/test.h>
#include <linux/module.h>

static struct kunit *kunit_current __maybe_unused;

#undef kunit_test_suites
#define kunit_test_suites(suites...)                                              \
	static struct kunit_suite *kunit_module_suites[] = {suites};              \
	static int __init kunit_module_run(void)                                  \
	{                                                                         \
		return __kunit_test_suites_init(kunit_module_suites,              \
						ARRAY_SIZE(kunit_module_suites)); \
	}                                                                         \
	module_init(kunit_module_run)

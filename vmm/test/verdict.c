/* SPDX-License-Identifier: Apache-2.0 */
/* verdict - what `microvm test` says of a kernel. */
#include "vmm/test/verdict.h"

#include "vmm/core/util.h"

/* Where `microvm` has a status for the same end (vmm/machine/exit.c), it is that one. */
static const struct {
	const char *name;
	int status;
} verdicts[] = {
	[VERDICT_NONE] = {"none", 125},       [VERDICT_PASS] = {"PASS", 0},
	[VERDICT_FAIL] = {"FAIL", 1},         [VERDICT_PANIC] = {"PANIC", 70},
	[VERDICT_OOPS] = {"OOPS", 73},        [VERDICT_WARN] = {"WARN", 74},
	[VERDICT_LOCKUP] = {"LOCKUP", 75},    [VERDICT_HANG] = {"HANG", 76},
	[VERDICT_TIMEOUT] = {"TIMEOUT", 124}, [VERDICT_CRASH] = {"CRASH", 71},
	[VERDICT_SKIP] = {"SKIP", 125},       [VERDICT_ERROR] = {"ERROR", 125},
	[VERDICT_STOPPED] = {"STOPPED", 130},
};
_Static_assert(ARRAY_SIZE(verdicts) == VERDICT_COUNT, "a row for each");

const char *verdict_name(enum verdict v)
{
	return verdicts[v].name;
}

int verdict_status(enum verdict v)
{
	return verdicts[v].status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* exit - the one table of causes, statuses and names. */
#include "vmm/machine/exit.h"

#include <signal.h>
#include <stdio.h>

#include "vmm/core/util.h"

static const struct exit_row {
	int status;
	const char *name;
} exit_table[] = {
	[CAUSE_POWEROFF] = {0, "poweroff"},
	[CAUSE_REBOOT] = {0, "reboot"},
	[CAUSE_HALT] = {0, "halt"},
	/* Ctrl-A x is the operator's deliberate way to quit, so no failure. */
	[CAUSE_QUIT] = {0, "quit"},
	[CAUSE_HOST_ERROR] = {1, "host-error"},
	[CAUSE_USAGE] = {2, "usage"},
	[CAUSE_PANIC] = {70, "panic"},
	[CAUSE_TRIPLE_FAULT] = {71, "triple-fault"},
	[CAUSE_KVM_ERROR] = {72, "kvm-error"},
	[CAUSE_HANG] = {76, "hang"},
	[CAUSE_TIMEOUT] = {124, "timeout"}, /* as timeout(1) has it */
	[CAUSE_SIGINT] = {130, "sigint"},   /* 128 + the signal, as a shell has it */
	[CAUSE_SIGTERM] = {143, "sigterm"},
	[CAUSE_JOB] = {0, "job"},
	[CAUSE_EXIT_PORT] = {0, "exit-port"},
};
_Static_assert(ARRAY_SIZE(exit_table) == CAUSE_COUNT, "a row for each cause");

int exit_status(enum exit_cause cause)
{
	BUG_ON(cause >= CAUSE_COUNT);
	return exit_table[cause].status;
}

struct exit_verdict exit_verdict(enum exit_cause cause)
{
	return (struct exit_verdict){.cause = cause, .status = exit_status(cause)};
}

struct exit_verdict exit_by_signal(int sig)
{
	struct exit_verdict v = exit_verdict(CAUSE_SIGTERM);

	if (sig == SIGINT)
		v = exit_verdict(CAUSE_SIGINT);
	if (sig != SIGXCPU)
		return v;
	v = exit_verdict(CAUSE_HOST_ERROR);
	(void)snprintf(v.detail, sizeof(v.detail),
		       "the limit of processor time is used up; raise it (ulimit -t), or "
		       "end the guest earlier (--timeout)");
	return v;
}

const char *exit_name(enum exit_cause cause)
{
	BUG_ON(cause >= CAUSE_COUNT);
	return exit_table[cause].name;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit - why a run ended, and the exit status that says so: one table for the process,
 * the report and docs/exit-status.md.
 */
#ifndef MICROVM_EXIT_H
#define MICROVM_EXIT_H

enum exit_cause {
	CAUSE_POWEROFF,     /* the guest powered off */
	CAUSE_REBOOT,       /* the guest asked for a reset */
	CAUSE_HALT,         /* the guest stopped all its processors for good */
	CAUSE_QUIT,         /* the operator typed Ctrl-A x */
	CAUSE_HOST_ERROR,   /* we could not start, or the host failed */
	CAUSE_USAGE,        /* the command line or the config file is wrong */
	CAUSE_PANIC,        /* the guest kernel panicked */
	CAUSE_TRIPLE_FAULT, /* the guest's processor shut down */
	CAUSE_KVM_ERROR,    /* KVM could not go on */
	CAUSE_HANG, /* nothing would move the guest any more, or nothing comes from it */
	CAUSE_TIMEOUT, /* --timeout ran out */
	CAUSE_SIGINT,
	CAUSE_SIGTERM,
	CAUSE_JOB, /* the job for which the machine was made has ended; the status is its own */
	CAUSE_EXIT_PORT, /* the guest said how it ended, by its exit port; the status says what */
	CAUSE_COUNT
};

struct exit_verdict {
	enum exit_cause cause;
	int status; /* of the process, 0 to 255: the cause's, unless a command has its own */
	char detail
		[512]; /* a sentence for the operator, no newline; "": nothing to add */
};

/* exit_status() - the process's exit status for @cause */
int exit_status(enum exit_cause cause);
/* exit_verdict() - @cause with its status, and nothing to add */
struct exit_verdict exit_verdict(enum exit_cause cause);
/* exit_by_signal() - what signal @sig, one of those that end us (signals.h), means */
struct exit_verdict exit_by_signal(int sig);
/* exit_name() - @cause in the report, like "triple-fault" */
const char *exit_name(enum exit_cause cause);

#endif

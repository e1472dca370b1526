/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge - from what a guest prints, and from how its machine ended, to the verdict.
 *
 * It hears the console, and what the operator's COMMAND prints if that comes by another way. The
 * first thing that is bad fixes the verdict, whatever comes later; a good end is a PASS only if
 * nothing bad came before. Memory is bounded, whatever is printed. One thread.
 */
#ifndef MICROVM_TEST_JUDGE_H
#define MICROVM_TEST_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/machine/exit.h"
#include "vmm/test/cases.h"
#include "vmm/test/ktap.h"
#include "vmm/test/lines.h"
#include "vmm/test/pattern.h"
#include "vmm/test/verdict.h"
#include "vmm/test/who.h"

#define JUDGE_WHY 320 /* of the line or sentence that decided */

/* What the operator said */
struct judge_rules {
	struct patterns expect; /* each has to stand in a line, or it is a FAIL */
	struct patterns forbid; /* none may, or it is */
	struct patterns ignore; /* such a line of the kernel is not judged */
	bool warn_fails;        /* a warning is a verdict */
	bool agent;             /* it has to speak; else the guest's own end decides */
	bool command;           /* likewise, and COMMAND's status decides */
};

struct judge {
	struct judge_rules *rules;
	enum verdict verdict; /* VERDICT_NONE: not fixed yet */
	char why[JUDGE_WHY];  /* printable */
	struct lines console, output;
	struct ktap kernel; /* what KUnit prints into the kernel's log, */
	struct ktap user;   /* what programs print on the console, */
	struct ktap job;    /* and what COMMAND prints on its stdout */
	struct cases cases; /* of all three */
	struct who who;
	uint32_t warnings, oopses;
	uint64_t lines; /* of the console */
	bool unstamped; /* Linux printed there without time stamps: nothing of it was judged */
};

/* judge_init() - @rules outlives it, and it stays where it is.  judge_fini() after it */
void judge_init(struct judge *j, struct judge_rules *rules);
void judge_fini(struct judge *j);
/* judge_console(), judge_output() - the guest printed @n bytes more on its console; COMMAND did on its
 * stdout.  Return: is the verdict another one than before?
 */
bool judge_console(struct judge *j, const uint8_t *p, size_t n);
bool judge_output(struct judge *j, const uint8_t *p, size_t n);
/* judge_fix() - it is @v, if there is none yet, or a PASS alone */
void judge_fix(struct judge *j, enum verdict v, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* judge_met() - has each expression that is expected been met?  false: none is expected */
bool judge_met(const struct judge *j);
/* judge_end() - the machine is over for @end, and all that was printed has come: what is the verdict?
 * Any number of times; what the host did wrong later wins over a PASS
 */
void judge_end(struct judge *j, const struct exit_verdict *end);
/* judge_count() - cases of all that was heard */
uint32_t judge_count(const struct judge *j, enum ktap_result r);
uint32_t judge_missing(const struct judge *j);

#endif

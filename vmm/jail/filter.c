/* SPDX-License-Identifier: Apache-2.0 */
/* filter - the seccomp filter of each thread, chosen, told the process's number, and taken. */
#include "vmm/jail/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/jail/filter_impl.h"
#include "vmm/jail/filter_rules.h"

/* In filter_code[], and how often FILTER_PID is in it */
struct filter_program {
	uint16_t at, n, pids;
};

#include "vmm/jail/filter_code.h" /* made by filter_gen.c */

unsigned short filter_code(enum thread_kind kind, unsigned int extras, uint32_t pid,
			   struct sock_filter *code)
{
	const struct filter_program *p;
	unsigned int pids = 0;

	if (kind >= THREAD_KINDS || extras > JAIL_EXTRAS_ALL)
		return 0;
	p = &filter_program[kind][extras];
	if (p->n > FILTER_CODE_MAX)
		return 0;
	memcpy(code, filter_code_all + p->at, p->n * sizeof(*code));
	for (unsigned int i = 0; i < p->n; i++)
		if (code[i].k == FILTER_PID) {
			code[i].k = pid;
			pids++;
		}
	return pids == p->pids ? p->n : 0;
}

const char *filter_call_name(int nr)
{
	const char *name = filter_names, *end = filter_names + sizeof(filter_names) - 1;

	for (; nr > 0 && name < end; nr--)
		name += strlen(name) + 1;
	return nr == 0 && name < end ? name : "";
}

int filter_rule_call(unsigned int i)
{
	return filter_rule_nr[i];
}

uint64_t filter_built_sum(void)
{
	return FILTER_SUM;
}

int jail_filter_enter(enum thread_kind kind, unsigned int extras, struct err *e)
{
	struct sock_filter code[FILTER_CODE_MAX];
	struct sock_fprog prog = {.filter = code};
	unsigned long flags = 0;
	int rc = filter_trap_arm();

	if (rc < 0)
		return err_set(e, -rc, "no handler of SIGSYS: %s", strerror(-rc));
	prog.len = filter_code(kind, extras, (uint32_t)getpid(), code);
	if (prog.len == 0)
		return err_set(e, ENOEXEC,
			       "this build has no filter of system calls for a "
			       "thread of kind %u with features %#x; build "
			       "microvm again",
			       kind, extras);
	/* Linux before 5.16 switches speculation off with a filter: all that it could tell a vCPU's
	 * thread is what that thread may read anyway, and its guest has its own switch
	 */
	if (kind == THREAD_VCPU)
		flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	/* its other threads are a library's: they are there, and wait */
	if (kind == THREAD_IMPORTER)
		flags = SECCOMP_FILTER_FLAG_TSYNC;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) == 0)
		return 0;
	return err_set(e, errno,
		       "the kernel takes no filter of system calls (%s); it needs "
		       "CONFIG_SECCOMP_FILTER, or start with --jail off",
		       strerror(errno));
}

/* Did an earlier rule allow the call of rule @i to a thread of @kind? */
static bool filter_said(unsigned int i, enum thread_kind kind, unsigned int extras)
{
	int call = filter_rule_call(i);

	while (i-- > 0) {
		const struct filter_rule *r = filter_rule(i);

		if (filter_rule_call(i) == call && r->threads >> kind & 1 &&
		    (!r->extra || r->extra & extras))
			return true;
	}
	return false;
}

void jail_filter_describe(FILE *f, enum thread_kind kind, unsigned int extras)
{
	const struct filter_rule *r;

	for (unsigned int i = 0; (r = filter_rule(i)); i++)
		if (r->threads >> kind & 1 && (!r->extra || r->extra & extras) &&
		    !filter_said(i, kind, extras))
			(void)fprintf(f, " %s", filter_call_name(filter_rule_call(i)));
}

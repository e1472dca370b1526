/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters of system calls, run by a machine of BPF that stands here, so that they are tested
 * for every architecture, and without a kernel that takes them (tests/jail has one).
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/jail/probes.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter_impl.h"

#define PID 4711

struct program {
	struct sock_filter code[FILTER_CODE_MAX];
	unsigned short n;
	uint32_t arch;
};

static bool looked; /* did the last run() look at an argument? */

/* Run @p over @d, as the kernel would.  Return: the action */
static uint32_t run(const struct program *p, const struct seccomp_data *d)
{
	uint32_t a = 0;

	looked = false;
	for (unsigned int pc = 0; pc < p->n; pc++) {
		const struct sock_filter *f = &p->code[pc];
		bool jump = false;

		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			ck_assert_uint_le(f->k + sizeof(a), sizeof(*d));
			memcpy(&a, (const char *)d + f->k, sizeof(a));
			looked |= f->k >=
				  offsetof(struct seccomp_data, instruction_pointer);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += f->k;
			continue;
		case BPF_RET | BPF_K:
			return f->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = a == f->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			jump = a > f->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			jump = a >= f->k;
			break;
		default:
			ck_abort_msg("instruction %#x is new here", f->code);
		}
		pc += jump ? f->jt : f->jf;
	}
	ck_abort_msg("a program without an end");
	return 0;
}

static enum probe_answer ask(const void *ctx, int nr,
			     const uint64_t args[FILTER_SYS_ARGS])
{
	const struct program *p = ctx;
	struct seccomp_data d = {.nr = nr, .arch = p->arch};

	memcpy(d.args, args, sizeof(d.args));
	switch (run(p, &d)) {
	case SECCOMP_RET_ALLOW:
		return PROBE_ALLOWED;
	case SECCOMP_RET_TRAP:
		return PROBE_DENIED;
	case SECCOMP_RET_KILL_PROCESS:
		return PROBE_KILLED;
	default:
		return PROBE_MADE;
	}
}

static void load(struct program *p, int kind, unsigned int extras)
{
	p->n = filter_code((enum thread_kind)kind, extras, PID, p->code);
	ck_assert_uint_gt(p->n, 0);
	/* its first look is at the architecture */
	p->arch = p->code[1].k;
}

/* Only the loop's thread has rules for JAIL_EXTRA_CONTROL: of another one's filters those without it */
static unsigned int extras_of(int kind)
{
	return kind == THREAD_LOOP ? JAIL_EXTRAS_ALL
				   : JAIL_EXTRAS_ALL & ~JAIL_EXTRA_CONTROL;
}

#define for_each_filter(kind, extras)                        \
	for (int kind = 0; kind < (int)THREAD_KINDS; kind++) \
		for (unsigned int extras = 0; extras <= extras_of(kind); extras++)

START_TEST(rules_are_the_same_where_they_were_read)
{
	/* a struct of another size on the machine that builds would be another ioctl */
	ck_assert_uint_eq(filter_built_sum(), filter_rules_sum());
}
END_TEST

START_TEST(filters_allow_what_the_rules_say_and_nothing_else)
{
	for_each_filter(kind, extras)
	{
		static struct program prog;
		struct probes p = {.kind = (enum thread_kind)kind,
				   .extras = extras,
				   .pid = PID,
				   .ask = ask,
				   .random = 20,
				   .ctx = &prog};

		load(&prog, kind, extras);
		probes_run(&p, NULL, 0);
		ck_assert_msg(
			!p.wrong,
			"kind %d, extras %#x: %lu of %lu wrong; call %d (%s) with %#llx "
			"%#llx %#llx %#llx answers %d",
			kind, extras, p.wrong, p.asked, p.nr, filter_call_name(p.nr),
			(unsigned long long)p.args[0], (unsigned long long)p.args[1],
			(unsigned long long)p.args[2], (unsigned long long)p.args[3],
			(int)p.answer);
		ck_assert_uint_gt(p.allowed, 0);
	}
}
END_TEST

/* An instruction costs the start of each thread 0.3 us */
START_TEST(filters_do_not_look_at_what_they_do_not_compare)
{
	for_each_filter(kind, extras)
	{
		static struct program prog;

		load(&prog, kind, extras);
		for (unsigned short i = 0; i < prog.n; i++)
			ck_assert(prog.code[i].code != (BPF_ALU | BPF_AND | BPF_K) ||
				  prog.code[i].k != 0);
	}
}
END_TEST

/* Linux 5.11 and later find out, when they take a program, which calls it allows whatever the arguments
 * are, and do not run it for those. Narrowing one of these costs each request of a guest's
 */
START_TEST(what_a_request_takes_needs_no_program)
{
	static const struct {
		enum thread_kind kind;
		const char *call;
	} hot[] = {
		{THREAD_LOOP, "read"},     {THREAD_LOOP, "write"},
		{THREAD_LOOP, "readv"},    {THREAD_LOOP, "writev"},
		{THREAD_LOOP, "sendmsg"},  {THREAD_LOOP, "io_uring_enter"},
		{THREAD_WORKER, "write"},  {THREAD_WORKER, "preadv2"},
		{THREAD_LOOP, "recvfrom"}, {THREAD_WORKER, "pwritev2"},
	};
	const uint64_t args[FILTER_SYS_ARGS] = {0};
	static struct program prog;

	for (size_t i = 0; i < ARRAY_SIZE(hot); i++) {
		int nr = 0;

		while (nr < PROBE_CALLS && strcmp(filter_call_name(nr), hot[i].call) != 0)
			nr++;
		load(&prog, (int)hot[i].kind, JAIL_EXTRAS_ALL);
		ck_assert_int_eq(ask(&prog, nr, args), PROBE_ALLOWED);
		ck_assert_msg(!looked, "%s of kind %u", hot[i].call, hot[i].kind);
	}
}
END_TEST

START_TEST(another_architecture_ends_the_process)
{
	for_each_filter(kind, extras)
	{
		const uint64_t args[FILTER_SYS_ARGS] = {0};
		static struct program prog;

		load(&prog, kind, extras);
		prog.arch = AUDIT_ARCH_I386;
		for (int nr = 0; nr <= PROBE_CALLS; nr++)
			ck_assert_int_eq(ask(&prog, nr, args), PROBE_KILLED);
	}
}
END_TEST

/* Whatever the table says */
static void never_allowed(unsigned int threads, const char *const *name, size_t n)
{
	const struct filter_rule *r;

	for (unsigned int i = 0; (r = filter_rule(i)); i++)
		for (size_t k = 0; k < n && r->threads & threads; k++)
			ck_assert_msg(strcmp(filter_call_name(filter_rule_call(i)),
					     name[k]) != 0,
				      "%s is allowed", name[k]);
}

START_TEST(some_calls_nobody_may_make)
{
	static const char *const never[] = {
		"open",
		"openat2",
		"creat",
		"socketpair",
		"bind",
		"execve",
		"execveat",
		"fork",
		"vfork",
		"clone",
		"clone3",
		"ptrace",
		"process_vm_readv",
		"process_vm_writev",
		"tkill",
		"mount",
		"bpf",
		"perf_event_open",
		"userfaultfd",
		"io_uring_setup",
		"io_uring_register",
		"pidfd_getfd",
		"mprotect",
		"pkey_mprotect",
		"shmat",
		"prctl",
		"seccomp",
		"setns",
		"unshare",
		"chroot",
		"name_to_handle_at",
		"open_by_handle_at",
		"memfd_create",
		"dup2",
		"dup3",
		"remap_file_pages",
		"keyctl",
		"ioperm",
		"iopl",
	};
	/* and these the broker alone */
	static const char *const jailed[] = {"openat", "socket", "connect", "kill",
					     "pidfd_send_signal"};

	never_allowed(BROKER | COPIER | READER | IMPORTER | ALL, never,
		      ARRAY_SIZE(never));
	never_allowed(ALL, jailed, ARRAY_SIZE(jailed));
}
END_TEST

START_TEST(broker_opens_only_what_it_writes)
{
	static const int good[] = {O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				   O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW};
	static const int bad[] = {O_RDONLY,
				  O_RDWR | O_CREAT,
				  O_WRONLY,
				  O_PATH,
				  O_WRONLY | O_CREAT | O_TRUNC,
				  O_TMPFILE | O_WRONLY};
	static struct program prog;
	uint64_t args[FILTER_SYS_ARGS] = {0};

	load(&prog, THREAD_BROKER, JAIL_EXTRA_PATHS);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		args[2] = (uint64_t)good[i];
		ck_assert_int_eq(ask(&prog, SYS_openat, args), PROBE_ALLOWED);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		args[2] = (uint64_t)bad[i];
		ck_assert_int_eq(ask(&prog, SYS_openat, args), PROBE_DENIED);
	}
	load(&prog, THREAD_BROKER, JAIL_EXTRA_SOCKETS);
	args[2] = (uint64_t)good[0];
	ck_assert_int_eq(ask(&prog, SYS_openat, args), PROBE_DENIED);
}
END_TEST

/* Landlock looks neither at modes nor at times */
START_TEST(copier_changes_what_it_has_open_alone)
{
	static const char *const never[] = {
		"chmod",   "fchmodat", "fchmodat2", "chown",     "fchown", "fchownat",
		"mknodat", "linkat",   "setxattr",  "fsetxattr", "ioctl",  "socket",
		"connect", "sendmsg",  "dup",       "kill"};
	static struct program prog;
	uint64_t args[FILTER_SYS_ARGS] = {7};

	never_allowed(COPIER, never, ARRAY_SIZE(never));
	load(&prog, THREAD_COPIER, 0);
	ck_assert_int_eq(ask(&prog, SYS_utimensat, args), PROBE_ALLOWED);
	args[1] = 4096; /* a path */
	ck_assert_int_eq(ask(&prog, SYS_utimensat, args), PROBE_DENIED);
	args[0] = 3;
	ck_assert_int_eq(ask(&prog, SYS_read, args), PROBE_ALLOWED);
	args[0] = STDERR_FILENO; /* which may be a terminal */
	ck_assert_int_eq(ask(&prog, SYS_read, args), PROBE_DENIED);
}
END_TEST

/* What it was given, and nothing more */
START_TEST(reader_opens_nothing)
{
	static const char *const never[] = {
		"open",     "openat",   "openat2",   "creat",   "socket",    "socketpair",
		"pipe2",    "dup",      "fcntl",     "ioctl",   "sendmsg",   "recvmsg",
		"unlinkat", "renameat", "linkat",    "mkdirat", "ftruncate", "fchmod",
		"kill",     "tgkill",   "getdents64"};
	static struct program prog;
	uint64_t args[FILTER_SYS_ARGS] = {3};

	never_allowed(READER, never, ARRAY_SIZE(never));
	load(&prog, THREAD_READER, 0);
	ck_assert_int_eq(ask(&prog, SYS_read, args), PROBE_ALLOWED);
	args[0] = 4; /* what it writes */
	ck_assert_int_eq(ask(&prog, SYS_read, args), PROBE_DENIED);
}
END_TEST

/* It reads what Landlock lets it, and makes no thread under its filter */
START_TEST(importer_opens_nothing_to_write)
{
	static const char *const never[] = {"unlinkat", "renameat", "mkdirat",   "linkat",
					    "ioctl",    "socket",   "kill",      "clone",
					    "clone3",   "fchmod",   "getdents64"};
	static const int bad[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_PATH, O_TMPFILE};
	static struct program prog;
	uint64_t args[FILTER_SYS_ARGS] = {0};

	never_allowed(IMPORTER, never, ARRAY_SIZE(never));
	load(&prog, THREAD_IMPORTER, 0);
	args[2] = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	ck_assert_int_eq(ask(&prog, SYS_openat, args), PROBE_ALLOWED);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		args[2] = (uint64_t)bad[i];
		ck_assert_int_eq(ask(&prog, SYS_openat, args), PROBE_DENIED);
	}
}
END_TEST

START_TEST(no_memory_can_be_executed_or_be_a_file)
{
	static const int prots[] = {PROT_EXEC, PROT_READ | PROT_EXEC,
				    PROT_WRITE | PROT_EXEC,
				    PROT_READ | PROT_WRITE | PROT_EXEC};

	for_each_filter(kind, extras)
	{
		uint64_t args[FILTER_SYS_ARGS] = {0, 4096, 0,
						  MAP_PRIVATE | MAP_ANONYMOUS};
		static struct program prog;

		load(&prog, kind, extras);
		for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
			args[2] = (uint64_t)prots[i];
			ck_assert_int_eq(ask(&prog, SYS_mmap, args), PROBE_DENIED);
		}
		args[2] = PROT_READ;
		args[3] = MAP_PRIVATE;
		ck_assert_int_eq(ask(&prog, SYS_mmap, args), PROBE_DENIED);
		args[3] = MAP_SHARED | MAP_ANONYMOUS;
		ck_assert_int_eq(ask(&prog, SYS_mmap, args), PROBE_DENIED);
		args[3] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
		ck_assert_int_eq(ask(&prog, SYS_mmap, args), PROBE_DENIED);
	}
}
END_TEST

/* How many calls these kinds of thread have, in any filter */
static unsigned int count(unsigned int threads, unsigned int extras)
{
	static bool has[PROBE_CALLS];
	const struct filter_rule *r;
	unsigned int n = 0;

	memset(has, 0, sizeof(has));
	for (unsigned int i = 0; (r = filter_rule(i)); i++)
		if (r->threads & threads && (!r->extra || r->extra & extras))
			has[filter_rule_call(i)] = true;
	for (size_t i = 0; i < ARRAY_SIZE(has); i++)
		n += has[i];
	return n;
}

START_TEST(threads_have_as_few_calls_as_promised)
{
	ck_assert_uint_le(count(VCPU, JAIL_EXTRAS_ALL), 8);
	ck_assert_uint_le(count(HELPER, 0), 17);
	ck_assert_uint_le(count(WORKER, 0), 20);
	ck_assert_uint_le(count(BROKER, 0), 26);
	ck_assert_uint_le(count(BROKER, JAIL_EXTRAS_ALL), 37);
	ck_assert_uint_le(count(COPIER, 0), 20);
	ck_assert_uint_le(count(IMPORTER, 0), 17);
	ck_assert_uint_le(count(ALL, 0), 35);
	ck_assert_uint_le(count(ALL, JAIL_EXTRAS_ALL), 43);
}
END_TEST

START_TEST(a_filter_that_was_not_built_is_none)
{
	struct sock_filter code[FILTER_CODE_MAX];

	ck_assert_uint_eq(filter_code(THREAD_LOOP, JAIL_EXTRAS_ALL + 1, PID, code), 0);
	ck_assert_uint_eq(filter_code(THREAD_KINDS, 0, PID, code), 0);
}
END_TEST

START_TEST(a_call_without_a_name_has_an_empty_one)
{
	ck_assert_str_eq(filter_call_name(SYS_openat), "openat");
	ck_assert_str_eq(filter_call_name(-1), "");
	ck_assert_str_eq(filter_call_name(PROBE_CALLS + 1), "");
	ck_assert_str_eq(filter_call_name(1 << 30), "");
}
END_TEST

UNIT_MAIN("filter", NULL, NULL, t)
{
	tcase_add_test(t, rules_are_the_same_where_they_were_read);
	tcase_add_test(t, filters_allow_what_the_rules_say_and_nothing_else);
	tcase_add_test(t, filters_do_not_look_at_what_they_do_not_compare);
	tcase_add_test(t, what_a_request_takes_needs_no_program);
	tcase_add_test(t, another_architecture_ends_the_process);
	tcase_add_test(t, some_calls_nobody_may_make);
	tcase_add_test(t, broker_opens_only_what_it_writes);
	tcase_add_test(t, importer_opens_nothing_to_write);
	tcase_add_test(t, copier_changes_what_it_has_open_alone);
	tcase_add_test(t, reader_opens_nothing);
	tcase_add_test(t, no_memory_can_be_executed_or_be_a_file);
	tcase_add_test(t, threads_have_as_few_calls_as_promised);
	tcase_add_test(t, a_filter_that_was_not_built_is_none);
	tcase_add_test(t, a_call_without_a_name_has_an_empty_one);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_gen - make the BPF programs of all threads' filters, while microvm is built.
 *
 * usage: filter_gen x86|arm64 [RULE KIND] >filter_code.h    (RULE, a number, is taken from threads of
 *                                                           KIND: tests/jail/needs)
 *
 * It runs on the machine that builds, with that machine's libseccomp, whatever the architecture
 * is that the programs are for.
 */
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/jail/filter.h"
#include "vmm/jail/filter_rules.h"

#define GEN_KINDS    THREAD_KINDS
#define GEN_CODE_MAX 4096
#define GEN_CALLS    600

static uint32_t gen_arch;
static int gen_without = -1, gen_without_kind;

static void gen_fail(const char *what, const char *which, int code)
{
	(void)fprintf(stderr, "filter_gen: %s %s: %s\n", what, which, strerror(code));
	exit(1);
}

/* The call of a rule: the first of its names that the architecture has */
static const char *gen_call(const struct filter_rule *r, char *buf, size_t size)
{
	char *rest = buf, *name;

	(void)snprintf(buf, size, "%s", r->call);
	while ((name = strsep(&rest, "|")))
		if (seccomp_syscall_resolve_name_arch(gen_arch, name) >= 0)
			return name;
	gen_fail("no call", r->call, ENOSYS);
	return NULL;
}

/* @priority: what is called most is looked for first, where the calls are a list */
static void gen_rule(scmp_filter_ctx ctx, const struct filter_rule *r, uint8_t priority)
{
	struct scmp_arg_cmp arg[FILTER_ARGS_MAX];
	char buf[sizeof(r->call)];
	const char *call = gen_call(r, buf, sizeof(buf));
	unsigned int n = 0;
	int rc, nr;

	for (; n < FILTER_ARGS_MAX && r->arg[n].mask; n++)
		arg[n] = (struct scmp_arg_cmp){.arg = r->arg[n].nr,
					       .op = SCMP_CMP_MASKED_EQ,
					       .datum_a = r->arg[n].mask,
					       .datum_b = r->arg[n].value};
	/* a number of the machine that builds, or libseccomp's own where that has no such call */
	nr = seccomp_syscall_resolve_name(call);
	rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n, arg);
	if (rc == 0)
		rc = seccomp_syscall_priority(ctx, nr, priority);
	if (rc < 0)
		gen_fail("rule of", call, -rc);
}

/* libseccomp writes into a file only.  Return: how many instructions @code has */
static size_t gen_export(scmp_filter_ctx ctx, struct sock_filter *code)
{
	int fd = memfd_create("bpf", MFD_CLOEXEC), rc = seccomp_export_bpf(ctx, fd);
	long len = rc < 0 ? rc : pread_full(fd, code, GEN_CODE_MAX * sizeof(*code), 0);

	if (len < 0)
		gen_fail("the program's", "export", (int)-len);
	close(fd);
	return (size_t)len / sizeof(*code);
}

/* ---- without what is always so ---- */

#define GEN_LD  (BPF_LD | BPF_W | BPF_ABS)
#define GEN_AND (BPF_ALU | BPF_AND | BPF_K)
#define GEN_JEQ (BPF_JMP | BPF_JEQ | BPF_K)
#define GEN_JA  (BPF_JMP | BPF_JA)

/* Where does @at go on, if no more than the high half of a C int is looked at there? */
static size_t gen_skip(const struct sock_filter *code, size_t n, size_t at)
{
	const struct sock_filter *c = code + at;
	size_t to;

	if (at + 3 >= n || c[0].code != GEN_LD || c[1].code != GEN_AND || c[1].k ||
	    c[2].code != GEN_JEQ || c[2].k)
		return at;
	to = at + 3 + c[2].jt;
	return code[to].code == GEN_LD ? gen_skip(code, n, to) : at;
}

static void gen_jump(const struct sock_filter *code, size_t n, size_t at, uint8_t *jump)
{
	size_t to = gen_skip(code, n, at + 1 + *jump) - at - 1;

	if (to <= UINT8_MAX)
		*jump = (uint8_t)to;
}

/* For an argument of which the low half matters libseccomp also loads the high half, and compares
 * none of it. The kernel's time for a program is by instructions, thrice: it checks, compiles and
 * runs them.  Return: how many are left
 */
static size_t gen_shorten(struct sock_filter *code, size_t n)
{
	static size_t left[GEN_CODE_MAX +
			   1]; /* of those before it; in place of that, is it run? */
	static bool run[GEN_CODE_MAX + 1];
	size_t out = 0;

	memset(run, 0, sizeof(run));
	run[0] = true;
	for (size_t i = 0; i < n; i++) {
		struct sock_filter *c = &code[i];
		bool jump = BPF_CLASS(c->code) == BPF_JMP;

		left[i] = out;
		if (!run[i])
			continue;
		out++;
		if (jump && c->code != GEN_JA) {
			gen_jump(code, n, i, &c->jt);
			gen_jump(code, n, i, &c->jf);
			run[i + 1 + c->jt] = run[i + 1 + c->jf] = true;
		} else if (BPF_CLASS(c->code) != BPF_RET) {
			run[i + 1 + (jump ? c->k : 0)] = true;
		}
	}
	left[n] = out;
	for (size_t i = 0; i < n; i++) {
		struct sock_filter c = code[i];

		if (!run[i])
			continue;
		if (c.code == GEN_JA)
			c.k = (uint32_t)(left[i + 1 + c.k] - left[i] - 1);
		c.jt = (uint8_t)(left[i + 1 + c.jt] - left[i] - 1);
		c.jf = (uint8_t)(left[i + 1 + c.jf] - left[i] - 1);
		code[left[i]] = c;
	}
	return out;
}

static size_t gen_program(enum thread_kind kind, unsigned int extras,
			  struct sock_filter *code)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	size_t n;
	int rc;

	if (!ctx)
		gen_fail("libseccomp", "", ENOMEM);
	if (gen_arch != seccomp_arch_native() &&
	    ((rc = seccomp_arch_add(ctx, gen_arch)) < 0 ||
	     (rc = seccomp_arch_remove(ctx, seccomp_arch_native())) < 0))
		gen_fail("this libseccomp lacks the", "architecture", -rc);
	if ((rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) <
		    0 ||
	    /* a vCPU's few are a list, with KVM_RUN's first; the others' a tree, most of whose
	     * leaves the kernel answers without the program (those without arguments)
	     */
	    (rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE,
				   kind == THREAD_VCPU ? 1 : 2)) < 0)
		gen_fail("this libseccomp lacks an", "attribute", -rc);
	for (unsigned int i = 0; filter_rule(i); i++) {
		const struct filter_rule *r = filter_rule(i);

		if ((int)i == gen_without && (int)kind == gen_without_kind)
			continue;
		if (r->threads & 1U << kind && (!r->extra || r->extra & extras))
			gen_rule(ctx, r, (uint8_t)(255 - MIN(i, 255U)));
	}
	n = gen_export(ctx, code);
	seccomp_release(ctx);
	return gen_shorten(code, n);
}

/* The same program is written once */
static size_t gen_find(const struct sock_filter *all, size_t n_all,
		       const struct sock_filter *code, size_t n)
{
	for (size_t at = 0; at + n <= n_all; at++)
		if (!memcmp(all + at, code, n * sizeof(*code)))
			return at;
	return n_all;
}

static void gen_programs(void)
{
	static struct sock_filter all[GEN_KINDS * (JAIL_EXTRAS_ALL + 1) * GEN_CODE_MAX],
		code[GEN_CODE_MAX];
	size_t n_all = 0;

	(void)printf("static const struct filter_program filter_program[%d][%d] = {\n",
		     GEN_KINDS, JAIL_EXTRAS_ALL + 1);
	for (int kind = 0; kind < GEN_KINDS; kind++) {
		(void)printf("\t{");
		for (unsigned int extras = 0; extras <= JAIL_EXTRAS_ALL; extras++) {
			size_t n = gen_program((enum thread_kind)kind, extras, code);
			size_t at = gen_find(all, n_all, code, n);
			unsigned int pids = 0;

			for (size_t i = 0; i < n; i++)
				pids += code[i].k == FILTER_PID;
			if (at == n_all) {
				memcpy(all + at, code, n * sizeof(*code));
				n_all += n;
			}
			(void)printf(" {%zu, %zu, %u},", at, n, pids);
		}
		(void)printf(" },\n");
	}
	(void)printf("};\n\nstatic const struct sock_filter filter_code_all[] = {\n");
	for (size_t i = 0; i < n_all; i++)
		(void)printf("\t{0x%02x, %u, %u, 0x%08x},\n", all[i].code, all[i].jt,
			     all[i].jf, all[i].k);
	(void)printf("};\n\n");
}

/* A string of names, call 0's first; a number without a call has an empty one */
static void gen_names(void)
{
	(void)printf("static const char filter_names[] =\n");
	for (int nr = 0; nr < GEN_CALLS; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(gen_arch, nr);

		(void)printf("\t\"%s\\0\"\n", name ? name : "");
		free(name);
	}
	(void)printf("\t;\n\n");
}

static void gen_numbers(void)
{
	(void)printf("static const uint16_t filter_rule_nr[] = {");
	for (unsigned int i = 0; filter_rule(i); i++) {
		char buf[sizeof(filter_rule(i)->call)];

		(void)printf(" %d,", seccomp_syscall_resolve_name_arch(
					     gen_arch,
					     gen_call(filter_rule(i), buf, sizeof(buf))));
	}
	(void)printf("};\n\n#define FILTER_SUM UINT64_C(0x%016llx)\n",
		     (unsigned long long)filter_rules_sum());
}

int main(int argc, char **argv)
{
	gen_arch = argc >= 2 && !strcmp(argv[1], "arm64") ? SCMP_ARCH_AARCH64
							  : SCMP_ARCH_X86_64;
	if (argc == 4) {
		gen_without = atoi(argv[2]);
		gen_without_kind = atoi(argv[3]);
	}
	(void)printf("/* made by filter_gen from filter_rules.c */\n");
	gen_programs();
	gen_names();
	gen_numbers();
	return fflush(stdout) || ferror(stdout);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* probes - ask a filter of system calls about every call, and compare with its rules. */
#include "tests/jail/probes.h"

#include <string.h>
#include <sys/syscall.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/jail/filter_impl.h"

static uint64_t probe_random(void)
{
	static uint64_t x = 88172645463325252ULL; /* xorshift64: the same in every run */

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static bool probe_expect(const struct probes *p, int nr, const uint64_t *args)
{
	const struct filter_rule *r;

	for (unsigned int i = 0; (r = filter_rule(i)); i++)
		if (filter_rule_call(i) == nr &&
		    filter_rule_allows(r, p->kind, p->extras, args, p->pid))
			return true;
	return false;
}

static void probe(struct probes *p, int nr, const uint64_t *args)
{
	bool expect = probe_expect(p, nr, args);
	enum probe_answer answer = p->ask(p->ctx, nr, args);

	p->asked++;
	p->allowed += answer == PROBE_ALLOWED;
	if (answer == (expect ? PROBE_ALLOWED : PROBE_DENIED) ||
	    (answer == PROBE_KILLED && nr >= PROBE_X32))
		return;
	if (!p->wrong++) {
		p->nr = nr;
		memcpy(p->args, args, sizeof(p->args));
		p->answer = answer;
	}
}

static void probe_randomise(uint64_t *args)
{
	for (unsigned int i = 0; i < FILTER_SYS_ARGS; i++)
		args[i] = probe_random() >> (probe_random() % 64);
}

/* What @r allows, and anything where it says nothing */
static void probe_fit(const struct probes *p, const struct filter_rule *r, uint64_t *args)
{
	probe_randomise(args);
	for (unsigned int i = 0; i < FILTER_ARGS_MAX && r->arg[i].mask; i++) {
		const struct filter_arg *a = &r->arg[i];

		args[a->nr] = (args[a->nr] & ~a->mask) |
			      (a->value == FILTER_PID ? p->pid : a->value);
	}
}

static void probe_neighbours(struct probes *p, const struct filter_rule *r, int nr)
{
	uint64_t args[FILTER_SYS_ARGS];

	for (unsigned int a = 0; a < FILTER_SYS_ARGS; a++)
		for (unsigned int bit = 0; bit < 64; bit++) {
			probe_fit(p, r, args);
			if (bit == 0) {
				probe(p, nr, args);
				probe(p, nr | PROBE_X32, args);
			}
			args[a] ^= UINT64_C(1) << bit;
			probe(p, nr, args);
		}
}

/* One argument of what the rule allows is another, or all are */
static void probe_randomly(struct probes *p, const struct filter_rule *r, int nr)
{
	uint64_t args[FILTER_SYS_ARGS];

	for (unsigned int n = 0; n < p->random; n++) {
		probe_fit(p, r, args);
		args[probe_random() % FILTER_SYS_ARGS] = probe_random() >>
							 (probe_random() % 64);
		probe(p, nr, args);
		probe_randomise(args);
		probe(p, nr, args);
	}
}

static void probe_rules(struct probes *p)
{
	const struct filter_rule *r;
	int last = -1;

	for (unsigned int i = 0; (r = filter_rule(i)); i++) {
		int nr = filter_rule_call(i);

		if (!(r->threads & 1U << p->kind) ||
		    (r->extra && !(r->extra & p->extras)))
			continue;
		probe_neighbours(p, r, nr);
		if (nr != last)
			probe_randomly(p, r, nr);
		last = nr;
	}
}

static void probe_ioctl(struct probes *p, uint32_t cmd)
{
	static const unsigned int fds[] = {
#define PROBE_FDS_OF(at, count) (at) - 1U, at, (at) + (count)-1, (at) + (count)
#define PROBE_FDS(role, first, count, pages)                           \
	PROBE_FDS_OF(first, count),                                    \
		PROBE_FDS_OF((first) + FDS_PAGE * ((pages)-1), count), \
		PROBE_FDS_OF((first) + FDS_PAGE * (pages), count),
		FD_BLOCKS(PROBE_FDS)
#undef PROBE_FDS
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
		uint64_t args[FILTER_SYS_ARGS] = {fds[i], cmd, probe_random()};

		probe(p, SYS_ioctl, args);
		args[1] |= UINT64_C(1) << 32;
		probe(p, SYS_ioctl, args);
	}
}

void probes_run(struct probes *p, const uint32_t *ioctls, size_t n)
{
	for (int nr = 0; nr <= PROBE_CALLS; nr++) {
		uint64_t args[FILTER_SYS_ARGS] = {0};

		probe(p, nr, args);
		probe(p, nr | PROBE_X32, args);
		memset(args, 0xff, sizeof(args));
		probe(p, nr, args);
		probe_randomise(args);
		probe(p, nr, args);
	}
	probe_rules(p);
	for (size_t i = 0; i < n; i++)
		probe_ioctl(p, ioctls[i]);
	p->done = true;
}

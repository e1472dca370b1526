/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_virtq_fetch_x86 - a driver changes its rings between any two of our reads.
 *
 * The rings' page has no access rights while a chain is taken.  Each access faults; the
 * handler grants access and lets the processor execute one instruction (the trap flag), and
 * after the n-th access the driver's change is made.  Two threads would need luck for that.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/lib/unit.h"
#include "tests/unit/virtq_fixture.h"

#define TRAP_FLAG 0x100
#define ACCESSES  40 /* more than it takes to pop a chain of this test */

/* What the driver writes meanwhile */
static struct lie {
	uint8_t *at;
	size_t len;
	uint8_t bytes[4];
} lie;
static unsigned int naccess, turn;
static void *page;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig;
	if (((uintptr_t)si->si_addr & ~(PAGE_SIZE - 1)) != (uintptr_t)page)
		(void)signal(SIGSEGV, SIG_DFL); /* a bug: let it happen again */
	(void)mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE);
	u->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig, (void)si;
	if (++naccess == turn)
		memcpy(lie.at, lie.bytes, lie.len);
	(void)mprotect(page, PAGE_SIZE, PROT_NONE);
	u->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void watch(void)
{
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

	setup();
	page = gmem_slice(&mem, RING, PAGE_SIZE);
	ck_assert_int_eq(sigaction(SIGSEGV, &fault, NULL), 0);
	ck_assert_int_eq(sigaction(SIGTRAP, &step, NULL), 0);
}

/* Whatever the chain says, its buffers lie in memory */
static void check_chain(void)
{
	const uint8_t *from = gmem_slice(&mem, 0, RAM);
	size_t sum = 0;

	ck_assert_uint_lt(c.head, SIZE);
	ck_assert_uint_le(c.from_driver.n + c.to_driver.n, SIZE);
	for (unsigned int i = 0; i < c.from_driver.n + c.to_driver.n; i++) {
		const uint8_t *p = c.iov[i].iov_base;

		ck_assert(p >= from && p < from + RAM);
		ck_assert_uint_le(c.iov[i].iov_len, (size_t)(from + RAM - p));
		sum += c.iov[i].iov_len;
	}
	ck_assert_uint_eq(c.from_driver.len + c.to_driver.len, sum);
}

/* Descriptor 0, a chain by itself; 1, an indirect table of two, which is in the rings' page */
static void prepare(uint16_t head)
{
	gpa_t table = RING + PAGE_SIZE - 32;

	start(SIZE, ALL);
	driver_desc(&r, 0, DATA, 16, NEXT, 2);
	driver_desc(&r, 2, DATA + 64, 16, WRITE, 0);
	driver_desc(&r, 1, table, 32, INDIRECT, 0);
	driver_desc_at(&mem, table, 0, DATA, 16, NEXT, 1);
	driver_desc_at(&mem, table, 1, DATA + 64, 16, WRITE, 0);
	driver_offer(&r, head);
}

/* Return: was it taken? */
static bool take(struct lie l, unsigned int when)
{
	int rc;

	lie = l;
	turn = when;
	naccess = 0;
	ck_assert_int_eq(mprotect(page, PAGE_SIZE, PROT_NONE), 0);
	rc = virtq_pop(&q, &c);
	ck_assert_int_eq(mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	ck_assert_uint_lt(naccess, ACCESSES);
	if (rc > 0)
		check_chain();
	return rc > 0;
}

/* @l after each access in turn; the last time after the chain was taken */
static void at_any_moment(uint16_t head, struct lie l)
{
	bool taken = false;

	for (unsigned int when = 1; when < ACCESSES; when++) {
		prepare(head);
		taken = take(l, when);
	}
	ck_assert(taken);
}

static uint8_t *ring_byte(gpa_t at)
{
	return gmem_slice(&mem, at, 1);
}

/* Offsets within a descriptor (virtio 1.2, 2.7.5) */
static const struct {
	size_t off, len;
	uint8_t bytes[4];
} lies[] = {
	{4, 4, {0, 0, 0, 1}},               /* address: far away */
	{8, 4, {0xff, 0xff, 0xff, 0xff}},   /* length */
	{8, 4, {0, 0, 0, 0}},               /* none */
	{8, 4, {0xff, 0xff, 0, 0}},         /* more than it was */
	{12, 2, {NEXT}},                    /* flags */
	{12, 2, {INDIRECT | NEXT | WRITE}}, /* all */
	{14, 2, {0xff, 0xff}},              /* next: outside */
	{14, 2, {0, 0}},                    /* itself */
};

START_TEST(descriptor_changes)
{
	struct lie l = {.len = lies[_i].len};

	memcpy(l.bytes, lies[_i].bytes, sizeof(l.bytes));
	l.at = ring_byte(r.desc + lies[_i].off);
	at_any_moment(0, l);
	l.at = ring_byte(r.desc + 2 * 16 + lies[_i].off); /* the second of a chain */
	at_any_moment(0, l);
}
END_TEST

START_TEST(indirect_table_changes)
{
	struct lie l = {.len = lies[_i].len};

	memcpy(l.bytes, lies[_i].bytes, sizeof(l.bytes));
	l.at = ring_byte(r.desc + 16 + lies[_i].off); /* where and how long it is */
	at_any_moment(1, l);
	l.at = ring_byte(RING + PAGE_SIZE - 32 + lies[_i].off);
	at_any_moment(1, l);
	l.at = ring_byte(RING + PAGE_SIZE - 16 + lies[_i].off);
	at_any_moment(1, l);
}
END_TEST

START_TEST(head_changes)
{
	static const uint8_t heads[] = {3, SIZE, 0xff};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		at_any_moment(0, (struct lie){.at = ring_byte(r.avail + 4),
					      .len = 2,
					      .bytes = {heads[i], heads[i]}});
}
END_TEST

START_TEST(available_index_changes)
{
	static const uint8_t indices[] = {0, 2, 0xff};

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++)
		at_any_moment(0, (struct lie){.at = ring_byte(r.avail + 2),
					      .len = 2,
					      .bytes = {indices[i], indices[i]}});
}
END_TEST

UNIT_MAIN("virtq_fetch_x86", watch, teardown, t)
{
	tcase_add_loop_test(t, descriptor_changes, 0, (int)ARRAY_SIZE(lies));
	tcase_add_loop_test(t, indirect_table_changes, 0, (int)ARRAY_SIZE(lies));
	tcase_add_test(t, head_changes);
	tcase_add_test(t, available_index_changes);
}

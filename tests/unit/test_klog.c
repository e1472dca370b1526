/* SPDX-License-Identifier: Apache-2.0 */
/* klog: which lines are the kernel's, and what they say */
#include "vmm/test/klog.h"

#include <check.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static const struct {
	const char *line, *message;
} stamped[] = {
	{"[    0.000000] Linux version 6.1.0", "Linux version 6.1.0"},
	{"[    2.345678][    T1] WARNING: CPU: 0", "WARNING: CPU: 0"},
	{"[12345.678901][   C0] rcu: INFO:", "rcu: INFO:"},
	{"[123456789.678901] x", "x"},
	{"<4>[    1.234567] x", "x"},
	{"[    1.234567]     ok 1 x", "    ok 1 x"},
	{"/ # [    1.234567] x", "x"},
	{"[x] [    1.234567] x", "x"},
	{"[    1.234567] ", ""},
	{"[    1.234567]", NULL},
	{"[    1.234567]x", NULL},
	{"[    1.23456] x", NULL},
	{"[    1.2345678] x", NULL},
	{"[1.234567] x", NULL},
	{"[     .234567] x", NULL},
	{"[    1.234567", NULL},
	{"[    1", NULL},
	{"[", NULL},
	{"", NULL},
	{"BUG: unable to handle page fault", NULL},
	{"[ INFO ] 1.0", NULL},
};

START_TEST(line_of_a_program_is_the_kernels)
{
	const char *at = klog_message(stamped[_i].line, strlen(stamped[_i].line));

	if (stamped[_i].message)
		ck_assert_pstr_eq(at, stamped[_i].message);
	else
		ck_assert_ptr_null(at);
}
END_TEST

static const struct {
	enum klog is;
	const char *message;
} said[] = {
	/* x86-64 */
	{KLOG_LOCKUP, "INFO: task ]: segfault at :9 blocked for more than 120 seconds."},
	{KLOG_LOCKUP, "BUG: soft lockup - CPU#0 stuck for 22s! []: segfault at :9]"},
	{KLOG_NOTHING,
	 "BUG: x[9]: segfault at 0 ip 0000000000401000 sp 00007ffc00000000 error 4"},
	{KLOG_OOPS, "BUG: kernel NULL pointer dereference, address: 0000000000000000"},
	{KLOG_OOPS, "BUG: unable to handle page fault for address: ffffffffc0000000"},
	{KLOG_OOPS, "Oops: 0002 [#1] PREEMPT SMP NOPTI"},
	{KLOG_OOPS,
	 "Oops: general protection fault, probably for non-canonical address 0xdead"},
	{KLOG_OOPS,
	 "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP"},
	{KLOG_OOPS, "invalid opcode: 0000 [#1] PREEMPT SMP PTI"},
	{KLOG_OOPS, "divide error: 0000 [#2] SMP"},
	{KLOG_OOPS, "PANIC: double fault, error_code: 0x0"},
	{KLOG_OOPS, "kernel BUG at drivers/misc/lkdtm/bugs.c:104!"},
	{KLOG_OOPS, "BUG: KASAN: slab-out-of-bounds in f+0x1/0x2"},
	{KLOG_OOPS, "BUG: KFENCE: use-after-free read in f+0x1/0x2"},
	{KLOG_OOPS, "BUG: sleeping function called from invalid context at mm/slab.h:1"},
	{KLOG_OOPS, "BUG: scheduling while atomic: swapper/0/0/0x00000002"},
	{KLOG_OOPS,
	 "BUG: TASK stack guard page was hit at 00000000f52f0b7b (stack is 0000000036c82c98)"},
	{KLOG_OOPS, "stack guard page: 0000 [#1] PREEMPT SMP NOPTI"},
	{KLOG_NOTHING,
	 "list_add corruption. next is NULL."}, /* a BUG or a WARNING follows */
	{KLOG_NOTHING, "ends_badly: loading out-of-tree module taints kernel."},
	/* arm64 */
	{KLOG_OOPS,
	 "Unable to handle kernel NULL pointer dereference at virtual address 0"},
	{KLOG_OOPS, "Unable to handle kernel paging request at virtual address ffff"},
	{KLOG_OOPS, "Internal error: Oops: 0000000096000045 [#1] PREEMPT SMP"},
	{KLOG_OOPS, "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP"},
	{KLOG_OOPS, "Insufficient stack space to handle exception!"},
	{KLOG_OOPS, "Unhandled 64-bit el1h sync exception on CPU0, ESR 0x0"},
	/* detectors */
	{KLOG_LOCKUP, "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]"},
	{KLOG_LOCKUP, "NMI watchdog: BUG: soft lockup - CPU#1 stuck for 23s!"},
	{KLOG_LOCKUP, "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0"},
	{KLOG_LOCKUP, "watchdog: Watchdog detected hard LOCKUP on cpu 3"},
	{KLOG_LOCKUP,
	 "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!"},
	{KLOG_LOCKUP, "rcu: INFO: rcu_preempt self-detected stall on CPU"},
	{KLOG_LOCKUP, "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:"},
	{KLOG_LOCKUP,
	 "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... }"},
	{KLOG_LOCKUP, "INFO: rcu_tasks detected stalls on tasks:"},
	{KLOG_LOCKUP, "INFO: task sh:123 blocked for more than 120 seconds."},
	{KLOG_LOCKUP,
	 "INFO: task kworker/0:1:10 blocked in I/O wait for more than 120 seconds."},
	{KLOG_PANIC, "Kernel panic - not syncing: sysrq triggered crash"},
	/* it goes on */
	{KLOG_WARN, "WARNING: CPU: 0 PID: 1 at kernel/panic.c:1 f+0x1/0x2"},
	{KLOG_WARN, "WARNING: kernel/panic.c:1 at f+0x1/0x2, CPU#0: sh/1"},
	{KLOG_WARN, "WARNING: possible circular locking dependency detected"},
	{KLOG_WARN, "UBSAN: array-index-out-of-bounds in a.c:1:2"},
	{KLOG_WARN, "BUG: KCSAN: data-race in a / b"},
	{KLOG_WARN,
	 "kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)"},
	/* nothing is wrong */
	{KLOG_NOTHING, ""},
	{KLOG_NOTHING, "BUG: MAX_LOCKDEP_CHAINS too low!"},
	{KLOG_NOTHING,
	 "traps: a.out[12] general protection fault ip:1 sp:2 error:0 in a.out"},
	{KLOG_NOTHING, "a.out[12]: segfault at 0 ip 1 sp 2 error 4 in a.out"},
	{KLOG_NOTHING, "rcu: Hierarchical RCU implementation."},
	{KLOG_NOTHING, "INFO: task sh:1 is fine"},
	{KLOG_NOTHING, "x86/fpu: Supporting XSAVE feature"},
	{KLOG_NOTHING, "pci 0000:00 [#1] of all"},
	{KLOG_NOTHING, ": 0000 [#1]"},
	{KLOG_NOTHING, "a: 00 [#1]"},
	{KLOG_NOTHING, "a: 0000 [#"},
	{KLOG_NOTHING, "lkdtm: Performing direct entry BUG"},
	{KLOG_NOTHING, "Debug: BUG: no"},
};

START_TEST(message_means_something_else)
{
	ck_assert_msg(klog_class(said[_i].message) == said[_i].is, "%s",
		      said[_i].message);
}
END_TEST

UNIT_MAIN("klog", NULL, NULL, t)
{
	tcase_add_loop_test(t, line_of_a_program_is_the_kernels, 0, ARRAY_SIZE(stamped));
	tcase_add_loop_test(t, message_means_something_else, 0, ARRAY_SIZE(said));
}

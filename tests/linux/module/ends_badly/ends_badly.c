/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * ends_badly - a module of Linux that does to its kernel what a bug does: `insmod ends_badly.ko how=NAME`.
 *
 * The module loader's process does it, on its own processor; `interrupts` and `stand` do it on all.
 */
#include <linux/bottom_half.h>
#include <linux/bug.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

static char *how = "";
module_param(how, charp, 0);
MODULE_PARM_DESC(how, "what to do: see ends_badly_ends[]");

static void end_oops(void)
{
	int *volatile nothing = NULL;

	*nothing = 1;
}

/* An address that no page can have */
static void end_wild(void)
{
	int *volatile wild = (int *)0x5a5a5a5a5a5a5a58UL;

	*wild = 1;
}

static void end_bug(void)
{
	BUG();
}

static void end_warn(void)
{
	WARN(1, "the module was told to");
}

/* Not by preempt_disable(): a kernel that is never preempted does not count that */
static void end_atomic(void)
{
	local_bh_disable();
	msleep(1);
	local_bh_enable();
}

/* Each call keeps what the next one is told, so no compiler makes a loop of it */
static noinline int end_deeper(volatile int *left)
{
	volatile int here[64];

	here[0] = *left - 1;
	if (here[0])
		here[63] = end_deeper(here);
	return here[63];
}

static void end_stack(void)
{
	volatile int calls = 1000000;

	(void)end_deeper(&calls);
}

static void end_soft(void)
{
	preempt_disable();
	for (;;)
		cpu_relax();
}

/* What this processor reads it reads for ever, and a grace period waits for it */
static int end_wait(void *unused)
{
	synchronize_rcu();
	return 0;
}

static void end_rcu(void)
{
	(void)kthread_run(end_wait, NULL, "ends_badly");
	rcu_read_lock();
	for (;;)
		cpu_relax();
}

static void end_hung(void)
{
	static DECLARE_COMPLETION(never);

	wait_for_completion(&never);
}

static void end_spin_here(void *unused)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

static void end_interrupts(void)
{
	on_each_cpu(end_spin_here, NULL, 0);
}

static void end_stand_here(void *unused)
{
	local_irq_disable();
	for (;;)
#if defined(CONFIG_X86)
		asm volatile("hlt");
#else
		asm volatile("wfi");
#endif
}

static void end_stand(void)
{
	on_each_cpu(end_stand_here, NULL, 0);
}

#if defined(CONFIG_X86)
static void end_divide(void)
{
	asm volatile("xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx" ::
			     : "eax", "ecx", "edx");
}

/* An interrupt table of nothing, and an exception */
static void end_triple(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed none;

	asm volatile("lidt %0; int3" ::"m"(none));
}
#endif

static const struct {
	const char *how;
	void (*end)(void);
} ends_badly_ends[] = {
	{"oops", end_oops},
	{"wild", end_wild},
	{"bug", end_bug},
	{"warn", end_warn},
	{"atomic", end_atomic},
	{"stack", end_stack},
	{"soft", end_soft},
	{"rcu", end_rcu},
	{"hung", end_hung},
	{"stand", end_stand},
	{"interrupts", end_interrupts},
#if defined(CONFIG_X86)
	{"divide", end_divide},
	{"triple", end_triple},
#endif
};

static int __init ends_badly_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ends_badly_ends); i++)
		if (strcmp(ends_badly_ends[i].how, how) == 0) {
			ends_badly_ends[i].end();
			return 0;
		}
	return -EINVAL;
}
module_init(ends_badly_init);

MODULE_DESCRIPTION("does to its kernel what a bug does");
MODULE_LICENSE("GPL");

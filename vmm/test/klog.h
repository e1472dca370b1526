/* SPDX-License-Identifier: Apache-2.0 */
/*
 * klog - what a line of Linux's log says of the kernel.
 *
 * A line of the kernel is known by its time stamp (printk.time), with the caller's id behind it
 * or without (CONFIG_PRINTK_CALLER): "[    1.234567] ", "[    1.234567][    T1] ". What a program
 * prints on the same console has none, so it may say what it likes.
 */
#ifndef MICROVM_TEST_KLOG_H
#define MICROVM_TEST_KLOG_H

#include <stddef.h>

enum klog {
	KLOG_NOTHING,
	KLOG_WARN, /* it goes on: WARN(), lockdep, UBSAN, KCSAN, kmemleak */
	KLOG_OOPS, /* something in it is broken: an oops, BUG, KASAN, KFENCE, KMSAN */
	KLOG_LOCKUP, /* it found that something stands: soft and hard lockup, RCU, hung task */
	KLOG_PANIC,
};

/* klog_message() - where the message begins in @line, of @n bytes and a NUL: after the stamp, which
 * may stand behind what a program had written.  Return: it; NULL: no line of the kernel's
 */
const char *klog_message(const char *line, size_t n);
/* klog_class() - what the message @at says, on either architecture. Of a report of several lines
 * the first counts, and others may: the caller takes the first of all
 */
enum klog klog_class(const char *at);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - why setting something up failed, in words for the operator.
 *
 * Used before the guest runs. The function that knows the cause writes the sentence, which names
 * the thing, the cause and the cure. The I/O path returns a plain negative errno.
 */
#ifndef MICROVM_CORE_ERR_H
#define MICROVM_CORE_ERR_H

struct err {
	int code;  /* positive errno, 0 when nothing failed */
	int usage; /* the command line or the config file is wrong: exit status 2 */
	char msg[512];
};

/* err_set() - record a failure.  Return: -@code, so that "return err_set(...)" works.
 * @e may not be NULL.  No newline at the end of the sentence.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* err_usage() - like err_set() with EINVAL, for a wrong command line: exit status 2 */
int err_usage(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* err_wrap() - put context in front of @e's message ("ctx: msg").  Return: -@e->code */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

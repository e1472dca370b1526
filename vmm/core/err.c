/* SPDX-License-Identifier: Apache-2.0 */
/* err - sentences for the operator. */
#include "vmm/core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/limits.h"

/* The sentence names the resource limit that is the cause, unless it names one already */
static void err_add_limit(struct err *e)
{
	const char *cure = limits_cure(e->code);
	size_t n = strlen(e->msg);

	if (cure && !strstr(e->msg, "ulimit"))
		(void)snprintf(e->msg + n, sizeof(e->msg) - n, "; %s", cure);
}

__attribute__((format(printf, 4, 0))) static void err_format(struct err *e, int code,
							     int usage, const char *fmt,
							     va_list ap)
{
	e->code = code ? code : EINVAL; /* a failure is never 0 to its caller */
	e->usage = usage;
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	err_add_limit(e);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(e, code, 0, fmt, ap);
	va_end(ap);
	return -e->code;
}

int err_usage(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_format(e, EINVAL, 1, fmt, ap);
	va_end(ap);
	return -e->code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char inner[sizeof(e->msg)];
	va_list ap;
	int n;

	memcpy(inner, e->msg, sizeof(inner));
	va_start(ap, fmt);
	n = vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->msg))
		(void)snprintf(e->msg + n, sizeof(e->msg) - (size_t)n, ": %s", inner);
	return -e->code;
}

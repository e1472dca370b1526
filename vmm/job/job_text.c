/* SPDX-License-Identifier: Apache-2.0 */
/* job_text - what the agent is told of the machine and of the job. */
#include "vmm/job/job_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest-images/agent/proto.h"

int job_text_add(struct job_text *t, struct err *e, const char *fmt, ...)
{
	char *word = NULL, *more;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (n < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (t->len + (size_t)n + 1 > AGENT_TEXT) {
		free(word);
		return err_usage(
			e,
			"the command, its variables and options are more than "
			"the %u MiB that a machine is told; shorten them, or put "
			"them in a file",
			AGENT_TEXT >> 20);
	}
	more = realloc(t->text, t->len + (size_t)n + 1);
	if (more) {
		memcpy(more + t->len, word, (size_t)n + 1);
		t->text = more;
		t->len += (size_t)n + 1;
	}
	free(word);
	return more ? 0 : err_set(e, ENOMEM, "out of memory");
}

void job_text_free(struct job_text *t)
{
	free(t->text);
	*t = (struct job_text){0};
}

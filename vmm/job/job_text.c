/* SPDX-License-Identifier: Apache-2.0 */
/* job_text - what the agent is told of the machine and of the job. */
#include "vmm/job/job_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "guest-images/agent/proto.h"
#include "vmm/core/words.h"

int job_text_add(struct job_text *t, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = words_add(&t->text, &t->len, AGENT_TEXT, fmt, ap);
	va_end(ap);
	if (rc == -E2BIG)
		return err_usage(
			e,
			"the command, its variables and options are more than "
			"the %u MiB that a machine is told; shorten them, or put "
			"them in a file",
			AGENT_TEXT >> 20);
	return rc < 0 ? err_set(e, ENOMEM, "out of memory") : 0;
}

void job_text_free(struct job_text *t)
{
	free(t->text);
	*t = (struct job_text){0};
}

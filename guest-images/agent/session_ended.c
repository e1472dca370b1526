/* SPDX-License-Identifier: Apache-2.0 */
/* session_ended - how a job ended */
#include <signal.h>
#include <sys/wait.h>

#include "guest-images/agent/session.h"

void session_ended(struct agent_exit *exit, int status, bool asked, unsigned int number)
{
	bool killed;

	if (exit->how == AGENT_CANNOT)
		return;
	exit->how = WIFSIGNALED(status) ? AGENT_SIGNALLED : AGENT_EXITED;
	exit->status =
		(uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	killed = exit->how == AGENT_SIGNALLED ? exit->status == SIGKILL
					      : exit->status == 128 + SIGKILL;
	if (!killed || asked || !cgroup_oom(number))
		return;
	exit->how = AGENT_OOM;
	exit->status = SIGKILL;
	(void)sentence(
		exit->sentence,
		"the job ran out of memory: it had %lu MiB; give it more by --memory",
		cgroup_limit() >> 20);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * who - which task a processor had when the kernel said last.
 *
 * The words are those of Linux's lib/dump_stack.c ("CPU: 1 PID: 7 Comm: sh Not tainted 6.1", since 6.11
 * with "UID: 0" before PID) and kernel/watchdog.c ("soft lockup - CPU#1 stuck for 22s! [sh:7]").
 */
#include "vmm/test/who.h"

#include <stdio.h>
#include <string.h>

#include "vmm/core/util.h"

static void who_put(struct who *w, unsigned int cpu, unsigned int pid, const char *name,
		    size_t len)
{
	if (cpu >= WHO_MAX)
		return;
	w->task[cpu] = (struct who_task){.known = true, .pid = pid};
	len = MIN(len, (size_t)WHO_NAME);
	memcpy(w->task[cpu].name, name, len);
	text_printable(w->task[cpu].name, len);
}

static void who_dump(struct who *w, const char *at)
{
	unsigned int cpu, pid;
	const char *end;
	int n = 0;

	if (sscanf(at, "CPU: %9u UID: %*u PID: %9u Comm: %n", &cpu, &pid, &n) != 2 || !n)
		if (sscanf(at, "CPU: %9u PID: %9u Comm: %n", &cpu, &pid, &n) != 2 || !n)
			return;
	end = strstr(at + n, " Not tainted");
	end = end ? end : strstr(at + n, " Tainted: ");
	who_put(w, cpu, pid, at + n, end ? (size_t)(end - at - n) : strlen(at + n));
}

static void who_lockup(struct who *w, const char *at)
{
	const char *open = strchr(at, '['), *colon = strrchr(at, ':');
	unsigned int cpu, pid;

	if (!open || !colon || colon < open || sscanf(at, "CPU#%9u", &cpu) != 1 ||
	    sscanf(colon, ":%9u]", &pid) != 1)
		return;
	who_put(w, cpu, pid, open + 1, (size_t)(colon - open - 1));
}

void who_line(struct who *w, const char *message)
{
	static const char lockup[] = "soft lockup - ";
	const char *at = strstr(message, lockup);

	if (strncmp(message, "CPU: ", 5) == 0)
		who_dump(w, message);
	else if (at)
		who_lockup(w, at + strlen(lockup));
}

const struct who_task *who_is(const struct who *w, unsigned int cpu)
{
	return cpu < WHO_MAX && w->task[cpu].known ? &w->task[cpu] : NULL;
}

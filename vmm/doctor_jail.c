/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_jail - which layers of the jail this host gives to this user: a child is locked up. */
#include "vmm/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/jail/broker.h"

/* In the child: what it found is seen by the parent */
static int doctor_lock(void *ctx)
{
	struct jail *shared = ctx;

	jail_take(shared);
	return 0;
}

void doctor_jail(struct doctor *d)
{
	struct jail *j = mmap(NULL, sizeof(*j), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct cgroup_want group = {
		.delegated = true, .memory = 64 * MIB, .tasks = 16};
	const char *held = "--jail auto and strict have it";
	struct err e = {0};
	char what[64];

	if (j == MAP_FAILED)
		return;
	j->mode = JAIL_STRICT;
	j->group = &group;
	if (broker_run(j, doctor_lock, j, &e) != 0)
		doctor_say(d, DOCTOR_NOTE, "jail", "cannot be tried: %s", e.msg);
	for (int i = 0; !e.code && i < JAIL_LAYERS; i++) {
		enum jail_layer l = (enum jail_layer)i;

		(void)snprintf(what, sizeof(what), "jail: %s", jail_layer_name(l));
		if (j->held >> i & 1)
			doctor_say(d, DOCTOR_OK, what, "%s",
				   l == JAIL_CGROUP && geteuid() != 0
					   ? "with --cgroup own or --cpu-limit"
					   : held);
		else if (l == JAIL_CGROUP)
			doctor_say(d, DOCTOR_NOTE, what, "%s", j->no_group.msg);
		else if (!(j->spared >> i & 1))
			doctor_say(d, DOCTOR_NOTE, what, "%s: %s", strerror(j->why[i]),
				   jail_layer_cure(l));
	}
	munmap(j, sizeof(*j));
}

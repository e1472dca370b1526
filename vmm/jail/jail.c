/* SPDX-License-Identifier: Apache-2.0 */
/* jail - the steps of the lock, in order, on one page. */
#include "vmm/jail/jail.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/jail/jail_steps.h"

#define BIT(l) (1U << (l))
/* Every host has these; without one of them nothing runs */
#define JAIL_ALWAYS                                                                   \
	(BIT(JAIL_LIMITS) | BIT(JAIL_CAPS) | BIT(JAIL_NO_PRIVS) | BIT(JAIL_NO_DUMP) | \
	 BIT(JAIL_SECCOMP))

#define CURE_USERNS                                                          \
	"allow this user user namespaces (sysctl user.max_user_namespaces, " \
	"kernel.unprivileged_userns_clone, "                                 \
	"kernel.apparmor_restrict_unprivileged_userns)"

/* They would be lost where a user namespace comes first, and a pid namespace needs that */
#define CURE_SOME_CAPS "start it with CAP_SYS_ADMIN, or without any capability"

static const struct {
	const char *name;
	const char *cure; /* NULL: as for the user namespace */
} jail_layers[JAIL_LAYERS] = {
	[JAIL_USER_NS] = {"user namespace", CURE_USERNS},
	[JAIL_PID_NS] =
		{"pid namespace",
		 "start it as a user without any capability, or give it CAP_SYS_ADMIN"},
	[JAIL_MOUNT_NS] = {"mount namespace", NULL},
	[JAIL_ROOT] = {"empty root", NULL},
	[JAIL_IPC_NS] = {"ipc namespace", NULL},
	[JAIL_UTS_NS] = {"uts namespace", NULL},
	[JAIL_CGROUP_NS] = {"cgroup namespace", NULL},
	[JAIL_NET_NS] = {"network namespace", NULL},
	[JAIL_CGROUP] = {"control group", "see --cgroup"},
	[JAIL_IDENTITY] =
		{"user of its own",
		 "let root alone own and write /run/microvm, or start it as a user "
		 "that is not root"},
	[JAIL_LIMITS] = {"limits", "see ulimit -a"},
	[JAIL_CAPS] = {"empty capabilities", "start it as another user"},
	[JAIL_NO_PRIVS] = {"no_new_privs", "use Linux 3.5 or later"},
	[JAIL_NO_DUMP] = {"no dump", "use Linux 3.5 or later"},
	[JAIL_LANDLOCK] = {"Landlock", "boot a kernel with Landlock (lsm=landlock,...)"},
	[JAIL_NO_EXEC] = {"no executable memory", "use Linux 6.3 or later"},
	[JAIL_SECCOMP] = {"seccomp", "use a kernel with CONFIG_SECCOMP_FILTER"},
};

bool jail_layer_wanted(enum jail_layer l, enum jail_mode mode)
{
	if (l == JAIL_NET_NS)
		return mode == JAIL_STRICT;
	if (l == JAIL_CGROUP)
		return false; /* it is described with its limits */
	return mode != JAIL_OFF && (l != JAIL_IDENTITY || jail_is_root());
}

const char *jail_mode_name(enum jail_mode m)
{
	static const char *const names[] = {
		[JAIL_AUTO] = "auto", [JAIL_STRICT] = "strict", [JAIL_OFF] = "off"};

	return names[m];
}

const char *jail_layer_name(enum jail_layer l)
{
	return jail_layers[l].name;
}

const char *jail_layer_cure(enum jail_layer l)
{
	return jail_layers[l].cure ? jail_layers[l].cure : CURE_USERNS;
}

void jail_note(struct jail *j, enum jail_layer l, int rc)
{
	j->held &= ~BIT(l);
	if (rc == 0)
		j->held |= BIT(l);
	else if (rc == -EALREADY)
		j->spared |= BIT(l);
	else
		j->why[l] = -rc;
}

void jail_take(struct jail *j)
{
	int rc;

	/* what needs a capability comes before those are dropped */
	jail_namespaces(j, jail_note);
	/* A host without it is no reason for a warning: an operator that asks for limits is refused */
	jail_note(j, JAIL_CGROUP, j->grouped ? 0 : -EALREADY);
	j->why[JAIL_CGROUP] = j->no_group.code;
	rc = j->held & BIT(JAIL_MOUNT_NS) ? jail_root_cover() : -EPERM;
	if (rc == 0 && j->mode == JAIL_STRICT)
		rc = jail_root_swap();
	jail_note(j, JAIL_IDENTITY, jail_identity(j));
	if (j->root)
		jail_note(j, JAIL_USER_NS, jail_user_namespace());
	jail_note(j, JAIL_ROOT, rc == 0 ? jail_root_enter() : rc);
	jail_note(j, JAIL_LIMITS, jail_limits(j));
	jail_environment();
	jail_note(j, JAIL_CAPS, jail_no_capabilities());
	jail_note(j, JAIL_NO_PRIVS, jail_no_privileges());
	jail_note(j, JAIL_NO_DUMP, jail_no_dump());
	jail_note(j, JAIL_LANDLOCK, jail_landlock());
	/* a mode of Linux 6.3; the filters refuse the same */
	jail_note(j, JAIL_NO_EXEC, jail_no_exec());
	jail_note(j, JAIL_SECCOMP, jail_has_seccomp());
}

/* Of layers missing for the same reason one line is enough: the first is named with its cure. */
static void jail_say(const char *how, const char *tail, uint32_t missing,
		     const struct jail *j, char *line, size_t size)
{
	size_t n = (size_t)snprintf(line, size, "%s", how);
	int first = -1;

	for (int l = 0; l < JAIL_LAYERS && n < size; l++) {
		if (!(missing & BIT(l)))
			continue;
		n += (size_t)snprintf(line + n, size - n, "%s%s", first < 0 ? "" : ", ",
				      jail_layers[l].name);
		first = first < 0 ? l : first;
	}
	if (n < size)
		(void)snprintf(line + n, size - n, " (%s)%s; %s", strerror(j->why[first]),
			       tail,
			       first == JAIL_PID_NS && !j->clone_errno
				       ? CURE_SOME_CAPS
				       : jail_layer_cure((enum jail_layer)first));
}

int jail_lock(struct jail *j, struct err *e)
{
	const uint32_t all = BIT(JAIL_LAYERS) - 1;
	uint32_t missing, vital;
	char line[512];

	jail_take(j);
	missing = all & ~j->held & ~j->spared;
	vital = j->mode == JAIL_STRICT ? missing & ~BIT(JAIL_NO_EXEC)
				       : missing & JAIL_ALWAYS;
	if (vital) {
		jail_say(j->mode == JAIL_STRICT ? "--jail strict: this host gives no "
						: "the jail is not closed: no ",
			 "", vital, j, line, sizeof(line));
		return err_set(e, EPERM, "%s", line);
	}
	missing &= ~BIT(JAIL_NO_EXEC);
	if (missing) {
		jail_say("--jail auto: the guest runs without ",
			 " between it and the host", missing, j, line, sizeof(line));
		log_warn("%s", line);
	}
	return 0;
}

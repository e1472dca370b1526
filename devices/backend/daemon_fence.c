/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon_fence - no new privileges, and for a program that does not isolate itself: Landlock, a network
 * namespace with nothing in it, no sockets, no capabilities.
 */
#include "devices/backend/daemon_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/arch.h"
#include "vmm/core/landlock.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define FENCE_RULES_MAX (DAEMON_REACH_MAX + 16)
#define FENCE_CALLS_MAX 8
#define FENCE_X32 \
	0x40000000U /* x86-64's other numbers; no call of arm64 has one so high */

/* What a dynamically linked program needs, wherever distributions put it, and what qemu opens */
static const struct landlock_rule fence_always[] = {
	{"/lib", -1, LANDLOCK_EXEC},
	{"/lib64", -1, LANDLOCK_EXEC},
	{"/usr/lib", -1, LANDLOCK_EXEC},
	{"/usr/lib64", -1, LANDLOCK_EXEC},
	{"/nix/store", -1, LANDLOCK_EXEC},
	{"/gnu/store", -1, LANDLOCK_EXEC},
	{"/etc/ld.so.cache", -1, LANDLOCK_READ},
	{"/dev/null", -1, LANDLOCK_READ | LANDLOCK_WRITE},
	{"/dev/urandom", -1, LANDLOCK_READ},
};

/* ---- before ---- */

enum fence_layer { FENCE_LANDLOCK, FENCE_NETWORK };

/* @which is missing because of @why: said once, or refused */
static int fence_lacks(const struct daemon_fence *f, enum fence_layer which,
		       const char *why, struct err *e)
{
	static const char *const names[] = {"Landlock", "a network namespace of its own"};
	static bool said[ARRAY_SIZE(names)];
	const char *layer = names[which];

	if (f->spec->jail == JAIL_STRICT)
		return err_set(e, EPERM,
			       "%s cannot be confined as --jail strict demands, %s is "
			       "missing: %s; or choose --jail auto",
			       f->spec->program, layer, why);
	if (!said[which])
		log_warn("%s is confined less than it could be, %s is missing: %s",
			 f->spec->program, layer, why);
	said[which] = true;
	return 0;
}

static int fence_rules(const struct daemon_fence *f, const char *path)
{
	const struct daemon_spec *s = f->spec;
	struct landlock_rule r[FENCE_RULES_MAX];
	unsigned int n = ARRAY_SIZE(fence_always);
	char lib[PATH_MAX + 8];

	BUG_ON(s->nreach > DAEMON_REACH_MAX);
	memcpy(r, fence_always, sizeof(fence_always));
	r[n++] = (struct landlock_rule){path, -1, LANDLOCK_EXEC};
	/* of a program with a prefix of its own, /opt/qemu/bin or /usr/local/bin */
	(void)snprintf(lib, sizeof(lib), "%.*s/../lib", (int)(strrchr(path, '/') - path),
		       path);
	r[n++] = (struct landlock_rule){lib, -1, LANDLOCK_EXEC};
	memcpy(r + n, s->reach, s->nreach * sizeof(*r));
	return landlock_open(r, n + s->nreach, 0);
}

int daemon_fence_init(struct daemon_fence *f, const struct daemon_spec *s,
		      const char *path, struct err *e)
{
	*f = (struct daemon_fence){.spec = s, .ruleset = -1};
	(void)snprintf(f->uid_map, sizeof(f->uid_map), "%u %u 1", geteuid(), geteuid());
	(void)snprintf(f->gid_map, sizeof(f->gid_map), "%u %u 1", getegid(), getegid());
	if (s->jail == JAIL_OFF || !s->reach)
		return 0;
	if (landlock_abi() < 0)
		return fence_lacks(f, FENCE_LANDLOCK, landlock_why(), e);
	f->ruleset = fence_rules(f, path);
	if (f->ruleset < 0)
		return err_set(e, -f->ruleset,
			       "%s cannot be confined by Landlock: %s; --jail off starts "
			       "it unconfined",
			       s->program, strerror(-f->ruleset));
	return 0;
}

void daemon_fence_fini(struct daemon_fence *f)
{
	cleanup_close_fd(&f->ruleset);
}

int daemon_fence_held(const struct daemon_fence *f, struct err *e)
{
	char why[256];

	if (!f->no_net)
		return 0;
	(void)snprintf(why, sizeof(why),
		       "%s; allow user namespaces (sysctl user.max_net_namespaces, "
		       "user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
		       "AppArmor, the container's seccomp)",
		       f->no_net == ENOSPC ? "their limit is reached"
					   : strerror(f->no_net));
	return fence_lacks(f, FENCE_NETWORK, why, e);
}

/* ---- in the new process ---- */

int room_write(const char *path, const char *text)
{
	return room_write_at(AT_FDCWD, path, text);
}

int room_write_at(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int saved = errno;

	cleanup_close_fd(&fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

int room_answer(const unsigned int *nr, unsigned int n, unsigned int errnum)
{
	struct sock_filter code[FENCE_CALLS_MAX + 6] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch_audit, 0, (uint8_t)(n + 2)),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FENCE_X32, (uint8_t)n, 0),
	};
	struct sock_fprog prog = {.len = (unsigned short)(n + 6), .filter = code};

	BUG_ON(n > FENCE_CALLS_MAX);
	/* to the last but one where it is the number; past the last comparison, over it */
	for (unsigned int i = 0; i < n; i++)
		code[4 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							   nr[i], (uint8_t)(n - 1 - i),
							   i == n - 1);
	code[4 + n] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum);
	code[5 + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* With a user namespace where it takes one. Return: NULL, also without a network namespace of
 * its own: @f has the reason
 */
static const char *fence_leave_network(struct daemon_fence *f)
{
	if (unshare(CLONE_NEWNET) == 0)
		return NULL;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		f->no_net = errno;
		return f->spec->jail == JAIL_STRICT ? "cannot leave the network: " : NULL;
	}
	if (room_write("/proc/self/setgroups", "deny") < 0 ||
	    room_write("/proc/self/uid_map", f->uid_map) < 0 ||
	    room_write("/proc/self/gid_map", f->gid_map) < 0)
		return "cannot be itself in a user namespace: ";
	return NULL;
}

/* What may not drop the bounding set has no_new_privs, with which exec gives none of it */
static int fence_drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(SYS_capget, &head, data) < 0)
		return -1;
	data[0].effective = data[0].permitted &= (uint32_t)keep;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){0};
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap < 64; cap++)
		if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	return (int)syscall(SYS_capset, &head, data);
}

/* io_uring could make sockets that the filter does not see */
static int fence_forbid_calls(bool uring)
{
	static const unsigned int calls[] = {SYS_socket, SYS_socketpair, SYS_connect,
					     SYS_io_uring_setup};

	return room_answer(calls, ARRAY_SIZE(calls) - uring, EACCES);
}

const char *daemon_fence_enter(struct daemon_fence *f, int ruleset)
{
	const struct daemon_spec *s = f->spec;
	const struct rlimit none = {0, 0};
	const char *lost = NULL;

	if (s->jail == JAIL_OFF)
		return NULL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return "cannot give up privileges: ";
	if (!s->reach)
		return NULL;
	lost = fence_leave_network(f);
	if (lost)
		return lost;
	if (fence_drop_capabilities(s->keep) < 0)
		return "cannot drop its capabilities: ";
	if (fence_forbid_calls(s->uring) < 0)
		return "cannot be forbidden sockets: ";
	if (ruleset >= 0 && (errno = -landlock_enter(ruleset)))
		return "cannot be confined by Landlock: ";
	return NULL;
}

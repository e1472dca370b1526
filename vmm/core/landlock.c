/* SPDX-License-Identifier: Apache-2.0 */
/* landlock - the three system calls of Landlock, for which C libraries have no functions. */
#include "vmm/core/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/core/util.h"

/* The numbers of rights that each version of Landlock has; a kernel's headers may be older than it.
 * The network's are bind and connect of TCP, the scopes abstract unix sockets and signals.
 */
static const struct landlock_rights {
	unsigned int fs, net, scope;
} landlock_versions[] = {{0, 0, 0},  {13, 0, 0}, {14, 0, 0}, {15, 0, 0},
			 {15, 2, 0}, {16, 2, 0}, {16, 2, 2}};

/* Rights that a file has, and not only a directory: the rest of a rule about one is an error */
#define LANDLOCK_OF_FILES                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
	 LANDLOCK_ACCESS_FS_READ_FILE | 1ULL << 14 | 1ULL << 15)

int landlock_abi(void)
{
	static int abi;

	if (!abi)
		abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
				   LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0)
		abi = -errno;
	return abi;
}

const char *landlock_why(void)
{
	int abi = landlock_abi();

	if (abi == -ENOSYS)
		return "this kernel has no Landlock; Linux has it since 5.13, where it is "
		       "configured (CONFIG_SECURITY_LANDLOCK)";
	if (abi == -EOPNOTSUPP)
		return "Landlock is switched off on this host; add landlock to lsm= on its "
		       "kernel's command line";
	return "Landlock's system calls are denied; allow landlock_create_ruleset, "
	       "landlock_add_rule and landlock_restrict_self to this container";
}

static int landlock_add(int ruleset, const struct landlock_rule *r, uint64_t handled)
{
	int flags = O_PATH | O_CLOEXEC;
	cleanup_close int opened = r->path ? open(r->path, flags) : -1;
	struct landlock_path_beneath_attr a = {.parent_fd = r->path ? opened : r->fd,
					       .allowed_access = r->may & handled};
	struct stat st;

	if (r->path && opened < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fstat(a.parent_fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		a.allowed_access &= LANDLOCK_OF_FILES;
	if (!a.allowed_access)
		return 0;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a,
		       0) < 0
		       ? -errno
		       : 0;
}

int landlock_open(const struct landlock_rule *r, unsigned int n, unsigned int may)
{
	int abi = landlock_abi(), fd, rc = 0;
	const struct landlock_rights *has;
	uint64_t handled[3]; /* struct landlock_ruleset_attr as of version 6 */

	if (abi < 0)
		return abi;
	has = &landlock_versions[MIN((size_t)abi, ARRAY_SIZE(landlock_versions) - 1)];
	handled[0] = (1ULL << has->fs) - 1;
	handled[1] = (1ULL << has->net) - 1;
	handled[2] = ((1ULL << has->scope) - 1) & ~(uint64_t)may;
	fd = (int)syscall(SYS_landlock_create_ruleset, handled, sizeof(handled), 0);
	if (fd < 0)
		return -errno;
	for (unsigned int i = 0; i < n && rc == 0; i++)
		rc = landlock_add(fd, &r[i], handled[0]);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int landlock_enter(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

int landlock_restrict(const struct landlock_rule *r, unsigned int n, struct err *e)
{
	cleanup_close int ruleset = landlock_open(r, n, 0);
	int rc = ruleset < 0 ? ruleset : landlock_enter(ruleset);

	if (landlock_abi() < 0)
		return err_set(e, -rc, "%s", landlock_why());
	return rc < 0 ? err_set(e, -rc, "Landlock: %s", strerror(-rc)) : 0;
}

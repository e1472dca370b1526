/* SPDX-License-Identifier: Apache-2.0 */
/* job_find - where `microvm run` finds its kernel and its agent. */
#include "vmm/job/job_find.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/arch.h"

static const char *env_of(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* The @i-th directory.  Return: false, there are no more; @dir may be empty: then it is left out */
static bool find_dir(unsigned int i, char dir[PATH_MAX])
{
	const char *at;

	*dir = '\0';
	switch (i) {
	case 0:
		at = env_of("MICROVM_RUN_DIR");
		if (at)
			(void)snprintf(dir, PATH_MAX, "%s", at);
		return true;
	case 1:
		/* as guest-images/lib.sh chooses its cache */
		if ((at = env_of("MICROVM_CACHE")))
			(void)snprintf(dir, PATH_MAX, "%s/run-%s", at, arch_images);
		else if ((at = env_of("XDG_CACHE_HOME")))
			(void)snprintf(dir, PATH_MAX, "%s/microvm/run-%s", at,
				       arch_images);
		else if ((at = env_of("HOME")))
			(void)snprintf(dir, PATH_MAX, "%s/.cache/microvm/run-%s", at,
				       arch_images);
		return true;
	case 2:
		(void)snprintf(dir, PATH_MAX, "%s", MICROVM_RUN_DATA);
		return true;
	default:
		return false;
	}
}

char *job_find(const char *name, const char *given, struct err *e)
{
	char dir[PATH_MAX], *path = NULL;

	if (given) {
		path = strdup(given);
		if (!path)
			err_set(e, ENOMEM, "out of memory");
		return path;
	}
	for (unsigned int i = 0; find_dir(i, dir); i++) {
		if (!*dir)
			continue;
		if (asprintf(&path, "%s/%s", dir, name) < 0) {
			err_set(e, ENOMEM, "out of memory");
			return NULL;
		}
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	err_set(e, ENOENT,
		"there is no %s for jobs; guest-images/agent/prepare makes kernel and agent "
		"(or give --%s FILE)",
		name, name);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* config_kernel - a kernel that is named by the directory that it lies in. */
#include "vmm/settings/config_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/arch.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"

#define KERNEL_PREFIX "vmlinuz-"

/* Return: @dir/@name, if it is there, else NULL; -ENOMEM in @rc */
static char *kernel_there(const char *dir, const char *name, int *rc)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		*rc = -ENOMEM;
		return NULL;
	}
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* Return: the name in @dir/boot with the highest version, which the caller frees; NULL: none */
static char *kernel_newest(const char *dir, int *rc)
{
	cleanup_free char *boot = kernel_there(dir, "boot", rc), *newest = NULL;
	DIR *d = boot ? opendir(boot) : NULL;
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, KERNEL_PREFIX, strlen(KERNEL_PREFIX)) != 0 ||
		    (newest && strverscmp(entry->d_name, newest) < 0))
			continue;
		free(newest);
		newest = strdup(entry->d_name);
	}
	if (d)
		closedir(d);
	return newest ? kernel_there(boot, newest, rc) : NULL;
}

int config_find_kernel(struct config *cfg, struct err *e)
{
	char *found = NULL;
	struct stat st;
	int rc = 0;

	if (stat(cfg->kernel, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	for (unsigned int i = 0; !found && arch_kernel_files[i]; i++)
		found = kernel_there(cfg->kernel, arch_kernel_files[i], &rc);
	if (!found)
		found = kernel_newest(cfg->kernel, &rc);
	if (rc < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (!found)
		return err_set(e, ENOENT,
			       "kernel %s: is a directory without %s, vmlinuz, kernel or "
			       "boot/vmlinuz-*; build the kernel there, or name its file",
			       cfg->kernel, arch_kernel_files[0]);
	if (cfg->log_level >= LOG_INFO)
		log_line(LOG_INFO, "kernel %s: takes %s", cfg->kernel, found);
	free(cfg->kernel);
	cfg->kernel = found;
	return 0;
}

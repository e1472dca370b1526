/* SPDX-License-Identifier: Apache-2.0 */
/* vm_flags - what the kernel keeps of a mapping of this process (proc(5), smaps, "VmFlags") */
#ifndef MICROVM_TESTS_VM_FLAGS_H
#define MICROVM_TESTS_VM_FLAGS_H

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Whether the mapping that begins at @start has @flag, of two letters */
static inline bool vm_flag(const void *start, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], begins[32], wanted[8];
	bool found = false, has = false;

	ck_assert_ptr_nonnull(f);
	(void)snprintf(begins, sizeof(begins), "%lx-", (unsigned long)start);
	(void)snprintf(wanted, sizeof(wanted), " %s", flag);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, begins, strlen(begins)))
			found = true;
		if (found && !strncmp(line, "VmFlags:", 8)) {
			has = strstr(line, wanted) != NULL;
			break;
		}
	}
	(void)fclose(f);
	ck_assert(found);
	return has;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* agent_release - of which kernel the modules in the agent's image are, and whether another one needs its own. */
#ifndef MICROVM_MODULES_AGENT_RELEASE_H
#define MICROVM_MODULES_AGENT_RELEASE_H

#include <stdbool.h>

#include "boot/release.h"
#include "vmm/core/err.h"

/* agent_release() - what mkagent wrote into the image @path; "": it has no modules.
 * Return: false: an image does not say, or cannot be read
 */
bool agent_release(const char *path, char release[RELEASE_MAX]);

/* agent_release_check() - will the kernel in the file @kernel, @name in sentences, come up with the agent's
 * image @agent? Only if both say their releases, and these differ, its configuration is looked for, beside
 * it and inside.  Return: 0: it will, or there is no knowing; -ENOEXEC with a sentence in @e
 */
int agent_release_check(const char *kernel, const char *name, const char *agent,
			struct err *e);

/* kernel_file_release() - kernel_release() of the file @path.  Return: likewise, false if it cannot be opened */
bool kernel_file_release(const char *path, char release[RELEASE_MAX]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* root - the file system that the jobs see, at AGENT_ROOT */
#ifndef MICROVM_AGENT_ROOT_H
#define MICROVM_AGENT_ROOT_H

#include <netinet/in.h>

#include "guest-images/agent/agent.h"

#define ROOT_VOLUMES 32

struct root_volume {
	unsigned int src; /* it is mounted at /run/volumeN */
	char *dst;
};

/* What the text of MACHINE says of it; strings are in the text */
struct root {
	char *kind, *source; /* "virtiofs", "disk" or "tar", and of what */
	const char *scratch; /* a disk, or NULL */
	struct root_volume volumes[ROOT_VOLUMES];
	unsigned int nvolumes;
	char *tmpfs[ROOT_VOLUMES];
	unsigned int ntmpfs;
	in_addr_t nameserver; /* or 0 */
	const char *files;    /* a disk, an archive of @nfiles bytes (tree.h), or NULL */
	uint64_t nfiles;
};

/* mount(2), its failure in words: which driver is missing, if one is */
bool root_mount(const char *source, const char *target, const char *type,
		unsigned long flags, const char *options, char why[AGENT_SENTENCE + 1]);

/* Mount the root and a layer to write to at AGENT_ROOT */
bool root_make(const struct root *r, char why[AGENT_SENTENCE + 1]);

/* furnish.c: the directory @path and those above it, in a process whose root is the jobs' */
bool root_make_dir(const char *path, char why[AGENT_SENTENCE + 1]);

/* furnish.c: /dev, /proc, /sys, volumes, files and the like, with the names as the root resolves them */
bool root_furnish(const struct root *r, char why[AGENT_SENTENCE + 1]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot - a machine on disk: a directory with `state` (settings, vCPUs, devices) and `memory`
 * (RAM, sparse), and a machine that goes on from there.
 *
 * `state` begins with a header that has its length and a checksum; what follows are sections as
 * vmm/core/state.h writes them.
 */
#ifndef MICROVM_SNAPSHOT_H
#define MICROVM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/machine_ops.h"

#define SNAPSHOT_STATE  "state"
#define SNAPSHOT_MEMORY "memory"
#define SNAPSHOT_HEADER 40 /* bytes before the sections */

/* snapshot_region_at() - where in `memory` the @i-th region of @m begins; of the number of regions:
 * its length
 */
uint64_t snapshot_region_at(const struct gmem *m, unsigned int i);
/* snapshot_header() - in @h, the header of the @len bytes of sections at @p */
void snapshot_header(uint8_t h[SNAPSHOT_HEADER], const void *p, size_t len);
/* snapshot_check() - does the @len bytes long file at @p have a header that fits what follows it?
 * Return: 0; -errno with a sentence in @e that does not name the file
 */
int snapshot_check(const uint8_t *p, size_t len, struct err *e);

/* What saves a machine. snapshot_saver_open() - before the process is locked up; @settings is a text
 * that --config takes, the saver's from now on. Return: 0, or -errno in @e; snapshot_saver_close() in
 * either case
 */
struct snapshot_saver;
int snapshot_saver_open(struct snapshot_saver **s, struct machine *m, char *settings,
			struct err *e);
void snapshot_saver_close(struct snapshot_saver *s);
/* snapshot_save() - as machine_ops.h has it; @saver is one of these */
int snapshot_save(void *saver, const int fd[MACHINE_SAVE_FDS], struct machine_asker *a,
		  struct err *e);

void snapshot_forget(void *saver, struct machine_asker *a);

/* A snapshot that is to be restored */
struct snapshot {
	struct machine_load load; /* for the config of its machine */
	char *path;
	uint8_t *file; /* `state`, @len bytes */
	size_t len;
	char *settings; /* text of --config */
};

/* snapshot_open() - read and check @path's state, open its memory.  Return: 0, or -errno in @e;
 * snapshot_close() in either case
 */
int snapshot_open(struct snapshot *s, const char *path, struct err *e);
/* snapshot_take() - the part of it that looks at the state, which is in @s with its path.  Return: likewise */
int snapshot_take(struct snapshot *s, struct err *e);
void snapshot_close(struct snapshot *s);

#endif

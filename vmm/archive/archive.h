/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive - the members of an archive, in order, by libarchive: of ar, and of tar that may be packed by
 * gzip, xz or zstd. What libarchive knows besides is not registered, so none of its code is in the program.
 *
 * For a process that does nothing else (reader.h): the archive may hold anything.
 */
#ifndef MICROVM_ARCHIVE_ARCHIVE_H
#define MICROVM_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/err.h"

enum archive_form { ARCHIVE_FORM_AR, ARCHIVE_FORM_TAR };

#define ARCHIVE_CHUNK 65536

struct archive_in {
	struct archive *a; /* NULL: not open */
	struct archive_entry *entry;
	const char *what;         /* sentences begin so */
	int fd;                   /* or */
	struct archive_in *outer; /* in whose member it is */
	uint8_t chunk[ARCHIVE_CHUNK];
};

/* archive_in_open() - what the descriptor @fd has from where it stands, or, if @outer is not NULL, in its
 * member. @what is kept. archive_in_close() in either case. Return: 0, or -errno with a sentence in @e
 */
int archive_in_open(struct archive_in *in, const char *what, enum archive_form form,
		    int fd, struct archive_in *outer, struct err *e);
void archive_in_close(struct archive_in *in);

/* archive_in_next() - step to the next member.  Return: 1; 0: there are no more; -errno with a sentence
 * in @e: it is damaged
 */
int archive_in_next(struct archive_in *in, struct err *e);
/* Of the member: its name, "" if it has none that we can tell; is it a plain file, no link; how many bytes */
const char *archive_in_name(const struct archive_in *in);
bool archive_in_is_file(const struct archive_in *in);
uint64_t archive_in_size(const struct archive_in *in);
/* archive_in_read() - up to @len of its bytes.  Return: how many, 0 at its end; -errno with a sentence in @e */
long archive_in_read(struct archive_in *in, void *buf, size_t len, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uss - what a VMM holds besides its guest's memory.
 *
 * usage: bench-uss PID GUEST-MIB
 *
 * Guest memory is the run of touching mappings that is accessible and at least GUEST-MIB
 * long (a kernel mapped into it does not break the run).  Prints private KiB inside and
 * outside of it; those of files (the program itself) a second VMM would share.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	uint64_t end, len; /* accessible and touching so far */
	uint64_t priv;     /* KiB: of no other process */
	uint64_t anon;     /* of no file; a broker may have the same */
	uint64_t file;     /* private, of a file */
};

static struct run outside, inside;

static void uss_close(struct run *r, uint64_t guest)
{
	struct run *sum = r->len >= guest ? &inside : &outside;

	sum->len += r->len;
	sum->priv += r->priv;
	sum->anon += r->anon;
	sum->file += r->file;
	*r = (struct run){0};
}

int main(int argc, char **argv)
{
	char path[64], line[1024], perm[8], key[64];
	uint64_t start, end, kib, guest;
	struct run r = {0};
	FILE *f;

	if (argc != 3)
		return 2;
	guest = strtoull(argv[2], NULL, 10) << 20;
	(void)snprintf(path, sizeof(path), "/proc/%ld/smaps", strtol(argv[1], NULL, 10));
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		return 1;
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &start, &end, perm) ==
		    3) {
			if (start != r.end || perm[0] != 'r')
				uss_close(&r, guest);
			r.end = end;
			if (perm[0] == 'r')
				r.len += end - start;
		} else if (sscanf(line, "%63[^:]: %" SCNu64, key, &kib) == 2) {
			if (!strncmp(key, "Private_", 8))
				r.priv += kib;
			if (!strcmp(key, "Private_Clean"))
				r.file += kib;
			else if (!strcmp(key, "Anonymous"))
				r.anon += kib;
		}
	}
	uss_close(&r, guest);
	(void)fclose(f);
	if (!inside.len) {
		(void)fprintf(stderr, "bench-uss: no mapping of %s MiB\n", argv[2]);
		return 1;
	}
	(void)printf("guest memory %" PRIu64 " KiB; besides it %" PRIu64
		     " KiB of our own, %" PRIu64 " KiB of files\n",
		     inside.priv, outside.anon, outside.file);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hung_disk - runs a command to which a file is one that can be opened, and of which no read
 * ever returns.
 *
 * usage: hung-disk FILE SIZE COMMAND [ARGUMENT...]
 *        hung-disk --probe                         can this be done here?
 *
 * In a mount namespace of its own, with a FUSE server that ends with the command.
 */
#include "tests/lib/hung_file.h"

int main(int argc, char **argv)
{
	static struct hung_file hung;

	if (argc == 2 && strcmp(argv[1], "--probe") == 0)
		return !hung_file_possible();
	if (argc < 4) {
		(void)fprintf(stderr,
			      "usage: hung-disk FILE SIZE COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (!hung_file_mount(&hung, argv[1], strtoull(argv[2], NULL, 10))) {
		(void)fprintf(stderr, "hung-disk: no FUSE here: %s\n", strerror(errno));
		return 1;
	}
	(void)execvp(argv[3], argv + 3);
	(void)fprintf(stderr, "hung-disk: %s: %s\n", argv[3], strerror(errno));
	return 1;
}

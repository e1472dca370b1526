/* SPDX-License-Identifier: Apache-2.0 */
/* disk_others - the files that an image names (backing=on), and those that these name. */
#ifndef MICROVM_BACKEND_DISK_OTHERS_H
#define MICROVM_BACKEND_DISK_OTHERS_H

#include <stdbool.h>

#define DISK_OTHERS_MAX 60

struct disk_other {
	int fd; /* for reading */
	bool data; /* it has data of the disk's own, which are written unless the disk is not */
	char *path; /* as its image says it */
};

struct disk_others {
	struct disk_other of[DISK_OTHERS_MAX];
	unsigned int n;
};

/* disk_others_find() - of the image @fd at @path.  A file that cannot be opened, is beyond the limit, or
 * has no plain name ("nbd://", "json:") is left out.  Main thread.  After it disk_others_close()
 */
void disk_others_find(struct disk_others *o, const char *path, int fd);
void disk_others_close(struct disk_others *o);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* package - a kernel in a package of Debian's: its process, and what that comes back with. */
#include "vmm/modules/package.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/modules/package_members.h"

#define PACKAGE_MEMORY  GIB /* a dictionary of xz's, modules and their unpacked forms */
#define PACKAGE_FILE    (256 * MIB)
#define PACKAGE_SECONDS 120 /* Debian's largest takes 10 */

static const char package_magic[] = "!<arch>\n";

bool package_is(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[sizeof(package_magic) - 1];

	return fd >= 0 && pread_full(fd, head, sizeof(head), 0) == (long)sizeof(head) &&
	       memcmp(head, package_magic, sizeof(head)) == 0;
}

static int package_work(void *ctx, char said[READER_SAID], struct err *e)
{
	struct package *p = ctx;
	int rc = package_members(p->path, READER_FIRST, READER_FIRST + 1,
				 p->modules < 0 ? -1 : READER_FIRST + 2, &p->nmodule, e);

	(void)snprintf(said, READER_SAID, "%u", p->nmodule);
	return rc;
}

int package_read(struct package *p, struct err *e)
{
	cleanup_close int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	char what[300], said[READER_SAID] = "";
	struct reader r = {.what = what,
			   .fd = {fd, p->kernel, p->modules},
			   .nfd = p->modules < 0 ? 2 : 3,
			   .memory = PACKAGE_MEMORY,
			   .file_size = PACKAGE_FILE,
			   .seconds = PACKAGE_SECONDS,
			   .work = package_work,
			   .ctx = p,
			   .lock = p->lock,
			   .lock_ctx = p->lock_ctx};
	int rc;

	(void)snprintf(what, sizeof(what), "kernel %.200s", p->path);
	if (fd < 0)
		return err_set(e, errno, "%s: cannot be opened: %s", what,
			       strerror(errno));
	rc = reader_run(&r, said, e);
	p->nmodule = 0;
	(void)sscanf(said, "%u", &p->nmodule);
	return rc;
}

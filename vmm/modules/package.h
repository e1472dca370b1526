/* SPDX-License-Identifier: Apache-2.0 */
/*
 * package - a kernel in a package of Debian's (deb(5)): an archive of ar with data.tar, in which the kernel is
 * boot/vmlinuz-RELEASE and its modules are below lib/modules or usr/lib/modules.
 *
 * A process of its own reads it (vmm/archive/reader.h). Links in it are no files, and no path in it is
 * opened: it is only compared.
 */
#ifndef MICROVM_MODULES_PACKAGE_H
#define MICROVM_MODULES_PACKAGE_H

#include <stdbool.h>

#include "vmm/archive/reader.h"
#include "vmm/core/err.h"

struct package {
	const char *path;
	int kernel;  /* an empty file: the kernel goes there */
	int modules; /* likewise, what the agent needs of its modules as an initramfs; -1: they are not wanted */
	unsigned int nmodule; /* how many there are in it */
	reader_lock *lock;    /* of struct reader */
	void *lock_ctx;
};

/* package_is() - does the file @path begin as packages do? */
bool package_is(const char *path);
/* package_read() - @p->path into @p's files.  Before there is a second thread.
 * Return: 0, or -errno with a sentence in @e
 */
int package_read(struct package *p, struct err *e);

#endif

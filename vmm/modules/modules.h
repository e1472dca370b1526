/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules - those of a kernel's modules that the agent needs (guest-images/agent/groups.h), with what they
 * depend on, as an initramfs that goes behind the agent's.
 *
 * A source of modules asks modules_next() for names, and answers each by modules_put() or modules_none();
 * what a module depends on is asked for next. What is built into the kernel is not there, and is left out.
 */
#ifndef MICROVM_MODULES_MODULES_H
#define MICROVM_MODULES_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/release.h"
#include "vmm/core/err.h"
#include "vmm/core/util.h"

#define MODULES_MAX       128
#define MODULES_NAME      64          /* bytes, as Linux has it */
#define MODULES_FILE_MAX  (64 * MIB)  /* of one, unpacked */
#define MODULES_TOTAL_MAX (256 * MIB) /* of all */

struct module {
	char name[MODULES_NAME];
	enum { MODULE_ASKED, MODULE_FOUND, MODULE_NONE } state;
	bool early; /* asked for because others often need it: left out if none does */
	bool must;  /* no guest comes up without: in the kernel, or a module */
	bool out;   /* it is in the initramfs */
	unsigned int group; /* the last one that it was packed for */
	uint8_t *bytes;
	size_t len;
	const char *depends; /* in @bytes */
};

struct modules {
	struct module module[MODULES_MAX];
	unsigned int n;
	size_t total;
	const char *from;          /* for sentences: "--modules /x" */
	const char *kernel;        /* likewise, the kernel's name */
	const char *cure;          /* of modules of another kernel */
	char release[RELEASE_MAX]; /* of the kernel; "": it is not known */
};

/* modules_init() - the groups' modules are asked for.  @from, @kernel and @cure are kept.
 * modules_fini() frees what was put
 */
void modules_init(struct modules *m, const char *from, const char *kernel,
		  const char *cure);
void modules_fini(struct modules *m);
/* modules_early() - ask for those as well that others often need: for a source that is read in order */
void modules_early(struct modules *m);

/* modules_next() - one that is asked for, from the number *@i on, which becomes the number after it.
 * Return: NULL: there is none
 */
struct module *modules_next(struct modules *m, unsigned int *i);
/* modules_find() - the one of the file name @path ("x/virtio-blk.ko.xz" is virtio_blk); NULL: it is not
 * asked for, or has been answered
 */
struct module *modules_find(struct modules *m, const char *path);
/* modules_name() - the name of the file @path.  Return: false: it is no module's */
bool modules_name(const char *path, char name[MODULES_NAME]);

/* modules_put() - @k is the file @bytes, of @len bytes from malloc(), which may be packed by gzip, xz or
 * zstd; it is @m's from now on. Return: 0; -errno with a sentence in @e: it is damaged, for another
 * machine, or of another kernel
 */
int modules_put(struct modules *m, struct module *k, uint8_t *bytes, size_t len,
		struct err *e);
void modules_none(struct module *k);
/* modules_builtin() - of all that were answered by modules_none(), are those that every guest needs in
 * @text, a modules.builtin?  NULL: it is not known. Return: 0, or -ENOEXEC with a sentence in @e
 */
int modules_builtin(const struct modules *m, const char *text, struct err *e);

/* modules_pack() - an initramfs with all of them, in the file @fd, from its start.  @n: how many there are.
 * Return: 0 or -errno in @e
 */
int modules_pack(struct modules *m, int fd, unsigned int *n, struct err *e);

#endif

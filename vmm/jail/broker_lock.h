/* SPDX-License-Identifier: Apache-2.0 */
/* broker_lock - the broker gives up what it does not need. */
#ifndef MICROVM_JAIL_BROKER_LOCK_H
#define MICROVM_JAIL_BROKER_LOCK_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/core/landlock.h"

/* broker_begin() - when there is a child: no core dump, no_new_privs, four capabilities at most */
void broker_begin(void);
/* broker_lock() - all slots are known: from now on, and until the program's end, paths below their
 * directories alone can be written or removed, nothing can be opened for reading or executed, and
 * there is a list of system calls (filter_rules_broker.c). A host without Landlock does not limit
 * paths, unless @mode is strict. @groups: in this directory the child's control group is removed; -1: there
 * is none.
 * Return: 0; -errno in @e: the child must not run a guest
 */
int broker_lock(enum jail_mode mode, int groups, struct err *e);
/* copier_lock() - the calling process unpacks what a guest sends (vmm/job/job_copy.h): likewise, with
 * the rights of the @n rules, and a list of its own (filter_rules_copier.c). Return: likewise
 */
int copier_lock(enum jail_mode mode, const struct landlock_rule *rule, unsigned int n,
		struct err *e);
/* reader_lock_up() - the calling process reads what others made (vmm/archive/reader.h): no capability, no path,
 * and a list of its own (filter_rules_reader.c). Return: likewise
 */
int reader_lock_up(enum jail_mode mode, struct err *e);

/* importer_rights() - the calling process reads an image (vmm/image/importer.h), and has one thread:
 * likewise, it may read what the @n rules name; it has limits of memory, time and file size, and no
 * capability. importer_calls(): its threads are there, and all of them get the list of
 * filter_rules_importer.c. Return: likewise
 */
int importer_rights(enum jail_mode mode, const struct landlock_rule *rule, unsigned int n,
		    struct err *e);
int importer_calls(struct err *e);

#endif

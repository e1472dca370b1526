/* SPDX-License-Identifier: Apache-2.0 */
/* config_kernel - a kernel that is named by the directory that it lies in. */
#ifndef MICROVM_SETTINGS_CONFIG_KERNEL_H
#define MICROVM_SETTINGS_CONFIG_KERNEL_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* config_find_kernel() - if cfg->kernel is a directory, make it the path of the kernel there: what a
 * build leaves, then vmlinuz or kernel, then the highest version of boot/vmlinuz-*. Whatever else it
 * is stays; its loader says what is wrong with it.
 * Return: 0; -ENOENT with a sentence in @e: there is none; -ENOMEM
 */
int config_find_kernel(struct config *cfg, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_config - what the guest's kernel was built without, if that can be determined.
 *
 * A kernel does not report a device for which it has no driver. Many kernels lie beside the
 * configuration that they were built with, or carry it, and it must have some options for the
 * machine that the operator asks for (docs/kernel.md).
 */
#ifndef MICROVM_KERNEL_CONFIG_H
#define MICROVM_KERNEL_CONFIG_H

#include "boot/kernel.h"
#include "vmm/core/config.h"

/* kernel_config_read() - the configuration beside the kernel @path: config-VERSION beside
 * vmlinuz-VERSION, config or .config in its directory, or .config at the root of the source tree
 * in which it was built. Return: text, which the caller frees; NULL: none is there that looks
 * like one of a kernel, or it is unreadable, which is no error
 */
char *kernel_config_read(const char *path);

/* kernel_config_inside() - likewise the one inside the kernel @f, CONFIG_IKCONFIG's.  It is
 * slow: see boot/ikconfig.h
 */
char *kernel_config_inside(const struct kernel_file *f);

struct kernel_lack {
	const char *option;  /* without CONFIG_ */
	const char *setting; /* what needs it, like "--share" */
};

/* kernel_config_lacks() - the first option from the number *@next on that @cfg needs and @text
 * has neither built in nor as a module; *@next becomes the number to go on with.
 * Return: false if there is none
 */
bool kernel_config_lacks(const struct config *cfg, const char *text, unsigned int *next,
			 struct kernel_lack *lack);

/* kernel_config_module() - the option that @text has as a module, so that only an initrd could
 * load it, and that the disk of @cfg, which has no initrd, needs to be mounted as the root.
 * Return: without CONFIG_; NULL: there is none
 */
const char *kernel_config_module(const struct config *cfg, const char *text);

/* kernel_config_warn() - a warning for each option that the configuration beside the kernel
 * lacks. If there is none beside it, the kernel is @f from now on, the caller's to close; else -1
 * is its descriptor, and its kernel_config_warn_inside() says nothing.
 */
void kernel_config_warn(const struct config *cfg, struct kernel_file *f);
/* kernel_config_warn_inside() - likewise the one inside. That takes tens of milliseconds, so it is
 * for a dry run, and for a guest that has failed; a jailed loop may call it
 */
void kernel_config_warn_inside(const struct config *cfg, struct kernel_file *f);

#endif

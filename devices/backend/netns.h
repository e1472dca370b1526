/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns - work in another network namespace: descriptors opened there stay there, and no thread
 * has to come back, for which some users lack the permission.
 */
#ifndef MICROVM_BACKEND_NETNS_H
#define MICROVM_BACKEND_NETNS_H

#include "vmm/core/err.h"

/* netns_run() - @fn(@arg) on a thread of its own in the namespace at @path, like
 * /run/netns/NAME or /proc/PID/ns/net; NULL: here and now.
 * Return: @fn's value, or -errno with a sentence in @e
 */
int netns_run(const char *path, int (*fn)(void *arg, struct err *e), void *arg,
	      struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* fetch - an image of a registry, by skopeo: with its credentials, its mirrors and its trust. */
#ifndef MICROVM_IMAGE_FETCH_H
#define MICROVM_IMAGE_FETCH_H

#include <stdbool.h>

#include "vmm/core/err.h"

/* fetch_image() - copy @name, for Linux on @arch, into the directory @dir, which becomes a layout of OCI
 * with this one image. What skopeo says comes on stderr, or without @show only if it fails. There is
 * one thread. Return: 0, or -errno in @e
 */
int fetch_image(const char *name, const char *arch, const char *dir, bool show,
		struct err *e);

#endif

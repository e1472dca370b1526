/* SPDX-License-Identifier: Apache-2.0 */
/* show - what is known of an image, for people and for programs. */
#ifndef MICROVM_IMAGE_SHOW_H
#define MICROVM_IMAGE_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "vmm/image/cache.h"

/* show_json() - all of it; the caller's to json_decref().  Return: NULL, no memory */
json_t *show_json(const struct cached *i);
/* show_text() - the same, a line each, with '?' for what a terminal might obey */
void show_text(const struct cached *i, FILE *f);
/* show_line() - a line of a table; NULL: its head */
void show_line(const struct cached *i, FILE *f);

#endif

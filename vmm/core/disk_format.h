/* SPDX-License-Identifier: Apache-2.0 */
/* disk_format - the formats that a disk's file may have, by the names that qemu-img has for them. */
#ifndef MICROVM_CORE_DISK_FORMAT_H
#define MICROVM_CORE_DISK_FORMAT_H

#include "vmm/core/config.h"

/* disk_format_name() - "qcow2": qemu-img's word, or if it has none the unpacking tool's */
const char *disk_format_name(enum disk_format f);
/* disk_format_text() - what people call it: "a VHD image" */
const char *disk_format_text(enum disk_format f);
/* disk_format_find() - the format that qemu-img, or a user, calls @name, and that we serve.
 * Return: DISK_FORMAT_BY_NAME: none
 */
enum disk_format disk_format_find(const char *name);
/* disk_format_of_path() - what the ending of @path says; raw if it says nothing */
enum disk_format disk_format_of_path(const char *path);
/* disk_format_other() - for a @name that qemu-img takes and we do not: what it is, and the cure.
 * NULL: qemu-img has no such word
 */
const char *disk_format_other(const char *name);

#endif

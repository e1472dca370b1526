/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_image - what format a disk's file has, and what may be opened.
 *
 * What decides? Never bytes that a guest wrote. A raw disk's first bytes are its guest's: if
 * content decided, a guest that wrote a qcow2 header there, naming a file of the host's, would
 * get that file at the next start. So the operator decides: by format=, or by the ending of the
 * file's name (disk_format_of_path(); anything else is raw), and the content only has to agree.
 * format=auto lets content decide, for files that no guest has ever had raw.
 *
 * An image may name other files: a backing file, the extents of a VMDK. The maker of the image
 * chose those names, so they are followed only with backing=on.
 */
#ifndef MICROVM_BACKEND_DISK_IMAGE_H
#define MICROVM_BACKEND_DISK_IMAGE_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* disk_image_format() - of a disk with a path: DISK_FORMAT_RAW, or another.  Reads the file for
 * format=auto only; an unreadable one is raw
 */
enum disk_format disk_image_format(const struct config_disk *c);
/* disk_image_name() - "qcow2": qemu's name of its block driver */
const char *disk_image_name(enum disk_format f);
/* disk_image_open() - open the disk's file, once, and check what was opened: is it an image of
 * format @f, not raw, that may be served?
 * Return: a descriptor for reading, or -errno with a sentence in @e
 */
int disk_image_open(const struct config_disk *c, enum disk_format f, struct err *e);
/* disk_image_raw() - check @fd, the open file of a disk that we take for raw.  If its name
 * decided that, and the content looks like another format (many cloud images are qcow2 files
 * called .img), log it. Return: 0; -EAGAIN with a sentence in @e: content was to decide
 * (format=auto), and is not raw any more
 */
int disk_image_raw(const struct config_disk *c, int fd, struct err *e);
/* disk_image_explain() - the file of a raw disk could not be opened as one: if it is packed, and
 * so no disk, @e explains that instead, with the cure
 */
void disk_image_explain(const struct config_disk *c, struct err *e);
/* disk_image_only_raw() - of a file that is mapped, so that it can only be raw.
 * Return: 0, or -errno with a sentence in @e: both its name and its content are of another format
 */
int disk_image_only_raw(const char *path, struct err *e);

#endif

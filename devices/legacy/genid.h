/* SPDX-License-Identifier: Apache-2.0 */
/* genid - the generation id of a machine that can be saved: see genid.c. */
#ifndef MICROVM_LEGACY_GENID_H
#define MICROVM_LEGACY_GENID_H

#include "vmm/core/device.h"

#define GENID_LEN    16
#define GENID_WINDOW 0x10000u /* a page of any host */

/* genid_create() - a random id at guest address @base; line @gsi. Its state, loaded, is another id, and
 * pulses the line. Return: NULL: out of memory or of descriptors
 */
struct device *genid_create(uint64_t base, unsigned int gsi);
/* genid_page() - what the guest is to see at @base, read-only: GENID_WINDOW bytes of the device's */
void *genid_page(struct device *d);

#endif

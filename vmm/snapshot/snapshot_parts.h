/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_parts - the sections before those of the machine, both ways. */
#ifndef MICROVM_SNAPSHOT_PARTS_H
#define MICROVM_SNAPSHOT_PARTS_H

#include "vmm/core/gmem.h"
#include "vmm/core/state.h"

/* snapshot_settings_state() - section "settings". Loading: @text is the caller's to free */
void snapshot_settings_state(char **text, struct state *s);
/* snapshot_layout_state() - section "layout": the regions of @m, and where they are in `memory` */
void snapshot_layout_state(const struct gmem *m, struct state *s);

#endif

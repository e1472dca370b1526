/* SPDX-License-Identifier: Apache-2.0 */
/* command_save - `microvm ctl SOCKET save DIR`: a machine into a directory that is whole or not there. */
#ifndef MICROVM_COMMAND_SAVE_H
#define MICROVM_COMMAND_SAVE_H

#include <jansson.h>

#include "vmm/core/err.h"

/* command_save() - have the machine at @socket saved to @path. Waits for as long as that takes, or until a
 * signal ends us; says on a terminal how far it is. Return: the machine's result, the caller's; NULL: why is
 * in @e, and nothing is left
 */
json_t *command_save(const char *socket, const char *path, struct err *e);

#endif

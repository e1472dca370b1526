/* SPDX-License-Identifier: Apache-2.0 */
/* setting_parts - the setters that values with parts share. */
#ifndef MICROVM_SETTING_PARTS_H
#define MICROVM_SETTING_PARTS_H

#include <stddef.h>

#include "vmm/settings/setting.h"

/* All but parts_no_word(): a part's value as text into *@out.  Return: 0, or a usage error in @e */

/* parts_no_word() - refuse @value, which is none of @words (separated by spaces): it is @what,
 * like "is not a console". The sentence suggests the nearest word, or has @cure. Return: -EINVAL
 */
int parts_no_word(const char *value, const char *what, const char *words,
		  const char *cure, struct err *e);
/* a name for a disk or a card */
int parts_id(char out[CONFIG_ID_MAX + 1], const char *value, struct err *e);
/* the number of a descriptor that we inherit: 3 or more */
int parts_fd(int *out, const char *value, struct err *e);
int parts_switch(bool *out, const char *value, struct err *e); /* on or off */
/* bytes a second, or a burst of them; the minimum is the least that a guest can use */
int parts_bytes(uint64_t *out, const char *value, struct err *e);
/* operations a second, or a burst of them */
int parts_ops(uint64_t *out, const char *value, struct err *e);
/* parts_socket() - the path of a socket that we make: at most @max bytes (@why is added to the
 * sentence about that), and not of the form NAME_PORT. The guest of `--vsock NAME` connects to
 * that path for PORT, so it would reach the wrong machine.
 */
int parts_socket(char **out, const char *value, size_t max, const char *why,
		 struct err *e);
/* parts_rate_end() - after all parts are set: is @r, whose parts begin with @prefix, complete? */
int parts_rate_end(const struct config_rate *r, const char *prefix, struct err *e);

#endif

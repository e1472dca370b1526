/* SPDX-License-Identifier: Apache-2.0 */
/*
 * said - what an operator said and the settings took, word for word, to be said again.
 *
 * Filled where a value has reached its setter (setting.c), whichever way it came: so a new row of the
 * table, or a new part of one, is in here without a line of its own.
 */
#ifndef MICROVM_SETTINGS_SAID_H
#define MICROVM_SETTINGS_SAID_H

#include "vmm/settings/setting.h"

/* A word of an operator's: a plain value, or one part of a value that has parts */
struct said_word {
	const struct setting *row;
	const struct setting_part *part; /* NULL: a plain value */
	unsigned int
		value; /* which one of the row's: words with the same belong together */
	char *text;
};

struct config_said {
	struct said_word *word; /* in the order in which they were said */
	unsigned int n, room;
	unsigned int nvalue;
};

/* said_forget() - nothing was said about @row.  Of a row that does not repeat a new value replaces the
 * last one, so it begins with this
 */
void said_forget(struct config *cfg, const struct setting *row);
/* said_begin() - a new value of @row; what said_add() gets is a part of it.  said_add() - @part, or all
 * with NULL, is @text.  Return: 0, or -ENOMEM in @e
 */
int said_begin(struct config *cfg, const struct setting *row, struct err *e);
int said_add(struct config *cfg, const struct setting *row,
	     const struct setting_part *part, const char *text, struct err *e);
/* said_fini() - free it all; config_fini() does */
void said_fini(struct config *cfg);

#endif

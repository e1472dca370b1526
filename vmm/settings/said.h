/* SPDX-License-Identifier: Apache-2.0 */
/*
 * said - the operator's words that the settings accepted, verbatim, to be printed again.
 *
 * Filled where a value reaches its setter (setting.c), whatever its source: so a new row of the
 * table, or a new part of one, needs no line of its own here.
 */
#ifndef MICROVM_SETTINGS_SAID_H
#define MICROVM_SETTINGS_SAID_H

#include "vmm/settings/setting.h"

/* A word of the operator's: a plain value, or one part of a value that has parts */
struct said_word {
	const struct setting *row;
	const struct setting_part *part; /* NULL: a plain value */
	unsigned int value; /* the value's number in its row, for all its words */
	char *text;
};

#define SAID_NONES_MAX 4 /* rows that may be "none" */

struct config_said {
	struct said_word *word; /* in the order in which they came */
	unsigned int n, room;
	unsigned int nvalue;
	const struct setting *none[SAID_NONES_MAX]; /* rows whose last value was "none" */
	unsigned int nnone;
};

/* said_forget() - drop all words about @row.  A row that does not repeat begins with this, so
 * that a new value replaces the last one
 */
void said_forget(struct config *cfg, const struct setting *row);
/* said_none() - likewise, and @row's value is "none".  Return: as said_begin() */
int said_none(struct config *cfg, const struct setting *row, struct err *e);
/* said_begin() - a new value of @row, to which said_add() adds parts.  said_add() - @part, or the
 * whole value if it is NULL, is @text. Return: 0, or -ENOMEM in @e
 */
int said_begin(struct config *cfg, const struct setting *row, struct err *e);
int said_add(struct config *cfg, const struct setting *row,
	     const struct setting_part *part, const char *text, struct err *e);
/* said_fini() - free it all; config_fini() does */
void said_fini(struct config *cfg);

#endif

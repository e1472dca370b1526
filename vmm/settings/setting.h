/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting - the table of everything an operator can set.
 *
 * One row is an option on the command line, a key in the config file and a line of
 * --help.  Values reach the config as text, through the row's setter, from either source: so the
 * two ways of describing a machine cannot drift apart.
 */
#ifndef MICROVM_SETTING_H
#define MICROVM_SETTING_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"

/* A value's type in JSON; on the command line all are text */
enum setting_type {
	SETTING_TEXT,     /* a string */
	SETTING_PATH,     /* a string, the name of a file */
	SETTING_SOCKET,   /* likewise, of a unix socket, which has a shorter limit */
	SETTING_NUMBER,   /* a whole number */
	SETTING_QUANTITY, /* a string with a unit, or a whole number */
	SETTING_SWITCH,   /* true or false; "on" or "off" in text */
	SETTING_LIST,     /* of strings; in text a part that may be given again */
};

/* Rows that do not describe the machine, for the command line only */
enum setting_role {
	ROLE_MACHINE,
	ROLE_CONFIG_FILE,
	ROLE_DRY_RUN,
	ROLE_JSON,
	ROLE_HELP,
	ROLE_VERSION
};

/* A part of a value that has parts, like the serial of a disk.  set() fills the part in
 * the slot that the row's begin() made ready.
 */
struct setting_part {
	const char *name;
	const char *alias; /* another name for it, or NULL */
	enum setting_type type;
	int (*set)(struct config *cfg, const char *value, struct err *e);
	/* For the manual and the completion: the kind of value, and the part's meaning. Words
	 * between | are all there are, FILE, SOCKET and DIR are paths; NULL: a switch.
	 */
	const char *arg, *help;
};

/* The form of a value with parts */
struct setting_parts {
	const struct setting_part *part;
	unsigned int n;
	bool bare; /* the first part may omit its name */
	int (*begin)(struct config *cfg, struct err *e); /* make a slot ready */
	int (*end)(struct config *cfg, struct err *e);   /* is it complete?  count it */
	void (*none)(struct config *cfg); /* the text "none" empties the list; or NULL */
};

extern const struct setting_parts setting_memory, setting_disk, setting_net;
extern const struct setting_parts setting_balloon, setting_pmem, setting_vsock,
	setting_share;
extern const struct setting_parts setting_console, setting_port, setting_exit_port;

struct setting {
	const char *name; /* "disk": --disk, and "disk" in JSON */
	const char *arg;  /* its value, for --help; NULL: it takes none */
	const char *help;
	const char
		*arch; /* the only architecture that has it (arch_name); NULL: all do */
	enum setting_role role;
	enum setting_type type;
	bool repeats;  /* may be given again: a list */
	bool empty_ok; /* "" is a value */
	/* one of these two: a plain value, or one with parts */
	int (*set)(struct config *cfg, const char *value, struct err *e);
	const struct setting_parts *parts;
};

extern const struct setting setting_table[];
extern const unsigned int setting_count;

/* A value with parts, while it is being read */
struct setting_value {
	const struct setting *row;
	uint32_t seen; /* bit i: part i is set */
};

/* A setting by other programs' names */
struct setting_habit {
	const char *names; /* theirs, separated by spaces */
	const char *ours;  /* the row; NULL: there is none, omit the option */
	const char *cure;  /* for the command line */
};

extern const struct setting_habit setting_habits[];
extern const unsigned int setting_nhabits;

/* setting_habit_find() - the cure for an operator who wrote @name, without its dashes; NULL: no
 * program that we know uses that name
 */
const struct setting_habit *setting_habit_find(const char *name);

/* setting_habit_part() - likewise for a part @name, like "file", in a value of @row */
const char *setting_habit_part(const char *row, const char *name);

/* All below: errors are usage errors (or -ENOMEM) in @e that do not name the row: the caller puts
 * "--disk" or "vm.json: disk[1]" in front.
 */

/* setting_find() - the row of that name; NULL: none.  setting_nearest() - the nearest valid name,
 * or NULL. @json: only rows that a config file may have
 */
const struct setting *setting_find(const char *name, bool json);
const char *setting_nearest(const char *name, bool json);
/* setting_apply() - a plain value */
int setting_apply(const struct setting *s, struct config *cfg, const char *value,
		  struct err *e);
/* setting_apply_text() - any row's value as the command line has it: parts are split at
 * commas; two commas stand for one
 */
int setting_apply_text(const struct setting *s, struct config *cfg, const char *text,
		       struct err *e);

int setting_begin(struct setting_value *v, const struct setting *s, struct config *cfg,
		  struct err *e);
const struct setting_part *setting_part_find(const struct setting *s, const char *name,
					     struct err *e);
int setting_part_apply(struct setting_value *v, const struct setting_part *p,
		       struct config *cfg, const char *value, struct err *e);
int setting_end(struct setting_value *v, struct config *cfg, struct err *e);

#endif

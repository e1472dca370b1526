/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - lines to the operator on stderr, "microvm: level: text", or "microvm NAME: level: text".
 *
 * Any thread, but no signal handler. A line is one write(2), and it never waits: it is dropped
 * when stderr is stuck, and the next line that goes out gives the number dropped. (The thread
 * that logs holds a device's lock, or is the loop: otherwise a guest could stop us by making us
 * log into a stuck pipe.) When the terminal is raw the line ends in CR LF. What a guest can
 * provoke goes through log_guest(): for each call site ten lines go out in a second, ten in the
 * next two, the next four and so on up to an hour, for as long as there are more, and the rest is
 * counted. So a guest cannot make a log grow without bound.
 */
#ifndef MICROVM_CORE_LOG_H
#define MICROVM_CORE_LOG_H

#include <stdint.h>
#include <stdbool.h>
#include <stdatomic.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern enum log_level log_threshold; /* set once before threads start */

/* log_set_name() - what lines begin with: "microvm", or "microvm NAME" where the machine was
 * given a name, so that a log of several machines says whose each line is. NULL: none.
 * log_prefix(): for code that writes a line of its own. Set once before threads start
 */
void log_set_name(const char *name);
const char *log_prefix(void);
/* log_set_raw() - lines end in CR LF from now on (@raw) or in LF */
void log_set_raw(bool raw);
/* log_level_parse() - "error", "warn", "info", "debug".  Return: the level or -1 */
int log_level_parse(const char *s);

void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_at(level, ...)                            \
	do {                                          \
		if ((level) <= log_threshold)         \
			log_line(level, __VA_ARGS__); \
	} while (0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

struct log_limit {
	_Atomic uint64_t end;       /* of the window in which @n counts, in seconds */
	_Atomic unsigned int n;     /* lines that were asked for in it */
	_Atomic unsigned int width; /* of it, in seconds */
};
/* log_limit_ok() - may another line go out?  log_limit_ok_at(): at second @now */
bool log_limit_ok(struct log_limit *l);
bool log_limit_ok_at(struct log_limit *l, uint64_t now);

/* log_guest() - something a guest did wrong, at level "warn", rate-limited */
#define log_guest(...)                                                      \
	do {                                                                \
		static struct log_limit log_limit_;                         \
		if (LOG_WARN <= log_threshold && log_limit_ok(&log_limit_)) \
			log_line(LOG_WARN, __VA_ARGS__);                    \
	} while (0)

#endif

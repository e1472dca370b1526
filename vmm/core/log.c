/* SPDX-License-Identifier: Apache-2.0 */
/* log - lines to the operator on stderr. */
#include "vmm/core/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define LOG_NAME_MAX  64
#define LOG_LINES     10   /* in a window */
#define LOG_OFTEN_S   60   /* more than LOG_LINES in this time are too many */
#define LOG_WIDTH_MAX 3600 /* seconds, of a window */

enum log_level log_threshold = LOG_WARN;

static const char *const log_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static _Atomic bool log_raw;
static char log_prefix_[sizeof("microvm ") + LOG_NAME_MAX] = "microvm";

/* Of the threads that found stderr writable only one may write, or the second would wait. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int log_lost; /* lines that were dropped; under log_lock */

void log_set_name(const char *name)
{
	(void)snprintf(log_prefix_, sizeof(log_prefix_), "microvm%s%s", name ? " " : "",
		       name ? name : "");
}

const char *log_prefix(void)
{
	return log_prefix_;
}

void log_set_raw(bool raw)
{
	log_raw = raw;
}

int log_level_parse(const char *s)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(log_names); i++)
		if (!strcmp(s, log_names[i]))
			return (int)i;
	return -1;
}

/* Return: was it written? */
__attribute__((format(printf, 2, 0))) static bool log_vput(enum log_level level,
							   const char *fmt, va_list ap)
{
	char line[1024];
	const char *end = log_raw ? "\r\n" : "\n";
	size_t room = sizeof(line) - strlen(end);
	size_t n;
	int k;

	k = snprintf(line, room, "%s: %s: ", log_prefix_, log_names[level]);
	n = k < 0 ? 0 : MIN((size_t)k, room - 1);
	k = vsnprintf(line + n, room - n, fmt, ap);
	n = k < 0 ? n : MIN(n + (size_t)k, room - 1);
	memcpy(line + n, end, strlen(end));
	return write_unless_stuck(STDERR_FILENO, line, n + strlen(end), 0) != -EAGAIN;
}

static void log_say_lost(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void log_say_lost(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (log_vput(LOG_WARN, fmt, ap))
		log_lost = 0;
	va_end(ap);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&log_lock);
	if (log_lost)
		log_say_lost("%u lines are missing here: nobody read them", log_lost);
	if (log_lost || !log_vput(level, fmt, ap))
		log_lost++;
	pthread_mutex_unlock(&log_lock);
	va_end(ap);
}

/* A window that was too small for its lines, or in which lines came more often than LOG_LINES a
 * minute, makes the next one twice as long; a quiet window makes it half as long, and a pause of
 * its length makes it one second again. Two threads that begin a window at once miscount a few
 * lines.
 */
static void log_limit_begin(struct log_limit *l, uint64_t now)
{
	unsigned int wanted = l->n, width = MAX(l->width, 1U);
	bool over = wanted > LOG_LINES;
	bool often = (uint64_t)wanted * LOG_OFTEN_S > (uint64_t)LOG_LINES * width;

	if (now - l->end >= width)
		width = 1;
	else if (over || often)
		width = MIN(2 * width, LOG_WIDTH_MAX);
	else
		width = MAX(width / 2, 1U);
	l->width = width;
	l->end = now + width;
	l->n = 0;
	if (over)
		log_line(LOG_WARN, "%u more lines like the next were left out",
			 wanted - LOG_LINES);
}

bool log_limit_ok_at(struct log_limit *l, uint64_t now)
{
	if (now >= l->end)
		log_limit_begin(l, now);
	return atomic_fetch_add(&l->n, 1) < LOG_LINES;
}

bool log_limit_ok(struct log_limit *l)
{
	return log_limit_ok_at(l, monotonic_ns() / UINT64_C(1000000000));
}

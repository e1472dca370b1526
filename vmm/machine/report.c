/* SPDX-License-Identifier: Apache-2.0 */
/* report - what a run is, or was, as one JSON object. */
#include "vmm/machine/report.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/outside.h"
#include "vmm/core/util.h"

#define REPORT_STUCK_MS 1000

/* "/dev/stderr", "/dev/fd/3": the descriptor that is meant, or -1.  Opening such a path
 * again would truncate a log or fail on a socket.
 */
static int report_inherited_fd(const char *path)
{
	static const char *const dirs[] = {"/dev/fd/", "/proc/self/fd/"};

	if (strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	for (unsigned int i = 0; i < ARRAY_SIZE(dirs); i++) {
		size_t len = strlen(dirs[i]);
		int fd, end;

		if (strncmp(path, dirs[i], len) == 0 &&
		    sscanf(path + len, "%d%n", &fd, &end) == 1 &&
		    !path[len + (size_t)end])
			return fd;
	}
	return -1;
}

static int report_explain(const char *path, int code, struct err *e)
{
	const char *cure = code == EACCES || code == EPERM
				   ? "give a path that you may write"
			   : code == ENXIO ? "start the pipe's reader first"
					   : "give a path that can be written";

	return err_set(e, code, "--report: cannot write %.200s: %s; %s", path,
		       strerror(code), cure);
}

static int report_open_inherited(struct report_file *f, int fd, const char *path,
				 struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return report_explain(path, EBADF, e);
	f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return f->fd < 0 ? report_explain(path, errno, e) : 0;
}

static int report_open_regular(struct report_file *f, const struct stat *older,
			       struct err *e)
{
	int rc;

	/* A file that the operator may not write is not replaced either. */
	if (older && access(f->path, W_OK) < 0)
		return report_explain(f->path, errno, e);
	rc = f->slot = outside_file(f->path, older, &f->fd);
	if (rc >= 0 || !older || rc == -ENOMEM)
		return rc < 0 ? report_explain(f->path, -rc, e) : 0;
	/* The file is writable, its directory is not: it cannot be replaced in one step. */
	f->fd = open(f->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return f->fd < 0 ? report_explain(f->path, errno, e) : 0;
}

/* Of a file that is not there yet: links to its directory resolved. NULL: errno */
static char *report_new_path(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *dir = slash ? strndup(path, (size_t)(name - path))
				       : strdup(".");
	cleanup_free char *real = dir ? realpath(dir, NULL) : NULL;
	char *whole = NULL;

	return real && asprintf(&whole, "%s/%s", real, name) >= 0 ? whole : NULL;
}

int report_open(struct report_file *f, const char *path, struct err *e)
{
	struct stat st;
	int fd;

	*f = (struct report_file){.fd = -1, .slot = -1};
	if (!path)
		return 0;
	json_object_seed(0); /* which opens a file; at the end that may be forbidden */
	json_set_alloc_funcs(malloc,
			     free); /* since 2.15 it has realloc() else: copied_grown() */
	fd = report_inherited_fd(path);
	if (fd >= 0)
		return report_open_inherited(f, fd, path, e);
	if (stat(path, &st) < 0) {
		f->path = report_new_path(path);
		return f->path ? report_open_regular(f, NULL, e)
			       : report_explain(path, errno, e);
	}
	if (S_ISDIR(st.st_mode))
		return report_explain(path, EISDIR, e);
	f->path = realpath(path, NULL);
	if (!f->path)
		return report_explain(path, errno, e);
	if (S_ISREG(st.st_mode))
		return report_open_regular(f, &st, e);
	/* O_NONBLOCK: a FIFO without a reader is an error now and not a wait for ever. */
	f->fd = open(f->path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->fd < 0)
		return report_explain(path, errno, e);
	(void)fcntl(f->fd, F_SETFL, 0);
	return 0;
}

/* A string that need not be UTF-8 (it may hold a path): other bytes become '?' */
static json_t *report_string(const char *s)
{
	cleanup_free char *ascii = NULL;
	json_t *v = json_string(s);

	if (v || !(ascii = strdup(s)))
		return v;
	for (char *p = ascii; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(ascii);
}

static json_int_t report_us(const struct timeval *tv)
{
	return (json_int_t)tv->tv_sec * 1000000 + tv->tv_usec;
}

/* A guest's own figures are any 64 bits. */
static json_t *report_integer(uint64_t v)
{
	return json_integer((json_int_t)MIN(v, (uint64_t)INT64_MAX));
}

static json_t *report_exits(const struct report *r)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < r->nexit; i++)
		if (r->exit[i].value)
			json_object_set_new(o, r->exit[i].name,
					    report_integer(r->exit[i].value));
	return o;
}

static json_t *report_memory(const struct report *r)
{
	json_t *o;

	if (!r->memory_ns)
		return json_null();
	o = json_object();
	json_object_set_new(o, "age_ns", report_integer(r->end_ns - r->memory_ns));
	for (unsigned int i = 0; i < r->nmemory; i++)
		json_object_set_new(o, r->memory[i].name,
				    report_integer(r->memory[i].value));
	return o;
}

static json_t *report_devices(const struct report *r)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < r->ndev; i++) {
		const struct io_counters *io = &r->dev[i].io;

		json_object_set_new(o, r->dev[i].name,
				    json_pack("{sIsIsIss*}", "read_bytes",
					      (json_int_t)io->read_bytes, "written_bytes",
					      (json_int_t)io->written_bytes, "requests",
					      (json_int_t)io->requests, "engine",
					      r->dev[i].engine));
	}
	return o;
}

static json_t *report_jail(const struct report *r)
{
	json_t *layers = json_array();

	for (unsigned int i = 0; i < r->nlayer; i++)
		json_array_append_new(layers, json_string(r->layer[i]));
	return json_pack("{ss so}", "mode", r->jail ? r->jail : "off", "layers", layers);
}

static json_t *report_phases(const struct report *r)
{
	json_t *o = r->nphase ? json_object() : json_null();

	for (unsigned int i = 0; i < r->nphase; i++)
		json_object_set_new(o, r->phase[i].name,
				    report_integer(r->phase[i].value - r->start_ns));
	return o;
}

static json_t *report_cases(const struct report_test *t)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < t->neach; i++)
		json_array_append_new(
			all, json_pack("{ss ss ss*}", "name", t->each[i].name, "result",
				       t->each[i].result, "line", t->each[i].line));
	return all;
}

static json_t *report_test(const struct report *r)
{
	const struct report_test *t = r->test;

	if (!t || !t->verdict)
		return json_null();
	return json_pack("{ss so sI s{sI sI sI sI sI} so sI sI}", "verdict",
			 t->verdict,                                                /* */
			 "line", report_string(t->line),                            /* */
			 "decided_ns", (json_int_t)(t->decided_ns - r->start_ns),   /* */
			 "cases", "ok", (json_int_t)t->count.ok,                    /* */
			 "failed", (json_int_t)t->count.failed,                     /* */
			 "skipped", (json_int_t)t->count.skipped,                   /* */
			 "failed_as_expected", (json_int_t)t->count.xfail,          /* */
			 "missing", (json_int_t)t->count.missing,                   /* */
			 "each", report_cases(t), "each_more", (json_int_t)t->more, /* */
			 "warnings", (json_int_t)t->count.warnings);
}

static json_t *report_json(const struct report *r)
{
	json_t *first = json_null(), *status = json_null();
	struct rusage ru = {0};

	(void)getrusage(RUSAGE_SELF, &ru);
	if (r->first_run_ns)
		first = json_integer((json_int_t)(r->first_run_ns - r->start_ns));
	if (!r->running)
		status = json_integer(r->verdict.status);
	return json_pack(
		"{ss so ss so so sI so so s{sI sI} sI so so so so so}", /* as docs/report.md */
		"version", MICROVM_VERSION,                             /* */
		"name", report_string(r->name),                         /* */
		"cause", r->running ? "running" : exit_name(r->verdict.cause), "status",
		status,                                           /* */
		"detail", report_string(r->verdict.detail),       /* */
		"wall_ns", (json_int_t)(r->end_ns - r->start_ns), /* */
		"first_instruction_ns", first,                    /* */
		"phases", report_phases(r),                       /* */
		"cpu_us", "user", report_us(&ru.ru_utime), "system",
		report_us(&ru.ru_stime),                                    /* */
		"peak_rss_kib", (json_int_t)outside_peak_rss_kib(),         /* */
		"exits", report_exits(r), "guest_memory", report_memory(r), /* */
		"devices", report_devices(r), "jail", report_jail(r),       /* */
		"test", report_test(r));
}

char *report_text(const struct report *r, size_t *len)
{
	json_t *json = report_json(r);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	*len = text ? strlen(text) : 0;
	return text;
}

/* The report as one line of @len bytes, to be freed.  NULL: out of memory, said in @e */
static char *report_line(const struct report *r, size_t *len, struct err *e)
{
	char *text = report_text(r, len);

	if (!text) {
		err_set(e, ENOMEM, "--report: out of memory");
		return NULL;
	}
	text[(*len)++] = '\n'; /* over the NUL: one write() for the whole line */
	return text;
}

/* All of @text to the file, and the file in its place */
static int report_put(const struct report_file *f, const char *text, size_t len,
		      bool again)
{
	struct stat st;
	long n;

	/* opened to append: a jail has no call that seeks */
	if (f->path && f->slot < 0 && fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    ftruncate(f->fd, 0) < 0)
		return -errno;
	n = write_full(f->fd, text, len);
	if (n < 0)
		return (int)n;
	return f->slot < 0 ? 0 : outside_do(OUTSIDE_PUT, f->slot, again);
}

int report_commit(struct report_file *f, const struct report *r, struct err *e)
{
	cleanup_free char *text = NULL;
	size_t len;
	int rc;

	if (f->fd < 0)
		return 0;
	text = report_line(r, &len, e);
	if (!text)
		return -ENOMEM;
	rc = report_put(f, text, len, false);
	return rc < 0 ? report_explain(f->path ? f->path : "the descriptor", -rc, e) : 0;
}

/* A pipe, a terminal, a device: a file that cannot be replaced. In pieces that do not wait */
static int report_add_line(const struct report_file *f, const char *text, size_t len)
{
	while (len) {
		long n = write_unless_stuck(f->fd, text, MIN(len, (size_t)PIPE_BUF),
					    REPORT_STUCK_MS);

		if (n < 0)
			return (int)n;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int report_replace(const struct report_file *f, const char *text, size_t len)
{
	cleanup_close int fd = outside_do(OUTSIDE_REWRITE, f->slot, 0);
	struct report_file now = {.fd = fd, .path = f->path, .slot = f->slot};

	return fd < 0 ? fd : report_put(&now, text, len, true);
}

int report_refresh(const struct report_file *f, const struct report *r, struct err *e)
{
	cleanup_free char *text = NULL;
	struct stat st;
	size_t len;
	int rc;

	text = report_line(r, &len, e);
	if (!text)
		return -ENOMEM;
	if (fstat(f->fd, &st) < 0)
		rc = -errno;
	else if (f->slot >= 0)
		rc = report_replace(f, text, len);
	else if (f->path && S_ISREG(st.st_mode))
		rc = report_put(f, text, len, false);
	else
		rc = report_add_line(f, text, len);
	return rc < 0 ? report_explain(f->path ? f->path : "the descriptor", -rc, e) : 0;
}

void report_close(struct report_file *f)
{
	outside_drop(f->slot);
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	*f = (struct report_file){.fd = -1, .slot = -1};
}

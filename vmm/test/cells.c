/* SPDX-License-Identifier: Apache-2.0 */
/* cells - the same test many times, several at a time. */
#include "vmm/test/cells.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/signals.h"
#include "vmm/core/util.h"
#include "vmm/test/artifacts.h"

#define CELL_REPORT_MAX (1 << 20)
#define CELL_WORDS      4 /* in front of the operator's */
#define CELL_TRIM_MS    1000

bool cells_wanted(const struct test_options *o)
{
	return !o->cell && (o->repeat || o->matrix || o->tap || o->junit);
}

/* ---- a result ---- */

static enum verdict cell_verdict(const char *name)
{
	for (int v = VERDICT_PASS; name && v < VERDICT_COUNT; v++)
		if (strcmp(name, verdict_name((enum verdict)v)) == 0)
			return (enum verdict)v;
	return VERDICT_ERROR;
}

/* A report that a full disk has no room for: all but 125 are of one verdict */
static enum verdict cell_by_status(int status)
{
	for (int v = VERDICT_PASS; v < VERDICT_COUNT; v++)
		if (verdict_status((enum verdict)v) == status && status != 125)
			return (enum verdict)v;
	return VERDICT_ERROR;
}

void cell_read(struct cell *cell, const char *text, size_t len, int status)
{
	json_t *o = json_loadb(text, len, 0, NULL), *test = json_object_get(o, "test");
	const char *line = json_string_value(json_object_get(test, "line"));
	const char *detail = json_string_value(json_object_get(o, "detail"));

	cell->over = true;
	cell->verdict = cell_verdict(json_string_value(json_object_get(test, "verdict")));
	cell->ns = (uint64_t)json_integer_value(json_object_get(o, "wall_ns"));
	if (!o) {
		cell->verdict = cell_by_status(status);
		(void)snprintf(cell->line, sizeof(cell->line),
			       "its process ended with status %d, without a report",
			       status);
	} else {
		(void)snprintf(cell->line, sizeof(cell->line), "%.*s", CELL_LINE - 1,
			       line     ? line
			       : detail ? detail
					: "");
	}
	text_printable(cell->line, strlen(cell->line));
	cell->each = json_incref(json_object_get(test, "each"));
	cell->more = (uint64_t)json_integer_value(json_object_get(test, "each_more"));
	json_decref(o);
}

static void cell_over(struct cell *cell, int wait_status)
{
	int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status)
					    : 128 + WTERMSIG(wait_status);
	char *text = malloc(CELL_REPORT_MAX);
	long n = text ? pread_full(cell->report, text, CELL_REPORT_MAX, 0) : 0;

	cell_read(cell, text ? text : "", n > 0 ? (size_t)n : 0, status);
	free(text);
	cleanup_close_fd(&cell->report);
	cleanup_close_fd(&cell->output);
	cell->report = cell->output = -1;
	cell->pid = 0;
}

/* ---- processes ---- */

/* A new file of the @nr-th alone, in its directory in that of the artifacts.  Return: -1: there is none */
static int cell_file(const struct cells *c, unsigned int nr, const char *name)
{
	char path[PATH_MAX];
	cleanup_close int dir = -1;
	int fd;

	fd = artifacts_of_cell(path, c->options->artifacts, nr + 1);
	dir = fd < 0 ? fd : artifacts_dir(path, true);
	fd = dir < 0 ? dir : artifacts_make(dir, name);
	errno = fd < 0 ? -fd : errno;
	return MAX(fd, -1);
}

/* In the child */
static _Noreturn void cell_exec(const struct cells *c, unsigned int nr, pid_t parent)
{
	static char name[] = "microvm", command[] = "test", option[] = "--cell", word[64];
	int in = open("/dev/null", O_RDWR | O_CLOEXEC), out = c->cell[nr].output;
	char **argv = calloc((size_t)c->argc + CELL_WORDS, sizeof(*argv));

	(void)prctl(PR_SET_PDEATHSIG, SIGINT);
	out = out < 0 ? in : out; /* and may be told of a mistake by its report alone */
	if (getppid() != parent || !argv || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
	    fcntl(c->cell[nr].report, F_SETFD, 0) < 0)
		_exit(125);
	(void)signal(SIGINT, SIG_DFL); /* a script's & has us ignore it */
	(void)snprintf(word, sizeof(word), "%u:%d", nr + 1, c->cell[nr].report);
	argv[0] = name;
	argv[1] = command;
	argv[2] = option;
	argv[3] = word;
	for (int i = 1; i < c->argc; i++)
		argv[CELL_WORDS + i - 1] = c->argv[i];
	(void)execv("/proc/self/exe", argv);
	_exit(125);
}

/* A file for its report, which outlives us where there are artifacts */
static int cell_report(const struct cells *c, unsigned int nr)
{
	return c->options->artifacts ? cell_file(c, nr, "report.json")
				     : memfd_create("report", MFD_CLOEXEC);
}

static int cell_start(struct cells *c, struct err *e)
{
	struct cell *cell = &c->cell[c->next];
	pid_t parent = getpid();

	cell->report = cell_report(c, c->next);
	cell->output = c->options->artifacts ? cell_file(c, c->next, "output.log") : -1;
	cell->pid = cell->report < 0 ? -1 : fork();
	if (cell->pid < 0)
		return err_set(e, errno,
			       "no process for run %u, or no file for its report: %s",
			       c->next + 1, strerror(errno));
	if (cell->pid == 0)
		cell_exec(c, c->next, parent);
	cell->begun = true;
	c->next++;
	c->running++;
	return 0;
}

static void cells_reap(struct cells *c)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int i = 0; i < c->next; i++)
			if (c->cell[i].pid == pid) {
				cell_over(&c->cell[i], status);
				c->running--;
				results_one(c, i);
				junit_run(c, i);
				json_decref(c->cell[i].each);
				c->cell[i].each = NULL;
			}
	results_tap(c);
}

static void cells_tell(const struct cells *c, int sig)
{
	for (unsigned int i = 0; i < c->next; i++)
		if (c->cell[i].pid > 0)
			(void)kill(c->cell[i].pid, sig);
}

/* No more begin, and those that run end at once, as by Ctrl-C; one that is stopped as well */
static void cells_stop(struct cells *c, int sig)
{
	c->stopped = sig;
	cells_tell(c, SIGINT);
	cells_tell(c, SIGCONT);
}

/* Ctrl-Z: those that run stop by themselves, and so do we, or no shell would have its terminal */
static void cells_rest(const struct cells *c)
{
	cells_tell(c, SIGTSTP);
	(void)raise(SIGSTOP);
	cells_tell(c, SIGCONT);
}

static void cells_signal(struct cells *c, int fd)
{
	int sig = signals_read(fd);

	if (sig == SIGCHLD)
		cells_reap(c);
	else if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGXCPU)
		cells_stop(c, sig);
	else if (sig == SIGTSTP)
		cells_rest(c);
}

/* What the processes print is theirs to write: this is looked at once a second.  As with console.log, the last
 * lines tell most
 */
void cells_trim(struct cells *c, uint64_t most)
{
	struct stat st;

	for (unsigned int i = 0; i < c->next; i++) {
		struct cell *cell = &c->cell[i];

		if (cell->output < 0 || fstat(cell->output, &st) < 0 ||
		    (uint64_t)st.st_size <= most || ftruncate(cell->output, 0) < 0)
			continue;
		if (!cell->trimmed)
			log_warn("--artifacts: run %u prints much: its output.log has no "
				 "more than the last %llu MiB",
				 i + 1, (unsigned long long)(most / MIB));
		cell->trimmed = true;
	}
}

static int cells_all(struct cells *c, struct err *e)
{
	unsigned int jobs = MAX(c->options->jobs, 1U);
	int fd = signals_open(), rc = fd < 0 ? fd : signals_of_child(fd);

	if (rc < 0)
		return err_set(e, -rc, "cannot wait for signals: %s", strerror(-rc));
	while (c->running || (c->next < c->n && !c->stopped)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		while (!c->stopped && c->next < c->n && c->running < jobs) {
			rc = cell_start(c, e);
			if (rc < 0)
				cells_stop(c, SIGTERM);
		}
		if (c->running &&
		    poll(&p, 1, c->options->artifacts ? CELL_TRIM_MS : -1) > 0)
			cells_signal(c, fd);
		cells_trim(c, ARTIFACTS_MOST);
	}
	close(fd);
	return rc;
}

int cells_status(const struct cells *c)
{
	enum verdict first = VERDICT_PASS;

	if (c->stopped)
		return 128 + (c->stopped == SIGINT ? SIGINT : SIGTERM);
	for (unsigned int i = 0; i < c->n; i++) {
		enum verdict v = c->cell[i].verdict;
		int status = verdict_status(v);

		if (status && status < 125)
			return status;
		if (status && first == VERDICT_PASS)
			first = v;
	}
	return verdict_status(first);
}

void cells_name(const struct cells *c, unsigned int nr, char name[CELL_LINE])
{
	char what[CELL_LINE - 32] = "";

	if (c->matrix)
		matrix_name(c->matrix, nr % c->matrix->n, what, sizeof(what));
	(void)snprintf(name, CELL_LINE, "run %u%s%s", nr + 1, *what ? ": " : "", what);
}

int cells_run(const struct test_options *o, const struct matrix *m, int argc, char **argv,
	      struct err *e)
{
	struct cells c = {.options = o,
			  .matrix = m,
			  .argc = argc,
			  .argv = argv,
			  .n = MAX(o->repeat, 1U) * m->n,
			  .live = isatty(STDERR_FILENO)};
	struct err second; /* the first thing that failed is said */
	int rc;

	if (c.n / m->n != MAX(o->repeat, 1U) || c.n > TEST_REPEAT_MAX)
		return err_usage(
			e, "--repeat and --matrix are more than %d runs; divide them",
			TEST_REPEAT_MAX);
	if (o->junit && junit_open(&c, e) < 0)
		return -e->code;
	c.cell = calloc(c.n, sizeof(*c.cell));
	if (!c.cell)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned int i = 0; i < c.n; i++)
		c.cell[i].report = c.cell[i].output = -1;
	signals_hold();
	rc = cells_all(&c, e);
	results_tap(&c);
	results_table(&c);
	if (junit_end(&c, rc < 0 ? &second : e) < 0 && rc == 0)
		rc = -e->code;
	if (rc == 0)
		rc = cells_status(&c);
	free(c.cell);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* importer_child - the process that reads an image. */
#include "vmm/image/importer.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/image/import.h"

/* Its descriptors: the source, the file, the pipe */
#define CHILD_SOURCE  3
#define CHILD_OUT     4
#define CHILD_PIPE    5
#define CHILD_ABOVE   16
#define CHILD_THREADS 8 /* that compress, at most */
#define CHILD_LARGE   (128 << 10)
#define CHILD_SORTS   4096 /* more than qsort() has on its stack */

static void say(int pipe, enum importer_says what, const void *p, size_t n)
{
	const struct importer_head h = {.says = what, .len = (uint32_t)n};

	(void)write_full(pipe, &h, sizeof(h));
	(void)write_full(pipe, p, n);
}

static _Noreturn void fail(int pipe, const struct err *e)
{
	struct {
		uint32_t code, usage;
		char msg[sizeof(e->msg)];
	} m = {.code = (uint32_t)e->code, .usage = (uint32_t)e->usage};
	size_t n = strlen(e->msg);

	memcpy(m.msg, e->msg, n);
	say(pipe, IMPORTER_ERROR, &m, 8 + n);
	_exit(1);
}

static int by_byte(const void *a, const void *b)
{
	return *(const char *)a - *(const char *)b;
}

/* What libraries ask the host for when they are first called, a locked process may not: jansson a seed, and
 * qsort(), with which libsquashfs sorts attributes, how much memory there is, once it has much to sort
 */
static void ask_early(void)
{
	char much[CHILD_SORTS] = "";

	json_object_seed(0);
	qsort(much, sizeof(much), 1, by_byte);
	(void)mallopt(M_ARENA_MAX, 1);                /* others grow by mprotect(2) */
	(void)mallopt(M_MMAP_THRESHOLD, CHILD_LARGE); /* wherever our parent's stood */
}

/* No signal but its filter's and its time's; it ends with its parent. What was stderr is the pipe,
 * for a last sentence of the filter's
 */
static void ready(struct importer *im, int *pipe, pid_t parent, struct err *e)
{
	sigset_t all;
	int fd[3];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	sigdelset(&all, SIGXCPU);
	(void)signal(SIGXCPU, SIG_DFL);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	fd[0] = fcntl(im->source, F_DUPFD_CLOEXEC, CHILD_ABOVE);
	fd[1] = fcntl(im->out < 0 ? im->source : im->out, F_DUPFD_CLOEXEC, CHILD_ABOVE);
	fd[2] = fcntl(*pipe, F_DUPFD_CLOEXEC, CHILD_ABOVE);
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0) {
		err_set(e, errno, "no more file descriptors; raise ulimit -n");
		fail(*pipe, e);
	}
	for (int i = 0; i < 3; i++)
		(void)dup3(fd[i], CHILD_SOURCE + i, O_CLOEXEC);
	(void)dup3(fd[2], STDERR_FILENO, O_CLOEXEC);
	(void)close_range(CHILD_PIPE + 1, ~0U, 0);
	(void)close_range(0, 1, 0);
	*pipe = CHILD_PIPE;
	im->source = CHILD_SOURCE;
	im->out = im->out < 0 ? -1 : CHILD_OUT;
	ask_early();
}

/* ---- how far it is ---- */

struct so_far {
	uint64_t all;
	int pipe;
	uint8_t percent; /* that was said */
};

static void progress(void *ctx, uint64_t done)
{
	struct so_far *f = ctx;
	uint64_t part = f->all ? MIN(done * 100 / f->all, UINT64_C(100)) : 0;
	uint8_t percent = (uint8_t)part;

	if (percent == f->percent)
		return;
	f->percent = percent;
	say(f->pipe, IMPORTER_DONE, &percent, 1);
}

/* ---- the work ---- */

static int say_results(struct import *i, struct image_manifest *m, int out, struct err *e)
{
	char text[DIGEST_TEXT];
	struct digest sum;
	int rc = digest_file(out, &sum);

	if (rc < 0)
		return err_set(e, -rc, "the image cannot be read again: %s",
			       strerror(-rc));
	digest_text(&sum, text);
	rc = image_text_add(&m->text, e, "sum=%s", text);
	if (rc == 0)
		rc = image_text_add(&m->text, e, "entries=%u", i->merge.entries);
	if (rc == 0)
		rc = image_text_add(&m->text, e, "files=%llu",
				    (unsigned long long)i->files);
	if (rc == 0 && i->skipped)
		rc = image_text_add(&m->text, e,
				    "skipped=%llu extended attributes like %s",
				    (unsigned long long)i->skipped, i->skipped_name);
	return rc;
}

static int build(const struct importer *im, struct squash *squash,
		 const struct source *source, struct image_manifest *m, int pipe,
		 struct err *e)
{
	struct so_far far = {.pipe = pipe};
	struct import i = {
		.source = source, .squash = squash, .progress = progress, .ctx = &far};
	int rc = import_open(&i, e);

	for (unsigned int n = 0; n < m->n; n++)
		far.all += m->layer[n].size;
	if (rc == 0)
		rc = import_image(&i, m, e);
	return rc < 0 ? rc : say_results(&i, m, im->out, e);
}

static int work(const struct importer *im, struct squash *squash, int pipe, struct err *e)
{
	static struct image_manifest m;
	static struct source source;
	int rc = source_open(&source, im->kind, im->source, e);

	if (rc == 0)
		rc = manifest_read(&m, &source, im->tag, arch_images, e);
	if (rc == 0 && squash)
		rc = build(im, squash, &source, &m, pipe, e);
	if (rc == 0)
		say(pipe, IMPORTER_TEXT, m.text.p, m.text.len);
	return rc;
}

static int lock(const struct importer *im, enum importer_lock step, struct err *e)
{
	const struct landlock_rule rule = {.fd = im->source, .may = LANDLOCK_READ};

	return im->lock ? im->lock(im->lock_ctx, step, &rule, im->kind == SOURCE_OCI_DIR,
				   e)
			: 0;
}

void importer_child(const struct importer *given, int pipe, pid_t parent)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct importer im = *given;
	struct squash *squash = NULL;
	struct err e = {0};

	ready(&im, &pipe, parent, &e);
	if (lock(&im, IMPORTER_RIGHTS, &e) < 0)
		fail(pipe, &e);
	if (im.out >= 0) {
		squash = squash_open(im.out,
				     (unsigned int)MIN(MAX(cpus, 1), CHILD_THREADS), &e);
		if (!squash)
			fail(pipe, &e);
	}
	if (lock(&im, IMPORTER_CALLS, &e) < 0 || work(&im, squash, pipe, &e) < 0)
		fail(pipe, &e);
	_exit(0); /* with all its memory */
}

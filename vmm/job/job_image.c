/* SPDX-License-Identifier: Apache-2.0 */
/* job_image - an image's config beside the options: what both say, the options have. */
#include "vmm/job/job_image.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define SIGNAL_RTMIN 34 /* of the guest's C library */
#define SIGNAL_MAX   63

int job_image_find(struct job_image *i, struct job_root *r, const struct job_options *o,
		   struct err *e)
{
	struct reference ref;
	struct cache c;
	int rc = reference_read(&ref, o->root, e);

	if (rc < 0)
		rc = err_wrap(e, "ROOT");
	if (rc == 0 && ref.kind != REFERENCE_NONE) {
		i->how.quiet = o->quiet;
		rc = cache_open(&c, e);
		if (rc == 0)
			rc = image_find(&i->cached, &c, &ref, o->root, &i->how, e);
		if (rc < 0)
			rc = err_wrap(e, "ROOT");
		cache_close(&c);
		if (rc == 0)
			rc = 1;
	}
	reference_free(&ref);
	if (rc < 1)
		return rc;
	(void)snprintf(i->path, sizeof(i->path), "/proc/self/fd/%d", i->cached.fd);
	*r = (struct job_root){.kind = JOB_ROOT_IMAGE,
			       .path = i->path,
			       .own.fd = -1,
			       .size = i->cached.size};
	return 1;
}

void job_image_close(struct job_image *i)
{
	cached_close(&i->cached);
}

static int add_each(const struct job_image *i, const char *name, const char *as,
		    struct job_text *t, struct err *e)
{
	int rc = 0;

	for (const char *v = NULL;
	     rc == 0 && (v = image_text_next(&i->cached.about, name, v));)
		rc = job_text_add(t, e, "%s=%s", as, v);
	return rc;
}

int job_image_words(const struct job_image *i, const struct job_options *o,
		    struct job_text *t, struct err *e)
{
	size_t before = t->len;
	int rc = 0;

	if (!o->entrypoint)
		rc = add_each(i, "entrypoint", "arg", t, e);
	else if (*o->entrypoint)
		rc = job_text_add(t, e, "arg=%s", o->entrypoint);
	for (int n = 0; rc == 0 && n < o->argc; n++)
		rc = job_text_add(t, e, "arg=%s", o->argv[n]);
	if (rc == 0 && !o->argc && !o->entrypoint)
		rc = add_each(i, "cmd", "arg", t, e);
	if (rc == 0 && t->len == before)
		rc = job_text_add(t, e, "arg=/bin/sh");
	return rc == 0 ? add_each(i, "env", "env", t, e) : rc;
}

const char *job_image_user(const struct job_image *i, const struct job_options *o)
{
	return o->user ? o->user : image_text_get(&i->cached.about, "user", NULL);
}

const char *job_image_workdir(const struct job_image *i, const struct job_options *o)
{
	return o->workdir ? o->workdir
			  : image_text_get(&i->cached.about, "workdir", NULL);
}

int job_signal_number(const char *name)
{
	char *end;
	long n = strtol(name, &end, 10);

	if (*name >= '0' && *name <= '9')
		return !*end && n > 0 && n <= SIGNAL_MAX ? (int)n : 0;
	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncmp(name, "RTMIN", 5) == 0) {
		n = name[5] == '+' ? strtol(name + 6, &end, 10) : 0;
		if (name[5] && (name[5] != '+' || *end || n < 0))
			return 0;
		return n <= SIGNAL_MAX - SIGNAL_RTMIN ? (int)n + SIGNAL_RTMIN : 0;
	}
	for (int s = 1; s < SIGNAL_RTMIN; s++) {
		const char *is = sigabbrev_np(s);

		if (is && strcmp(is, name) == 0)
			return s;
	}
	return 0;
}

int job_image_stop(const struct job_image *i, const struct job_options *o, struct err *e)
{
	const char *name = image_text_get(&i->cached.about, "stopsignal", "TERM");
	int n = o->stop_signal ? o->stop_signal : job_signal_number(name);

	return n ? n
		 : err_set(e, EINVAL,
			   "the image's stop signal %.40s is none; give another: "
			   "--stop-signal",
			   name);
}

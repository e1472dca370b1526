/* SPDX-License-Identifier: Apache-2.0 */
/* image - found in the cache, or imported. */
#include "vmm/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/arch.h"
#include "vmm/core/limits.h"
#include "vmm/core/log.h"
#include "vmm/core/util.h"
#include "vmm/image/fetch.h"

#define SPOOL_CHUNK 65536

/* ---- stdin ---- */

static int spool(int in, int out, struct err *e)
{
	static uint8_t chunk[SPOOL_CHUNK];
	uint64_t total = 0;
	long n;

	while ((n = read_full(in, chunk, sizeof(chunk))) > 0) {
		long rc = write_full(out, chunk, (size_t)n);
		const char *cure = rc < 0 ? limits_cure((int)-rc) : NULL;

		if (rc < 0)
			return err_set(e, (int)-rc, "stdin cannot be kept: %s; %s",
				       strerror((int)-rc),
				       cure ? cure
					    : "set TMPDIR to a directory with room");
		total += (uint64_t)n;
	}
	if (n < 0)
		return err_set(e, (int)-n, "stdin cannot be read: %s", strerror((int)-n));
	return total ? 0
		     : err_usage(e, "stdin is empty; send an image, as docker save does");
}

/* An archive is read from several places, so one on stdin becomes a file without a name */
static int open_stdin(int in, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (in < 0 || isatty(in))
		return err_usage(e,
				 "stdin is %s; send an image, as in: docker save NAME | "
				 "microvm run docker-archive:- -- COMMAND",
				 in < 0 ? "not read here" : "a terminal");
	dir = dir && *dir ? dir : "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_set(e, errno,
			       "no temporary file in %.200s: %s; set TMPDIR to a "
			       "directory with room",
			       dir, strerror(errno));
	if (spool(in, fd, e) == 0)
		return fd;
	cleanup_close_fd(&fd);
	return -e->code;
}

/* ---- a directory or an archive ---- */

/* Return: its descriptor, or -errno in @e */
static int open_source(const struct reference *r, int in, struct err *e)
{
	bool dir = r->source == SOURCE_OCI_DIR;
	struct stat st;
	int fd;

	if (!dir && strcmp(r->path, "-") == 0)
		return open_stdin(in, e);
	fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_usage(e, "%.200s: %s; check the path", r->path,
				 strerror(errno));
	if (fstat(fd, &st) == 0 && (dir ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
		return fd;
	cleanup_close_fd(&fd);
	return err_usage(
		e, "%.200s is no %s", r->path,
		dir ? "directory; an archive goes by oci-archive: or docker-archive:"
		    : "file; a directory goes by oci:, stdin by -");
}

static int key_of(const struct image_text *t, char key[CACHE_KEY], struct err *e)
{
	struct digest d;

	if (!digest_parse(image_text_get(t, "config", ""), &d))
		return err_set(e, EPERM, "the process that reads it gave no digest");
	cache_key(&d, key);
	return 0;
}

/* The right to make it is ours.  Return: 0, it is in the cache */
static int build(const struct cache *c, struct making *m, struct importer *im,
		 const char *word, struct err *e)
{
	struct image_text about = {0};
	char key[CACHE_KEY];
	int rc = making_begin(c, m, e);

	if (rc < 0)
		return rc;
	im->out = m->fd;
	rc = importer_run(im, &about, e);
	if (rc == 0)
		rc = key_of(&about, key, e);
	if (rc == 0 && strcmp(key, m->key) != 0)
		rc = err_set(e, EBADMSG, "it changed while it was read");
	if (rc == 0)
		rc = image_text_add(&about, e, "source=%s", word);
	if (rc == 0)
		rc = making_end(c, m, &about, e);
	image_text_free(&about);
	return rc;
}

static void warn_skipped(const struct cached *i, const char *word, bool quiet)
{
	const char *what = image_text_get(&i->about, "skipped", NULL);
	cleanup_free char *skipped = what && !quiet ? strdup(what) : NULL;

	if (!skipped)
		return;
	text_printable(skipped, strlen(skipped)); /* it ends in a name of the image's */
	log_warn("%s: it is without its %.200s, which squashfs does not have", word,
		 skipped);
}

static int import(struct cached *i, const struct cache *c, struct importer *im,
		  const char *key, const char *word, bool quiet, struct err *e)
{
	struct making m;
	int rc = cache_make(c, key, &m, e);

	/* another process may have made it while we waited for the lock */
	if (rc == 0)
		rc = cache_find(c, key, i, e);
	if (rc == 0)
		rc = build(c, &m, im, word, e);
	else if (rc > 0)
		rc = 0;
	making_close(c, &m);
	if (rc < 0 || i->fd >= 0)
		return rc;
	rc = cache_find(c, key, i, e);
	if (rc > 0)
		warn_skipped(i, word, quiet);
	return rc > 0 ? 0 : rc < 0 ? rc : err_set(e, ENOENT, "it was removed at once");
}

/* Open @r, for @im, and look which image it is.  @im->source is the caller's to close */
static int look(struct importer *im, const struct reference *r,
		const struct image_how *how, char key[CACHE_KEY], struct err *e)
{
	struct image_text text;
	int rc;

	*im = (struct importer){.kind = r->source,
				.tag = r->tag,
				.source = open_source(r, how->in, e),
				.out = -1,
				.lock = how->lock,
				.lock_ctx = how->lock_ctx};
	if (im->source < 0)
		return im->source;
	rc = importer_run(im, &text, e);
	if (rc == 0)
		rc = key_of(&text, key, e);
	image_text_free(&text);
	return rc;
}

int image_key(const struct reference *r, const struct image_how *how, char key[CACHE_KEY],
	      struct err *e)
{
	struct importer im;
	int rc = look(&im, r, how, key, e);

	cleanup_close_fd(&im.source);
	return rc;
}

static int find_local(struct cached *i, const struct cache *c, const struct reference *r,
		      const char *word, const struct image_how *how, struct err *e)
{
	struct importer im;
	char key[CACHE_KEY];
	int rc = look(&im, r, how, key, e);

	im.shown = !how->quiet && isatty(STDERR_FILENO) ? word : NULL;
	if (rc == 0)
		rc = cache_find(c, key, i, e);
	if (rc == 0)
		rc = import(i, c, &im, key, word, how->quiet, e);
	cleanup_close_fd(&im.source);
	return rc < 0 ? rc : 0;
}

/* ---- a registry ---- */

/* Fetch it and import that.  Return: likewise; -ESTALE, a layer of the cache's own was bad, which they
 * have left
 */
static int pull(struct cached *i, const struct cache *c, const struct reference *r,
		const char *word, const struct image_how *how, struct err *e)
{
	char path[PATH_MAX];
	struct reference local = {.kind = REFERENCE_LOCAL, .path = path, .tag = "image"};
	int lock, lent = cache_pull(c, path, &lock, e), rc = MIN(lent, 0);

	if (rc == 0)
		rc = fetch_image(r->path, arch_images, path, !how->quiet, e);
	if (rc == 0)
		rc = find_local(i, c, &local, word, how, e);
	if (rc == 0)
		cache_pull_keep(c, lock, &i->about);
	cache_pulled(c, path, &lock);
	if (rc != -EBADMSG || lent <= 0)
		return rc;
	cache_blobs_drop(c);
	return err_set(e, ESTALE, "a layer in the cache was not what was written");
}

static int find_registry(struct cached *i, const struct cache *c,
			 const struct reference *r, const char *word,
			 const struct image_how *how, struct err *e)
{
	char key[CACHE_KEY];
	int lock, rc = 0;

	if (!how->again && cache_named(c, r->path, key) == 0)
		rc = cache_find(c, key, i, e);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	lock = cache_name_lock(c, r->path, e);
	if (lock < 0)
		return lock;
	/* another process may have fetched it while we waited for the lock */
	if (!how->again && cache_named(c, r->path, key) == 0)
		rc = cache_find(c, key, i, e);
	if (rc == 0)
		rc = pull(i, c, r, word, how, e);
	if (rc == -ESTALE)
		rc = pull(i, c, r, word, how, e);
	if (rc == 0)
		rc = cache_name(c, r->path, i->key, e);
	cache_name_unlock(c, r->path, &lock);
	return MIN(rc, 0);
}

int image_find(struct cached *i, const struct cache *c, const struct reference *r,
	       const char *word, const struct image_how *how, struct err *e)
{
	int rc;

	*i = (struct cached){.fd = -1};
	if (r->kind == REFERENCE_REGISTRY)
		rc = find_registry(i, c, r, word, how, e);
	else
		rc = find_local(i, c, r, word, how, e);
	return rc < 0 ? err_wrap(e, "%.100s", word) : 0;
}

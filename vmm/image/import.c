/* SPDX-License-Identifier: Apache-2.0 */
/* import - from a layer's tar, which libarchive reads, to the tree and the writer. */
#include "vmm/image/import.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

#define TAR_BLOCK 512

int import_open(struct import *i, struct err *e)
{
	return merge_open(&i->merge, e);
}

void import_close(struct import *i)
{
	merge_close(&i->merge);
}

/* ---- bytes of tar ---- */

/* A layer that is being read */
struct reading {
	struct import *import;
	struct stream stream;
	struct err e; /* why there are no more bytes */
	bool padded;  /* zeroes came after the last of them */
};

static long reading_next(struct reading *r, const void **p)
{
	struct import *i = r->import;
	uint64_t before = r->stream.taken;
	long n = stream_next(&r->stream, p, &r->e);

	if (n < 0)
		return n;
	i->unpacked += (uint64_t)n;
	i->done += r->stream.taken - before;
	if (i->progress)
		i->progress(i->ctx, i->done);
	if (i->unpacked > IMPORT_MOST)
		return err_set(&r->e, E2BIG,
			       "the image unpacks to more than %llu GiB, the "
			       "most that is taken",
			       (unsigned long long)(IMPORT_MOST / GIB));
	return n;
}

/* Some tools leave out what follows the last file's bytes, up to a block of the tar and the end. That is made up
 * for here; what is left to read then may be nothing else (is_cut())
 */
static la_ssize_t reading_fill(struct archive *a, void *ctx, const void **p)
{
	static const uint8_t pad[TAR_BLOCK];
	struct reading *r = ctx;
	long n = reading_next(r, p);
	size_t over = (size_t)(r->stream.plain.bytes % TAR_BLOCK);

	if (n == 0 && over && !r->padded) {
		r->padded = true;
		*p = pad;
		return (la_ssize_t)(TAR_BLOCK - over);
	}
	if (n >= 0)
		return n;
	archive_set_error(a, r->e.code, "%s", r->e.msg);
	return ARCHIVE_FATAL;
}

/* Did a name or a file's bytes need more than there was? */
static int is_cut(const struct reading *r, struct err *e)
{
	return r->padded ? err_set(e, EBADMSG,
				   "it is cut off in the middle of a file; fetch the "
				   "image again")
			 : 0;
}

static int archive_failed(struct reading *r, struct archive *a, struct err *e)
{
	const char *why = archive_error_string(a);

	if (r->e.code) {
		*e = r->e;
		return -e->code;
	}
	return err_set(e, EBADMSG, "it is no tar, or a broken one: %.150s",
		       why ? why : "no reason");
}

/* ---- an entry ---- */

static void skip(struct import *i, const char *name)
{
	if (!i->skipped++)
		(void)snprintf(i->skipped_name, sizeof(i->skipped_name), "%s", name);
}

static int entry_xattrs(struct import *i, struct archive_entry *ae,
			struct squash_object *o, struct err *e)
{
	/* as text, which bsdtar and star write; the mode is what is left of it */
	const int lists = ARCHIVE_ENTRY_ACL_TYPE_ACCESS | ARCHIVE_ENTRY_ACL_TYPE_DEFAULT;
	const char *name;
	const void *value;
	size_t n;
	bool skipped;

	if (archive_entry_acl_count(ae, lists) > 0)
		skip(i, "system.posix_acl_access");
	o->xattrs = SQUASH_NO_XATTRS;
	if (!archive_entry_xattr_reset(ae))
		return 0;
	if (squash_xattrs_begin(i->squash, e) < 0)
		return -e->code;
	while (archive_entry_xattr_next(ae, &name, &value, &n) == ARCHIVE_OK) {
		if (squash_xattr(i->squash, name, value, n, &skipped, e) < 0)
			return -e->code;
		if (skipped)
			skip(i, name);
	}
	return squash_xattrs_end(i->squash, o, e);
}

static int entry_owner(struct archive_entry *ae, struct squash_object *o, struct err *e)
{
	int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(e, EINVAL,
			       "its owner %lld:%lld is none that a file can have",
			       (long long)uid, (long long)gid);
	o->uid = (uint32_t)uid;
	o->gid = (uint32_t)gid;
	return 0;
}

static int entry_link(struct archive_entry *ae, struct squash_object *o, struct err *e)
{
	const char *to = archive_entry_symlink(ae);

	if (!to || !*to || strlen(to) > MERGE_PATH)
		return err_set(e, EINVAL,
			       "it is a link to nothing, or to a path of more "
			       "than %d bytes",
			       MERGE_PATH);
	o->target = (char *)(uintptr_t)to; /* merge_entry() copies it */
	o->mode |= 0777;                   /* as every link on Linux */
	return 0;
}

static int entry_object(struct import *i, struct archive_entry *ae,
			struct squash_object *o, struct err *e)
{
	mode_t type = archive_entry_filetype(ae);

	*o = (struct squash_object){.mtime = archive_entry_mtime(ae)};
	o->mode = (uint32_t)(type | (archive_entry_perm(ae) & 07777));
	if (!S_ISREG(type) && !S_ISDIR(type) && !S_ISLNK(type) && !S_ISCHR(type) &&
	    !S_ISBLK(type) && !S_ISFIFO(type))
		return err_set(e, EINVAL, "it is of a kind that no layer has");
	if (S_ISCHR(type) || S_ISBLK(type))
		o->dev = squash_dev((uint32_t)archive_entry_rdevmajor(ae),
				    (uint32_t)archive_entry_rdevminor(ae));
	if (entry_owner(ae, o, e) < 0 || (S_ISLNK(type) && entry_link(ae, o, e) < 0))
		return -e->code;
	return entry_xattrs(i, ae, o, e);
}

/* ---- a file's bytes ---- */

static int file_room(struct import *i, uint64_t size, struct err *e)
{
	if (size <= IMPORT_MOST - i->files) {
		i->files += size;
		return 0;
	}
	return err_set(e, E2BIG,
		       "the image's files have more than %llu GiB, the most that "
		       "is taken",
		       (unsigned long long)(IMPORT_MOST / GIB));
}

static int file_bytes(struct reading *r, struct archive *a, uint64_t size, struct err *e)
{
	struct squash *s = r->import->squash;
	uint64_t at = 0;
	const void *p;
	la_int64_t off;
	size_t n;
	int rc, ok;

	while ((rc = archive_read_data_block(a, &p, &n, &off)) == ARCHIVE_OK) {
		if (off < 0 || (uint64_t)off < at || (uint64_t)off > size ||
		    n > size - (uint64_t)off)
			return err_set(e, EBADMSG, "its pieces are not in order");
		ok = is_cut(r, e);
		if (ok == 0)
			ok = squash_file_hole(s, (uint64_t)off - at, e);
		if (ok == 0 && n)
			ok = squash_file_add(s, p, n, e);
		if (ok < 0)
			return ok;
		at = (uint64_t)off + n;
	}
	return rc == ARCHIVE_EOF ? squash_file_hole(s, size - at, e)
				 : archive_failed(r, a, e);
}

static int file_put(struct reading *r, struct archive *a, struct squash_object *o,
		    uint64_t size, struct err *e)
{
	struct squash *s = r->import->squash;
	struct err end;

	if (!size)
		return 0;
	if (file_room(r->import, size, e) < 0 || squash_file_begin(s, o, e) < 0)
		return -e->code;
	if (file_bytes(r, a, size, e) < 0) {
		(void)squash_file_end(s, &end); /* or the library keeps the block */
		return -e->code;
	}
	return squash_file_end(s, e);
}

static int entry_put(struct reading *r, struct archive *a, struct archive_entry *ae,
		     struct err *e)
{
	struct merge_entry entry = {.path = archive_entry_pathname(ae),
				    .link = archive_entry_hardlink(ae)};
	struct squash_object *made;

	if (!entry.path)
		return err_set(e, EBADMSG, "it has a file without a name");
	if (!entry.link && entry_object(r->import, ae, &entry.object, e) < 0)
		return err_wrap(e, "%.200s", entry.path);
	if (merge_entry(&r->import->merge, &entry, &made, e) < 0)
		return -e->code;
	if (made && file_put(r, a, made, (uint64_t)archive_entry_size(ae), e) < 0)
		return err_wrap(e, "%.200s", entry.path);
	return 0;
}

/* ---- layers ---- */

static int read_entries(struct reading *r, struct archive *a, struct err *e)
{
	struct archive_entry *ae;
	int rc;

	/* a warning: names are not what libarchive calls text. They come as they are */
	while ((rc = archive_read_next_header(a, &ae)) == ARCHIVE_OK ||
	       rc == ARCHIVE_WARN)
		if (is_cut(r, e) < 0 || entry_put(r, a, ae, e) < 0)
			return -e->code;
	return rc == ARCHIVE_EOF ? 0 : archive_failed(r, a, e);
}

/* What is behind the tar's end has to be right as well */
static int check_layer(struct reading *r, const struct image_layer *l, struct err *e)
{
	struct digest packed, plain;
	const void *p;
	long n;

	while ((n = reading_next(r, &p)) > 0)
		;
	if (n < 0) {
		*e = r->e;
		return -e->code;
	}
	digest_end(&r->stream.packed, &packed);
	digest_end(&r->stream.plain, &plain);
	if (l->summed && !digest_same(&packed, &l->digest))
		return err_set(e, EBADMSG,
			       "it is not what its digest says; fetch the image "
			       "again");
	if (!digest_same(&plain, &l->plain))
		return err_set(e, EBADMSG,
			       "what it unpacks to is not what the config's "
			       "diff_id says; fetch the image again");
	return 0;
}

static int read_layer(struct reading *r, const struct image_layer *l, struct err *e)
{
	struct archive *a = archive_read_new();
	int rc;

	if (!a)
		return err_set(e, ENOMEM, "no memory to read a layer");
	(void)archive_read_support_format_tar(a);
	(void)archive_read_support_format_empty(a);
	if (archive_read_open2(a, r, NULL, reading_fill, NULL, NULL) != ARCHIVE_OK)
		rc = archive_failed(r, a, e);
	else
		rc = read_entries(r, a, e);
	if (rc == 0)
		rc = check_layer(r, l, e);
	(void)archive_read_free(a);
	return rc;
}

int import_layer(struct import *i, const struct image_layer *l, struct err *e)
{
	struct reading r = {.import = i};
	struct blob blob;
	int rc = source_blob(i->source, l->name, &blob, e);

	if (rc < 0)
		return rc;
	merge_layer(&i->merge);
	if (l->summed && blob.size != l->size)
		rc = err_set(e, EBADMSG,
			     "it has %llu bytes, and should have %llu; fetch the "
			     "image again",
			     (unsigned long long)blob.size, (unsigned long long)l->size);
	else
		rc = stream_open(&r.stream, &blob, l->packing, e);
	if (rc == 0)
		rc = read_layer(&r, l, e);
	stream_close(&r.stream);
	source_done(i->source, &blob);
	return rc;
}

int import_image(struct import *i, const struct image_manifest *m, struct err *e)
{
	for (unsigned int n = 0; n < m->n; n++)
		if (import_layer(i, &m->layer[n], e) < 0)
			return err_wrap(e, "layer %u", n + 1);
	for (const char *v = NULL; (v = image_text_next(&m->text, "volume", v));)
		if (merge_dir(&i->merge, v, e) < 0)
			return err_wrap(e, "its config's volume");
	return merge_write(&i->merge, i->squash, e);
}

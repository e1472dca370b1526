/* SPDX-License-Identifier: Apache-2.0 */
/* source - the parts of an image, by name. */
#include "vmm/image/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

#define SOURCE_CHUNK   65536
#define SOURCE_MEMBERS 65536
#define SOURCE_LINKS   8

struct source_member {
	char *name;
	char *link; /* another member has its bytes; NULL: it has them */
	uint64_t at, size;
};

/* ---- the names of a tar ---- */

struct reader {
	int fd;
	uint64_t at;
	uint8_t chunk[SOURCE_CHUNK];
};

static la_ssize_t reader_read(struct archive *a, void *ctx, const void **p)
{
	struct reader *r = ctx;
	long n = pread_full(r->fd, r->chunk, sizeof(r->chunk), r->at);

	if (n < 0) {
		archive_set_error(a, (int)-n, "%s", strerror((int)-n));
		return ARCHIVE_FATAL;
	}
	r->at += (uint64_t)n;
	*p = r->chunk;
	return n;
}

static la_int64_t reader_skip(struct archive *a, void *ctx, la_int64_t n)
{
	struct reader *r = ctx;

	(void)a;
	r->at += (uint64_t)n;
	return n;
}

static char *clean_name(const char *name)
{
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	return strdup(name);
}

static int member_add(struct source *s, struct archive *a, struct archive_entry *ae,
		      struct err *e)
{
	const char *name = archive_entry_pathname(ae);
	const char *link = archive_entry_hardlink(ae);
	struct source_member *m, *more;

	if (!link && archive_entry_filetype(ae) == AE_IFLNK)
		link = archive_entry_symlink(ae);
	if (!name || (!link && archive_entry_filetype(ae) != AE_IFREG))
		return 0;
	if (s->n == SOURCE_MEMBERS)
		return err_set(e, E2BIG, "the archive has more than %d files",
			       SOURCE_MEMBERS);
	more = reallocarray(s->member, s->n + 1, sizeof(*m));
	if (!more)
		return err_set(e, ENOMEM, "no memory for the archive's names");
	s->member = more;
	m = &more[s->n++];
	/* the position is that of the bytes, once the header is read */
	*m = (struct source_member){.at = (uint64_t)archive_filter_bytes(a, 0),
				    .size = link ? 0 : (uint64_t)archive_entry_size(ae),
				    .name = clean_name(name),
				    .link = link ? strdup(link) : NULL};
	return m->name && (!link || m->link)
		       ? 0
		       : err_set(e, ENOMEM, "no memory for the archive's names");
}

static int members_read(struct source *s, struct archive *a, struct err *e)
{
	struct archive_entry *ae;
	int rc;

	while ((rc = archive_read_next_header(a, &ae)) == ARCHIVE_OK ||
	       rc == ARCHIVE_WARN)
		if (member_add(s, a, ae, e) < 0)
			return -e->code;
	if (rc == ARCHIVE_EOF)
		return 0;
	return err_usage(e, "it is no tar, or one that is cut off (%s); write it again",
			 archive_error_string(a) ? archive_error_string(a) : "no reason");
}

static int refuse_packed(int fd, struct err *e)
{
	uint8_t head[4] = {0};

	(void)pread_full(fd, head, sizeof(head), 0);
	if (head[0] == 0x1f && head[1] == 0x8b)
		return err_usage(e, "it is compressed by gzip; unpack it: gzip -dk");
	if (memcmp(head, "\x28\xb5\x2f\xfd", 4) == 0)
		return err_usage(e, "it is compressed by zstd; unpack it: zstd -d");
	return 0;
}

static int archive_open(struct source *s, struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));
	struct archive *a = archive_read_new();
	int rc;

	if (!r || !a) {
		rc = err_set(e, ENOMEM, "no memory to read the archive");
	} else if ((rc = refuse_packed(s->fd, e)) == 0) {
		r->fd = s->fd;
		(void)archive_read_support_format_tar(a);
		if (archive_read_open2(a, r, NULL, reader_read, reader_skip, NULL) !=
		    ARCHIVE_OK)
			rc = err_usage(e, "it is no tar");
		else
			rc = members_read(s, a, e);
	}
	if (a)
		(void)archive_read_free(a);
	free(r);
	return rc;
}

int source_open(struct source *s, enum source_kind kind, int fd, struct err *e)
{
	*s = (struct source){.kind = kind, .fd = fd};
	return kind == SOURCE_OCI_DIR ? 0 : archive_open(s, e);
}

void source_close(struct source *s)
{
	for (unsigned int i = 0; i < s->n; i++) {
		free(s->member[i].name);
		free(s->member[i].link);
	}
	free(s->member);
	*s = (struct source){.fd = -1};
}

/* ---- a part ---- */

static int part_missing(const char *name, int code, struct err *e)
{
	const char *cure = code == ENOENT ? "; fetch the image again"
			   : code == EACCES
				   ? "; make it readable, and a file, not a link out of "
				     "the image's directory"
				   : "";

	return err_set(e, code, "%.200s: %s%s", name, strerror(code), cure);
}

static int dir_blob(const struct source *s, const char *name, struct blob *b,
		    struct err *e)
{
	struct stat st;

	b->fd = openat(s->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (b->fd < 0)
		return part_missing(name, errno, e);
	if (fstat(b->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		source_done(s, b);
		return err_set(e, EINVAL, "%s is no file", name);
	}
	b->size = (uint64_t)st.st_size;
	return 0;
}

/* Where a link of an old `docker save` leads: "../ID/layer.tar", from the directory of @name */
static void link_path(const char *name, const char *link, char path[4096])
{
	const char *slash = strrchr(name, '/');
	int n = 0;

	if (strncmp(link, "../", 3) == 0) {
		(void)snprintf(path, 4096, "%s", link + 3);
		return;
	}
	if (slash && !strchr(link, '/'))
		n = (int)(slash + 1 - name);
	(void)snprintf(path, 4096, "%.*s%s", n, name, link);
}

static const struct source_member *member_find(const struct source *s, const char *name)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s", name);
	for (unsigned int links = 0; links < SOURCE_LINKS; links++) {
		const struct source_member *m = NULL;

		/* of two of a name the last counts */
		for (unsigned int i = 0; i < s->n; i++)
			if (strcmp(s->member[i].name, path) == 0)
				m = &s->member[i];
		if (!m || !m->link)
			return m;
		link_path(m->name, m->link, path);
	}
	return NULL;
}

int source_blob(const struct source *s, const char *name, struct blob *b, struct err *e)
{
	const struct source_member *m;

	*b = (struct blob){.fd = -1};
	if (s->kind == SOURCE_OCI_DIR)
		return dir_blob(s, name, b, e);
	m = member_find(s, name);
	if (!m)
		return err_set(e, ENOENT, "%.200s is not in it; fetch the image again",
			       name);
	*b = (struct blob){.fd = s->fd, .at = m->at, .size = m->size};
	return 0;
}

void source_done(const struct source *s, struct blob *b)
{
	if (b->fd != s->fd)
		cleanup_close_fd(&b->fd);
	b->fd = -1;
}

static int check(const char *name, const char *text, size_t len,
		 const struct digest *want, struct err *e)
{
	struct digest_sum sum;
	struct digest is;

	if (!want)
		return 0;
	digest_begin(&sum);
	digest_add(&sum, text, len);
	digest_end(&sum, &is);
	return digest_same(&is, want)
		       ? 0
		       : err_set(e, EBADMSG,
				 "%.200s is not what its digest says; fetch the image "
				 "again",
				 name);
}

int source_read(const struct source *s, const char *name, size_t most,
		const struct digest *want, char **text, size_t *len, struct err *e)
{
	struct blob b;
	int rc = source_blob(s, name, &b, e);
	long n = 0;

	*text = NULL;
	if (rc < 0)
		return rc;
	if (b.size > most)
		rc = err_set(e, E2BIG,
			     "%.200s is larger than %zu bytes, the most that is "
			     "read",
			     name, most);
	else if (!(*text = calloc(1, (size_t)b.size + 1)))
		rc = err_set(e, ENOMEM, "no memory for %.200s", name);
	else if ((n = pread_full(b.fd, *text, (size_t)b.size, b.at)) < 0)
		rc = err_set(e, (int)-n, "%.200s: %s", name, strerror((int)-n));
	else
		rc = check(name, *text, (size_t)n, want, e);
	source_done(s, &b);
	*len = n > 0 ? (size_t)n : 0;
	if (rc < 0) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* archive - the members of an archive, in order, by libarchive. */
#include "vmm/archive/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/util.h"

static int archive_failed(struct archive_in *in, const char *doing, struct err *e)
{
	const char *said = archive_error_string(in->a);
	int code = archive_errno(in->a);

	return err_set(e, code > 0 ? code : EBADMSG,
		       "%.200s: %s (%.120s): it is damaged or cut off; fetch or build it "
		       "again",
		       in->what, doing, said ? said : "no reason given");
}

static la_ssize_t archive_more(struct archive *a, void *ctx, const void **bytes)
{
	struct archive_in *in = ctx;
	la_ssize_t n = in->outer
			       ? archive_read_data(in->outer->a, in->chunk, ARCHIVE_CHUNK)
			       : read_full(in->fd, in->chunk, ARCHIVE_CHUNK);

	*bytes = in->chunk;
	if (n < 0)
		archive_set_error(a, EIO, "%s",
				  in->outer ? archive_error_string(in->outer->a)
					    : strerror((int)-n));
	return n < 0 ? -1 : n;
}

static int archive_register(struct archive *a, enum archive_form form)
{
	if (form == ARCHIVE_FORM_AR)
		return archive_read_support_format_ar(a);
	if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK)
		return ARCHIVE_FATAL;
	return archive_read_support_filter_zstd(a);
}

int archive_in_open(struct archive_in *in, const char *what, enum archive_form form,
		    int fd, struct archive_in *outer, struct err *e)
{
	in->a = archive_read_new();
	in->entry = NULL;
	in->what = what;
	in->fd = fd;
	in->outer = outer;
	if (!in->a)
		return err_set(e, ENOMEM, "%.200s: no memory to read it", what);
	if (archive_register(in->a, form) != ARCHIVE_OK ||
	    archive_read_open2(in->a, in, NULL, archive_more, NULL, NULL) != ARCHIVE_OK)
		return archive_failed(in, "cannot be read", e);
	return 0;
}

void archive_in_close(struct archive_in *in)
{
	if (in->a)
		(void)archive_read_free(in->a);
	in->a = NULL;
}

int archive_in_next(struct archive_in *in, struct err *e)
{
	int rc = archive_read_next_header(in->a, &in->entry);

	if (rc == ARCHIVE_EOF)
		return 0;
	/* a warning is about a name or an owner */
	return rc == ARCHIVE_OK || rc == ARCHIVE_WARN
		       ? 1
		       : archive_failed(in, "cannot be read to its end", e);
}

const char *archive_in_name(const struct archive_in *in)
{
	const char *name = archive_entry_pathname(in->entry);

	return name ? name : "";
}

bool archive_in_is_file(const struct archive_in *in)
{
	return archive_entry_filetype(in->entry) == S_IFREG &&
	       !archive_entry_hardlink(in->entry) && !archive_entry_symlink(in->entry);
}

uint64_t archive_in_size(const struct archive_in *in)
{
	return (uint64_t)MAX(archive_entry_size(in->entry), 0);
}

long archive_in_read(struct archive_in *in, void *buf, size_t len, struct err *e)
{
	la_ssize_t n = archive_read_data(in->a, buf, len);

	return n < 0 ? archive_failed(in, "cannot be read to its end", e) : (long)n;
}

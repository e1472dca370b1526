/* SPDX-License-Identifier: Apache-2.0 */
/* reference - oci:, oci-archive:, docker-archive:, docker:// and bare names. */
#include "vmm/image/reference.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/core/util.h"

static const struct {
	const char *prefix;
	enum source_kind source;
	const char *like;
} locals[] = {
	{"oci:", SOURCE_OCI_DIR, "oci:./image or oci:./image:TAG"},
	{"oci-archive:", SOURCE_OCI_ARCHIVE, "oci-archive:image.tar, or - for stdin"},
	{"docker-archive:", SOURCE_DOCKER_ARCHIVE,
	 "docker-archive:image.tar, or - for stdin"},
};

#define LOWER_DIGITS "abcdefghijklmnopqrstuvwxyz0123456789"
#define TAG_BYTES    LOWER_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-"

bool reference_is_name(const char *word)
{
	const char *slash = strrchr(word, '/'), *last = slash ? slash + 1 : word;
	size_t tag = strcspn(last, ":@");
	struct digest d;

	/* a name's parts are small letters; a host's may have a port */
	if (!word[strspn(word, "/")] || !strchr(LOWER_DIGITS, *word) || !tag ||
	    last[strspn(last, LOWER_DIGITS "._-")] != last[tag] ||
	    word[strspn(word, LOWER_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-/:@")])
		return false;
	if (last[tag] == '@')
		return digest_parse(last + tag + 1, &d);
	return last[tag] == ':' && last[tag + 1] && strchr(TAG_BYTES, last[tag + 1]) &&
	       !last[tag + 1 + strspn(last + tag + 1, TAG_BYTES)];
}

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* PATH[:TAG]: what is there as it is written has no tag.  A tag may have colons of its own, as a name of
 * docker's or podman's has
 */
static void local_tag(struct reference *r)
{
	char *last = strrchr(r->path, ':');
	struct stat st;

	if (stat(r->path, &st) == 0)
		return;
	for (char *colon = last; colon > r->path;
	     colon = memrchr(r->path, ':', (size_t)(colon - r->path))) {
		bool here;

		*colon = '\0';
		here = strcmp(r->path, "-") == 0 || stat(r->path, &st) == 0;
		if (here && colon[1]) {
			r->tag = colon + 1;
			return;
		}
		*colon = ':';
	}
	if (last && last > r->path && last[1] && !strchr(last, '/')) {
		*last = '\0';
		r->tag = last + 1;
	}
}

static int local_parts(struct reference *r, const char *word, const char *like,
		       struct err *e)
{
	if (!*word)
		return err_usage(e, "there is no path of an image; write %s", like);
	r->path = strdup(word);
	if (!r->path)
		return no_memory(e);
	local_tag(r);
	return 0;
}

static int registry(struct reference *r, const char *word, struct err *e)
{
	r->kind = REFERENCE_REGISTRY;
	r->path = strdup(word);
	return r->path ? 0 : no_memory(e);
}

int reference_read(struct reference *r, const char *word, struct err *e)
{
	static const char docker[] = "docker://";
	struct stat st;
	bool here;

	*r = (struct reference){0};
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++) {
		size_t n = strlen(locals[i].prefix);

		if (strncmp(word, locals[i].prefix, n) != 0)
			continue;
		r->kind = REFERENCE_LOCAL;
		r->source = locals[i].source;
		return local_parts(r, word + n, locals[i].like, e);
	}
	if (strncmp(word, docker, strlen(docker)) == 0)
		return word[strlen(docker)]
			       ? registry(r, word + strlen(docker), e)
			       : err_usage(e, "docker:// names no image; write "
					      "docker://alpine:3.20");
	if (*word == '.' || *word == '/' || !reference_is_name(word))
		return 0;
	here = stat(word, &st) == 0;
	if (here && S_ISDIR(st.st_mode))
		return err_usage(
			e,
			"%.100s is a directory here, and the name of an image as "
			"well; write ./%.100s or docker://%.100s",
			word, word, word);
	return here ? 0 : registry(r, word, e);
}

void reference_free(struct reference *r)
{
	free(r->path);
	*r = (struct reference){0};
}

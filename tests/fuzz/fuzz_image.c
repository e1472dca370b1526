/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_image - an image that anybody may have made: its JSON, and its layers.
 *
 * The input: a byte for the kind, then pieces, each after its length as two bytes: of an archive of
 * Docker's the layers, the config and the manifest; of OCI's the layer, the config, the manifest and the
 * index. In JSON %N is the digest of piece N, and #N its size, or no piece would name another.
 */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/image_parts.h"
#include "vmm/core/util.h"
#include "vmm/image/import.h"

#define PIECES 4

static void pieces(struct fuzz_in *in, struct part part[PIECES])
{
	for (unsigned int i = 0; i < PIECES; i++) {
		size_t n = fuzz_u16(in);

		n = MIN(n, in->n);
		if (i)
			part_text(&part[i], (const char *)in->p, n, part, i);
		else
			part_add(&part[i], in->p, n);
		in->p += n;
		in->n -= n;
	}
}

static void blob_name(const struct part *p, char name[32 + DIGEST_TEXT])
{
	char sum[DIGEST_TEXT];

	part_digest(p, sum);
	(void)snprintf(name, 32 + DIGEST_TEXT, "blobs/sha256/%s", strchr(sum, ':') + 1);
}

/* An archive with the pieces in it */
static int archive(const struct part part[PIECES], bool docker)
{
	static const char *const names[PIECES] = {"layer", "config", "manifest.json",
						  "index.json"};
	int fd = memfd_create("image", MFD_CLOEXEC);
	char name[32 + DIGEST_TEXT];
	struct part tar = {0};

	for (unsigned int i = 0; i < PIECES; i++) {
		blob_name(&part[i], name);
		part_member(&tar, docker || i == PIECES - 1 ? names[i] : name, '0',
			    part[i].p, part[i].n);
	}
	part_tar_end(&tar);
	BUG_ON(write(fd, tar.p, tar.n) != (ssize_t)tar.n);
	free(tar.p);
	return fd;
}

static bool is_whole(int fd)
{
	char head[96];
	uint64_t used;

	if (pread(fd, head, sizeof(head), 0) != sizeof(head))
		return false;
	memcpy(&used, head + 40, sizeof(used));
	return memcmp(head, "hsqs", 4) == 0 && used <= (uint64_t)lseek(fd, 0, SEEK_END);
}

/* Each layer whatever its sum is: the sums come last, and nothing would get so far */
static void import(const struct source *s, const struct image_manifest *m)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	struct err e = {0};
	struct import i = {.source = s, .squash = squash_open(out, 1, &e)};
	bool ok;

	BUG_ON(!i.squash || import_open(&i, &e) < 0);
	ok = import_image(&i, m, &e) == 0;
	fuzz_check(ok || *e.msg);
	/* what is there by now is a tree, whatever its sum was */
	if (!ok && strstr(e.msg, "diff_id"))
		ok = merge_write(&i.merge, i.squash, &e) == 0;
	fuzz_check(!ok || is_whole(out));
	squash_close(i.squash);
	import_close(&i);
	close(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	bool docker = fuzz_u8(&in) & 1;
	struct part part[PIECES] = {0};
	struct image_manifest m = {0};
	struct source s;
	struct err e = {0};
	int fd;

	pieces(&in, part);
	fd = archive(part, docker);
	if (source_open(&s, docker ? SOURCE_DOCKER_ARCHIVE : SOURCE_OCI_ARCHIVE, fd,
			&e) == 0 &&
	    manifest_read(&m, &s, NULL, "amd64", &e) == 0) {
		fuzz_check(image_text_ok(&m.text));
		import(&s, &m);
	} else {
		fuzz_check(*e.msg);
	}
	manifest_free(&m);
	source_close(&s);
	close(fd);
	for (unsigned int i = 0; i < PIECES; i++)
		free(part[i].p);
	return 0;
}

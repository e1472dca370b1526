/* SPDX-License-Identifier: Apache-2.0 */
/* test_image_import - the process that reads images, under its lock */
#include "vmm/image/import.h"
#include "vmm/image/importer.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/image_parts.h"
#include "tests/lib/unit.h"
#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/jail/broker_lock.h"

#define LARGE ((size_t)3 << 20)

enum { LAYER, CONFIG, MANIFEST, INDEX, PARTS };

#define OCI "application/vnd.oci.image."
static const char *const texts[PARTS] = {
	[CONFIG] =
		"{\"os\":\"linux\",\"architecture\":\"@\",\"config\":{\"Env\":[\"A=b\"]},"
		"\"rootfs\":{\"diff_ids\":[\"%0\"]}}",
	[MANIFEST] = "{\"config\":{\"mediaType\":\"" OCI
		     "config.v1+json\",\"digest\":\"%1\","
		     "\"size\":#1},\"layers\":[{\"mediaType\":\"" OCI
		     "layer.v1.tar\",\"digest\":\"%0\",\"size\":#0}]}",
	[INDEX] = "{\"manifests\":[{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":"
		  "\"%2\",\"size\":#2}]}",
};

static char dir[] = "/tmp/test_image_import.XXXXXX";
static struct part part[PARTS];
static struct image_text text;
static struct err e;

/* What a locked process may; sanitizers want more */
static int put_on(void *ctx, enum importer_lock step, const struct landlock_rule *rule,
		  unsigned int n, struct err *why)
{
	(void)ctx;
	if (MICROVM_JAIL == JAIL_OFF)
		return 0;
	return step == IMPORTER_RIGHTS ? importer_rights(JAIL_AUTO, rule, n, why)
				       : importer_calls(why);
}

static void save(const char *name, const struct part *p)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write_full(fd, p->p, p->n), (long)p->n);
	close(fd);
}

static void make_dirs(void)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/blobs", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	(void)strcat(path, "/sha256");
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

/* Every part as a file of its digest's name */
static void setup(void)
{
	uint8_t *large = malloc(LARGE);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_dirs();
	ck_assert_ptr_nonnull(large);
	for (size_t i = 0; i < LARGE; i++)
		large[i] = (uint8_t)(i * i >> 9);
	part_member(&part[LAYER], "large", '0', large, LARGE);
	part_member(&part[LAYER], "small", '0', "s", 1);
	part_tar_end(&part[LAYER]);
	free(large);
	for (int i = CONFIG; i < PARTS; i++) {
		struct part raw = {0};
		char *at;

		part_add(&raw, texts[i], strlen(texts[i]));
		at = strchr((char *)raw.p, '@');
		if (at) { /* the architecture */
			raw.n = 0;
			part_add(&raw, texts[i], (size_t)(at - (char *)raw.p));
			part_add(&raw, arch_images, strlen(arch_images));
			at = strchr(texts[i], '@') + 1;
			part_add(&raw, at, strlen(at));
		}
		part_text(&part[i], (char *)raw.p, raw.n, part, (unsigned int)i);
		free(raw.p);
	}
	for (int i = 0; i < INDEX; i++) {
		char name[32 + DIGEST_TEXT] = "blobs/sha256/", sum[DIGEST_TEXT];

		part_digest(&part[i], sum);
		(void)strcat(name, strchr(sum, ':') + 1);
		save(name, &part[i]);
	}
	save("index.json", &part[INDEX]);
}

static void teardown(void)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "rm -r %s", dir);
	ck_assert_int_eq(system(line), 0);
	for (int i = 0; i < PARTS; i++)
		free(part[i].p);
	image_text_free(&text);
}

/* Return: as importer_run() */
static int import(enum source_kind kind, int source, int out)
{
	const struct importer im = {
		.kind = kind, .source = source, .out = out, .lock = put_on};

	image_text_free(&text);
	return importer_run(&im, &text, &e);
}

START_TEST(a_directory_becomes_squashfs)
{
	int source = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int out = memfd_create("out", MFD_CLOEXEC);
	char magic[4];

	ck_assert_msg(import(SOURCE_OCI_DIR, source, -1) == 0, "%s", e.msg);
	ck_assert_str_eq(image_text_get(&text, "env", ""), "A=b");
	ck_assert_ptr_null(image_text_get(&text, "sum", NULL));
	ck_assert_msg(import(SOURCE_OCI_DIR, source, out) == 0, "%s", e.msg);
	ck_assert_uint_eq(image_text_number(&text, "files"), LARGE + 1);
	ck_assert_int_eq(pread(out, magic, 4, 0), 4);
	ck_assert_mem_eq(magic, "hsqs", 4);
	close(out);
	close(source);
}
END_TEST

START_TEST(what_is_wrong_is_a_sentence)
{
	int source = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int none = memfd_create("none", MFD_CLOEXEC);
	const struct part nothing = {(uint8_t *)(uintptr_t) "{\"\x1b[\":0}", 8};

	save("index.json", &nothing);
	ck_assert_int_lt(import(SOURCE_OCI_DIR, source, -1), 0);
	ck_assert_msg(strstr(e.msg, "no JSON") != NULL, "%s", e.msg);
	ck_assert_int_lt(import(SOURCE_DOCKER_ARCHIVE, none, -1), 0);
	ck_assert_msg(strstr(e.msg, "no tar") != NULL, "%s", e.msg);
	close(none);
	close(source);
}
END_TEST

/* The image cannot grow: its limit is a disk that is full */
START_TEST(a_full_disk_is_a_sentence)
{
	int source = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int out = open("/dev/full", O_RDWR | O_CLOEXEC);

	ck_assert_int_lt(import(SOURCE_OCI_DIR, source, out), 0);
	ck_assert_msg(strstr(e.msg, "No space left") != NULL, "%s", e.msg);
	close(out);
	close(source);
}
END_TEST

/* Zeroes without end, in a file or behind it: what unpacks to too much is left at the limit */
START_TEST(what_has_no_end_is_left)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int out = memfd_create("out", MFD_CLOEXEC);
	struct image_manifest m;
	struct source s;
	struct import i = {.source = &s, .squash = squash_open(out, 1, &e)};

	ck_assert_ptr_nonnull(i.squash);
	ck_assert_int_eq(source_open(&s, SOURCE_OCI_DIR, dirfd, &e), 0);
	ck_assert_msg(manifest_read(&m, &s, NULL, arch_images, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(import_open(&i, &e), 0);
	i.unpacked = IMPORT_MOST - LARGE;
	ck_assert_int_eq(import_layer(&i, &m.layer[0], &e), -E2BIG);
	ck_assert_msg(strstr(e.msg, "unpacks to more than 64 GiB") != NULL, "%s", e.msg);
	squash_close(i.squash);
	import_close(&i);
	manifest_free(&m);
	source_close(&s);
	close(out);
	close(dirfd);
}
END_TEST

#define CUT ((size_t)900)

/* In the importer: begin a text, and end as one whose work is done */
static int says_half(void *ctx, enum importer_lock step, const struct landlock_rule *rule,
		     unsigned int n, struct err *why)
{
	const struct importer_head head = {.says = IMPORTER_TEXT, .len = CUT};

	(void)ctx, (void)step, (void)rule, (void)n, (void)why;
	(void)write_full(STDERR_FILENO, &head, sizeof(head)); /* the pipe as well */
	(void)write_full(STDERR_FILENO, "config=0123456789", 17);
	_exit(0);
}

/* What the process that waits has in its memory is no part of what the image says */
START_TEST(half_a_text_is_none)
{
	const struct importer im = {.source =
					    open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				    .out = -1,
				    .lock = says_half};
	char *before[16];

	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		before[i] = malloc(CUT + 1);
		ck_assert_ptr_nonnull(before[i]);
		memset(before[i], '=', CUT + 1);
		before[i][CUT - 1] = '\0';
		__asm__ volatile("" : : "r"(before[i]) : "memory");
	}
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		free(before[i]);
	image_text_free(&text);
	ck_assert_int_lt(importer_run(&im, &text, &e), 0);
	ck_assert_msg(strstr(e.msg, "without a word") != NULL, "%s", e.msg);
	close(im.source);
}
END_TEST

UNIT_MAIN("image_import", setup, teardown, t)
{
	tcase_add_test(t, a_directory_becomes_squashfs);
	tcase_add_test(t, what_is_wrong_is_a_sentence);
	tcase_add_test(t, a_full_disk_is_a_sentence);
	tcase_add_test(t, what_has_no_end_is_left);
	tcase_add_test(t, half_a_text_is_none);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk_image - who decides what format a disk has, and what is not opened. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_image.h"
#include "vmm/core/util.h"

static char path[64];
static struct config_disk disk;
static struct err err;

/* A file that begins with @len bytes of @head */
static void file(const char *ending, const void *head, size_t len)
{
	FILE *f;

	(void)snprintf(path, sizeof(path), "/tmp/test-image-%d%s", (int)getpid(), ending);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(head, 1, len, f), len);
	(void)fclose(f);
	disk = (struct config_disk){.path = path};
}

static void teardown(void)
{
	unlink(path);
}

/* Return: 0 or -errno */
static int check(enum disk_format f)
{
	int fd = disk_image_open(&disk, f, &err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void refused(enum disk_format f, int code, const char *why)
{
	ck_assert_int_eq(check(f), -code);
	ck_assert_msg(strstr(err.msg, why) != NULL, "%s", err.msg);
	ck_assert_msg(strstr(err.msg, path) != NULL, "%s", err.msg);
}

static const uint8_t qcow2[512] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};

/* The old hole: a guest writes a header that names a file of ours into its raw disk. */
START_TEST(content_makes_no_raw_disk_qcow2)
{
	file(".img", qcow2, sizeof(qcow2));
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_RAW);
	disk.format = DISK_FORMAT_RAW;
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_RAW);
	disk.format = DISK_FORMAT_AUTO; /* the operator lets it */
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_QCOW2);
	disk.format = DISK_FORMAT_VDI; /* or says otherwise */
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_VDI);
}
END_TEST

START_TEST(name_decides)
{
	static const struct {
		const char *ending;
		enum disk_format format;
	} names[] = {
		{".qcow2", DISK_FORMAT_QCOW2}, {".QCOW2", DISK_FORMAT_QCOW2},
		{".vmdk", DISK_FORMAT_VMDK},   {".vdi", DISK_FORMAT_VDI},
		{".vhdx", DISK_FORMAT_VHDX},   {".qcow2.img", DISK_FORMAT_RAW},
		{"qcow2", DISK_FORMAT_RAW},    {"", DISK_FORMAT_RAW},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		file(names[i].ending, qcow2, 0);
		ck_assert_int_eq(disk_image_format(&disk), names[i].format);
		unlink(path);
	}
	disk.path = (char[]){".vdi"}; /* a name that is nothing but an ending */
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_RAW);
}
END_TEST

START_TEST(each_format_is_known_by_its_content)
{
	static const struct {
		size_t off;
		const char *magic;
		enum disk_format format;
	} heads[] = {
		{0, "QFI\xfb", DISK_FORMAT_QCOW2},
		{0, "KDMV", DISK_FORMAT_VMDK},
		{0, "COWD", DISK_FORMAT_VMDK},
		{0, "# Disk DescriptorFile\nversion=1\n", DISK_FORMAT_VMDK},
		{64, "\x7f\x10\xda\xbe", DISK_FORMAT_VDI},
		{0, "vhdxfile", DISK_FORMAT_VHDX},
		{1, "vhdxfile", DISK_FORMAT_RAW},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++) {
		uint8_t head[128] = {0};

		memcpy(head + heads[i].off, heads[i].magic, strlen(heads[i].magic));
		file(".img", head, sizeof(head));
		disk.format = DISK_FORMAT_AUTO;
		ck_assert_int_eq(disk_image_format(&disk), heads[i].format);
		unlink(path);
	}
}
END_TEST

START_TEST(name_and_content_must_agree)
{
	file(".qcow2", "nothing of the kind", 19);
	refused(DISK_FORMAT_QCOW2, EINVAL, "this is no qcow2 image; say what it is");
	unlink(path);
	file(".vdi", qcow2, sizeof(qcow2));
	refused(DISK_FORMAT_VDI, EINVAL, "no vdi image, but looks like qcow2");
	unlink(path);
	refused(DISK_FORMAT_VDI, ENOENT, "No such file");
	disk.format = DISK_FORMAT_AUTO;
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_RAW);
}
END_TEST

START_TEST(cut_off_headers_are_no_trouble)
{
	for (size_t len = 0; len < sizeof(qcow2); len++) {
		file(".qcow2", qcow2, len);
		ck_assert_int_eq(check(DISK_FORMAT_QCOW2),
				 len < 4   ? -EINVAL
				 : len < 8 ? -EINVAL /* version 0 */
					   : 0);
	}
}
END_TEST

static void others(enum disk_format f, const char *what)
{
	refused(f, EPERM, what);
	ck_assert_ptr_nonnull(strstr(err.msg, "backing=on"));
	disk.backing = true;
	ck_assert_int_eq(check(f), 0);
}

START_TEST(qcow2_may_not_name_other_files)
{
	uint8_t head[512];

	memcpy(head, qcow2, sizeof(head));
	file(".qcow2", head, sizeof(head));
	ck_assert_int_eq(check(DISK_FORMAT_QCOW2), 0);
	head[14] = 1; /* backing file offset */
	file(".qcow2", head, sizeof(head));
	others(DISK_FORMAT_QCOW2, "a backing file");
	head[14] = 0;
	head[79] = 4; /* incompatible feature: external data file */
	file(".qcow2", head, sizeof(head));
	others(DISK_FORMAT_QCOW2, "a data file");
	head[7] = 1; /* version */
	file(".qcow2", head, sizeof(head));
	refused(DISK_FORMAT_QCOW2, EINVAL, "predecessor");
}
END_TEST

START_TEST(vmdk_may_not_name_other_files)
{
	static const char parent[] = "parentFileNameHint=\"/etc/shadow\"";
	uint8_t head[2048] = {'K', 'D', 'M', 'V', [12] = 1};

	file(".vmdk", head, sizeof(head));
	ck_assert_int_eq(check(DISK_FORMAT_VMDK), 0);
	memcpy(head + 600, parent, sizeof(parent));
	file(".vmdk", head, sizeof(head));
	others(DISK_FORMAT_VMDK, "a parent");
	head[12] = 0; /* capacity */
	file(".vmdk", head, sizeof(head));
	others(DISK_FORMAT_VMDK, "the files that hold its data");
	file(".vmdk", "# Disk DescriptorFile\n", 22);
	others(DISK_FORMAT_VMDK, "the files that hold its data");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disk_image");
	TCase *t = tcase_create("disk_image");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, content_makes_no_raw_disk_qcow2);
	tcase_add_test(t, name_decides);
	tcase_add_test(t, each_format_is_known_by_its_content);
	tcase_add_test(t, name_and_content_must_agree);
	tcase_add_test(t, cut_off_headers_are_no_trouble);
	tcase_add_test(t, qcow2_may_not_name_other_files);
	tcase_add_test(t, vmdk_may_not_name_other_files);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

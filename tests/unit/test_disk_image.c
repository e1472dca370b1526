/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk_image - who decides what format a disk has, and what is not opened. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk_image.h"
#include "tests/lib/unit.h"
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
		{".vhd", DISK_FORMAT_VPC},     {".qed", DISK_FORMAT_QED},
		{".qcow", DISK_FORMAT_QCOW},   {".hds", DISK_FORMAT_PARALLELS},
		{".dmg", DISK_FORMAT_DMG},     {".OVA", DISK_FORMAT_TAR},
		{".tar", DISK_FORMAT_RAW},     {".gz", DISK_FORMAT_RAW},
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
		{0, "conectix", DISK_FORMAT_VPC},
		{0, "QED", DISK_FORMAT_QED},
		{0, "WithoutFreeSpace", DISK_FORMAT_PARALLELS},
		{0, "WithouFreSpacExt", DISK_FORMAT_PARALLELS},
		{0, "Bochs Virtual HD Image", DISK_FORMAT_BOCHS},
		{0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount",
		 DISK_FORMAT_CLOOP},
		{257, "ustar", DISK_FORMAT_TAR},
		{0, "\x1f\x8b\x08", DISK_FORMAT_GZIP},
		{0, "\xfd\x37zXZ", DISK_FORMAT_XZ},
		{0, "BZh91AY&SY", DISK_FORMAT_BZIP2},
		{0, "\x28\xb5\x2f\xfd", DISK_FORMAT_ZSTD},
		{0, "PK\3\4", DISK_FORMAT_ZIP},
		{0, "\x3a\xff\x26\xed", DISK_FORMAT_SIMG},
		{0, "LUKS\xba\xbe", DISK_FORMAT_RAW}, /* its guest opens it */
		{0, "#!/bin/sh\necho", DISK_FORMAT_RAW},
		{0, "KDMV", DISK_FORMAT_VMDK},
		{0, "COWD", DISK_FORMAT_VMDK},
		{0, "# Disk DescriptorFile\nversion=1\n", DISK_FORMAT_VMDK},
		{64, "\x7f\x10\xda\xbe", DISK_FORMAT_VDI},
		{0, "vhdxfile", DISK_FORMAT_VHDX},
		{1, "vhdxfile", DISK_FORMAT_RAW},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++) {
		uint8_t head[512] = {0};

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
	refused(DISK_FORMAT_QCOW2, EINVAL,
		"this is no qcow2 image, as its name says; is");
	ck_assert_ptr_nonnull(strstr(err.msg, "give format=raw"));
	unlink(path);
	file(".vdi", qcow2, sizeof(qcow2));
	refused(DISK_FORMAT_VDI, EINVAL,
		"no vdi image, as its name says, but looks like qcow2; give format=qcow2");
	disk.format = DISK_FORMAT_VDI; /* said already, and wrong */
	refused(DISK_FORMAT_VDI, EINVAL,
		"as format= says, but looks like qcow2; give format=qcow2");
	unlink(path);
	refused(DISK_FORMAT_VDI, ENOENT,
		"does not exist; check the path, or create it: qemu-img");
	ck_assert_ptr_nonnull(strstr(err.msg, "qemu-img create -f vdi "));
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

/* ---- what qemu-img can name ---- */

/* A file of @size bytes that ends in a sector with @tail */
static void file_with_tail(const char *ending, size_t size, const char *tail)
{
	uint8_t *all = calloc(1, size);

	ck_assert_ptr_nonnull(all);
	memcpy(all + size - 512, tail, strlen(tail));
	file(ending, all, size);
	free(all);
}

START_TEST(fixed_vhd_and_dmg_are_known_by_their_end)
{
	file_with_tail(".img", 64 * KIB, "conectix");
	disk.format = DISK_FORMAT_AUTO;
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_VPC);
	ck_assert_int_eq(check(DISK_FORMAT_VPC), 0);
	file_with_tail(".img", 512, "koly");
	disk.format = DISK_FORMAT_AUTO;
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_DMG);
	file_with_tail(".img", 1024, "a sector of data");
	disk.format = DISK_FORMAT_AUTO;
	ck_assert_int_eq(disk_image_format(&disk), DISK_FORMAT_RAW);
}
END_TEST

START_TEST(format_that_is_not_served_is_refused_with_its_cure)
{
	static const struct {
		const char *ending, *magic, *cure;
		size_t off;
		enum disk_format format;
	} bad[] = {
		{".qcow", "QFI\xfb", "qemu-img convert -f qcow -O qcow2", 0,
		 DISK_FORMAT_QCOW},
		{".hds", "WithoutFreeSpace", "qemu-img convert -f parallels", 0,
		 DISK_FORMAT_PARALLELS},
		{".img", "Bochs Virtual HD Image", "qemu-img convert -f bochs", 0,
		 DISK_FORMAT_BOCHS},
		{".cloop", "", "qemu-img convert -f cloop", 0, DISK_FORMAT_CLOOP},
		{".dmg", "", "qemu-img convert -f dmg", 0, DISK_FORMAT_DMG},
		{".img", "LUKS\xba\xbe", "format=raw", 0, DISK_FORMAT_LUKS},
		{".ova", "ustar", "tar -xf", 257, DISK_FORMAT_TAR},
		{".img", "\x1f\x8b\x08", "gzip -dk", 0, DISK_FORMAT_GZIP},
		{".img", "\xfd\x37zXZ", "xz -dk", 0, DISK_FORMAT_XZ},
		{".img", "BZh91AY&SY", "bzip2 -dk", 0, DISK_FORMAT_BZIP2},
		{".img", "\x28\xb5\x2f\xfd", "zstd -dk", 0, DISK_FORMAT_ZSTD},
		{".img", "PK\3\4", "unzip", 0, DISK_FORMAT_ZIP},
		{".img", "\x3a\xff\x26\xed", "simg2img", 0, DISK_FORMAT_SIMG},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t head[512] = {0};

		memcpy(head + bad[i].off, bad[i].magic, strlen(bad[i].magic));
		head[7] |= bad[i].format == DISK_FORMAT_QCOW; /* its version */
		file(bad[i].ending, head, sizeof(head));
		refused(bad[i].format, EINVAL, bad[i].cure);
		if (!*bad[i].magic || bad[i].format == DISK_FORMAT_LUKS)
			continue;
		unlink(path);
		file(".qcow2", head, sizeof(head)); /* and under any other name */
		refused(DISK_FORMAT_QCOW2, EINVAL, bad[i].cure);
	}
}
END_TEST

START_TEST(qed_may_not_name_other_files)
{
	uint8_t head[512] = {'Q', 'E', 'D', 0};

	file(".qed", head, sizeof(head));
	ck_assert_int_eq(check(DISK_FORMAT_QED), 0);
	head[16] = 1; /* features */
	file(".qed", head, sizeof(head));
	others(DISK_FORMAT_QED, "a backing file");
}
END_TEST

/* QEMU shows one as if nothing were missing */
START_TEST(vhd_that_lacks_what_its_parent_has_is_refused)
{
	uint8_t head[1024] = "conectix";

	head[63] = 3; /* dynamic */
	file(".vhd", head, sizeof(head));
	ck_assert_int_eq(check(DISK_FORMAT_VPC), 0);
	head[63] = 4;
	file(".vhd", head, sizeof(head));
	disk.backing = true;
	refused(DISK_FORMAT_VPC, ENOTSUP, "differencing");
}
END_TEST

static void stream(const void *head, size_t len)
{
	file(".vmdk", head, len);
	refused(DISK_FORMAT_VMDK, EROFS, "qemu-img convert -O qcow2");
	disk.readonly = disk.backing = true;
	ck_assert_int_eq(check(DISK_FORMAT_VMDK), 0);
}

START_TEST(vmdk_of_an_ova_is_not_written)
{
	static const char text[] =
		"# Disk DescriptorFile\ncreateType=\"streamOptimized\"\n";
	uint8_t head[1024] = {'K', 'D', 'M', 'V', [12] = 1};

	head[77] = 1; /* DEFLATE */
	stream(head, sizeof(head));
	head[77] = 0;
	head[10] = 1; /* grains are compressed */
	stream(head, sizeof(head));
	head[10] = 0;
	memset(head + 56, 0xff, 8); /* the directory is at the end */
	stream(head, sizeof(head));
	stream(text, sizeof(text));
}
END_TEST

/* ---- archives ---- */

/* One header of a member */
static void member(uint8_t *at, const char *name, const char *size)
{
	(void)snprintf((char *)at, 100, "%s", name);
	(void)snprintf((char *)at + 124, 12, "%s", size);
	memcpy(at + 257, "ustar", 5);
}

START_TEST(disk_in_an_ova_is_named)
{
	uint8_t tar[8 * 512] = {0};

	member(tar, "machine.ovf", "00000001000"); /* octal: one block */
	member(tar + 1024, "-rf.vmdk", "0");
	member(tar + 1536, "a;b.vmdk", "777777777777"); /* and far past the end */
	file(".ova", tar, sizeof(tar));
	refused(DISK_FORMAT_TAR, EINVAL, " DISK.vmdk disk.qcow2");
	unlink(path);
	member(tar + 1536, "box-disk001.vmdk", "0");
	file(".ova", tar, sizeof(tar));
	refused(DISK_FORMAT_TAR, EINVAL, " box-disk001.vmdk && ");
	unlink(path);
	for (unsigned int i = 0; i < 8; i++)
		member(tar + 512 * i, "endless", "-512"); /* what is no number is 0 */
	file(".ova", tar, sizeof(tar));
	refused(DISK_FORMAT_TAR, EINVAL, " DISK.vmdk disk.qcow2");
}
END_TEST

START_TEST(packed_file_that_was_never_a_disk_is_refused)
{
	uint8_t head[513] = {0x1f, 0x8b, 8};

	file(".img.gz", head, 513);
	disk_image_explain(&disk, &err);
	ck_assert_ptr_nonnull(strstr(err.msg, "gzip -dk"));
	(void)err_set(&err, EINVAL, "its size is odd");
	file(".img.gz", head, 512); /* a guest may have written it */
	disk_image_explain(&disk, &err);
	ck_assert_str_eq(err.msg, "its size is odd");
	file(".img.gz", head, 513);
	disk.format = DISK_FORMAT_RAW; /* then its size is what is said to be wrong */
	disk_image_explain(&disk, &err);
	ck_assert_str_eq(err.msg, "its size is odd");
}
END_TEST

START_TEST(memory_is_raw)
{
	file(".qcow2", qcow2, sizeof(qcow2));
	ck_assert_int_eq(disk_image_only_raw(path, &err), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.msg, "qemu-img convert -O raw"));
	unlink(path);
	file(".img", qcow2, sizeof(qcow2)); /* its guest may have written that */
	ck_assert_int_eq(disk_image_only_raw(path, &err), 0);
	unlink(path);
	file(".qcow2", "", 0);
	ck_assert_int_eq(disk_image_only_raw(path, &err), 0);
}
END_TEST

UNIT_MAIN("disk_image", NULL, teardown, t)
{
	tcase_add_test(t, content_makes_no_raw_disk_qcow2);
	tcase_add_test(t, name_decides);
	tcase_add_test(t, each_format_is_known_by_its_content);
	tcase_add_test(t, name_and_content_must_agree);
	tcase_add_test(t, cut_off_headers_are_no_trouble);
	tcase_add_test(t, qcow2_may_not_name_other_files);
	tcase_add_test(t, vmdk_may_not_name_other_files);
	tcase_add_test(t, fixed_vhd_and_dmg_are_known_by_their_end);
	tcase_add_test(t, format_that_is_not_served_is_refused_with_its_cure);
	tcase_add_test(t, qed_may_not_name_other_files);
	tcase_add_test(t, vhd_that_lacks_what_its_parent_has_is_refused);
	tcase_add_test(t, vmdk_of_an_ova_is_not_written);
	tcase_add_test(t, disk_in_an_ova_is_named);
	tcase_add_test(t, packed_file_that_was_never_a_disk_is_refused);
	tcase_add_test(t, memory_is_raw);
}

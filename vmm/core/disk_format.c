/* SPDX-License-Identifier: Apache-2.0 */
/* disk_format - names of formats: qemu-img's, common names, and endings of file names. */
#include "vmm/core/disk_format.h"

#include <string.h>
#include <strings.h>

#include "vmm/core/util.h"

/* @name: what format= also takes, if @served */
static const struct {
	const char *name, *ending, *text;
	bool served;
} formats[DISK_FORMATS] = {
	[DISK_FORMAT_AUTO] = {"auto", NULL, "anything", true},
	[DISK_FORMAT_RAW] = {"raw", NULL, "a raw image", true},
	[DISK_FORMAT_QCOW2] = {"qcow2", ".qcow2", "a qcow2 image", true},
	[DISK_FORMAT_VMDK] = {"vmdk", ".vmdk", "a vmdk image", true},
	[DISK_FORMAT_VDI] = {"vdi", ".vdi", "a vdi image", true},
	[DISK_FORMAT_VHDX] = {"vhdx", ".vhdx", "a vhdx image", true},
	[DISK_FORMAT_VPC] = {"vpc", ".vhd", "a VHD image (vpc)", true},
	[DISK_FORMAT_QED] = {"qed", ".qed", "a qed image", true},
	[DISK_FORMAT_QCOW] = {"qcow", ".qcow", "an image of qcow2's predecessor", false},
	[DISK_FORMAT_PARALLELS] = {"parallels", ".hds", "a Parallels image", false},
	[DISK_FORMAT_BOCHS] = {"bochs", NULL, "a Bochs image", false},
	[DISK_FORMAT_CLOOP] = {"cloop", ".cloop", "a cloop image", false},
	[DISK_FORMAT_DMG] = {"dmg", ".dmg", "a dmg image", false},
	[DISK_FORMAT_LUKS] = {"luks", NULL, "a LUKS container", false},
	[DISK_FORMAT_TAR] = {"tar", ".ova", "a tar archive, as an OVA is", false},
	[DISK_FORMAT_GZIP] = {"gzip", NULL, "a file that gzip compressed", false},
	[DISK_FORMAT_XZ] = {"xz", NULL, "a file that xz compressed", false},
	[DISK_FORMAT_BZIP2] = {"bzip2", NULL, "a file that bzip2 compressed", false},
	[DISK_FORMAT_ZSTD] = {"zstd", NULL, "a file that zstd compressed", false},
	[DISK_FORMAT_ZIP] = {"unzip", NULL, "a zip archive", false},
	[DISK_FORMAT_SIMG] = {"simg2img", NULL, "an Android sparse image", false},
};

/* What else `qemu-img --help` lists: ways to reach an image, parts for QEMU's own use, and
 * formats that we recognise to refuse them
 */
#define DISK_BY_A_SERVER                                                                   \
	"is a way to reach an image that another host has; let qemu-storage-daemon serve " \
	"it and give vhost-user=SOCKET, or copy it here: qemu-img convert"
#define DISK_INSIDE_QEMU                                                                \
	"is a part of QEMU that stands before an image, no format of a file; give the " \
	"format that the file itself has"

static const struct {
	const char *names, *text;
} others[] = {
	{"file host_device host_cdrom",
	 "is no format; what such a file holds byte by byte "
	 "is raw: format=raw"},
	{"ftp ftps gluster http https iscsi iser nbd nfs nvme rbd ssh", DISK_BY_A_SERVER},
	{"qcow parallels bochs cloop dmg",
	 "images are not served; convert it: qemu-img convert -O qcow2"},
	{"luks", "is opened by the guest (cryptsetup), to whom it is raw: format=raw"},
	{"vvfat", "is a directory shown as a disk; share the directory: --share DIR"},
	{"blkdebug blklogwrites blkreplay blkverify compress copy-before-write copy-on-read "
	 "nvme-io_uring virtio-blk-vfio-pci virtio-blk-vhost-user virtio-blk-vhost-vdpa io_uring "
	 "null-aio null-co preallocate quorum replication snapshot-access throttle",
	 DISK_INSIDE_QEMU},
};

const char *disk_format_name(enum disk_format f)
{
	return formats[f].name ? formats[f].name : "unknown";
}

const char *disk_format_text(enum disk_format f)
{
	return formats[f].text ? formats[f].text : "unknown";
}

enum disk_format disk_format_find(const char *name)
{
	if (strcmp(name, "vhd") == 0)
		return DISK_FORMAT_VPC;
	for (unsigned int i = 0; i < DISK_FORMATS; i++)
		if (formats[i].served && strcmp(formats[i].name, name) == 0)
			return (enum disk_format)i;
	return DISK_FORMAT_BY_NAME;
}

enum disk_format disk_format_of_path(const char *path)
{
	size_t len = strlen(path);

	for (unsigned int i = 0; i < DISK_FORMATS; i++) {
		const char *ending = formats[i].ending;

		if (ending && len > strlen(ending) &&
		    strcasecmp(path + len - strlen(ending), ending) == 0)
			return (enum disk_format)i;
	}
	return DISK_FORMAT_RAW;
}

/* Is @name one of @names, which are separated by spaces? */
static bool disk_format_listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; len && (at = strstr(at, name)); at += len)
		if ((at == names || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

const char *disk_format_other(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++)
		if (!strchr(name, ' ') && disk_format_listed(others[i].names, name))
			return others[i].text;
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* setting_disk - the parts of a disk. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/disk_format.h"
#include "vmm/core/util.h"
#include "vmm/settings/setting_parts.h"

#define SETTING_SERIAL_MAX 20 /* virtio 1.2, 5.2.6: what VIRTIO_BLK_T_GET_ID carries */

/* --disk: the parts fill disk[ndisk], which disk_end() then counts */

static int disk_begin(struct config *cfg, struct err *e)
{
	if (cfg->ndisk == CONFIG_DISKS_MAX)
		return err_usage(e,
				 "this is one too many; a machine has at most %d disks",
				 CONFIG_DISKS_MAX);
	config_disk_clear(&cfg->disk[cfg->ndisk]);
	return 0;
}

static int disk_set_id(struct config *cfg, const char *value, struct err *e)
{
	return parts_id(cfg->disk[cfg->ndisk].id, value, e);
}

static int disk_set_path(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->disk[cfg->ndisk].path, value, e);
}

static int disk_set_vhost_user(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->disk[cfg->ndisk].vhost_user, value, e);
}

static int disk_set_format(struct config *cfg, const char *value, struct err *e)
{
	enum disk_format f = disk_format_find(value);
	const char *other = disk_format_other(value);

	if (f == DISK_FORMAT_BY_NAME && other)
		return err_usage(e, "\"%s\" %s", value, other);
	if (f == DISK_FORMAT_BY_NAME)
		return parts_no_word(
			value, "is not a format", "raw qcow2 vmdk vdi vhdx vhd qed auto",
			"give raw, qcow2, vmdk, vdi, vhdx, vhd, qed or auto", e);
	cfg->disk[cfg->ndisk].format = f;
	return 0;
}

static int disk_set_backing(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->disk[cfg->ndisk].backing, value, e);
}

static int disk_set_readonly(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->disk[cfg->ndisk].readonly, value, e);
}

static int disk_set_serial(struct config *cfg, const char *value, struct err *e)
{
	for (const char *p = value; *p; p++)
		if (*p < ' ' || *p > '~')
			return err_usage(e,
					 "it has a byte that is no printable ASCII; give "
					 "letters, digits and signs only");
	if (strlen(value) > SETTING_SERIAL_MAX)
		return err_usage(e, "\"%.60s\" is too long; give at most %d characters",
				 value, SETTING_SERIAL_MAX);
	return config_string(&cfg->disk[cfg->ndisk].serial, value, e);
}

static int disk_set_direct(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->disk[cfg->ndisk].direct, value, e);
}

static int disk_set_block(struct config *cfg, const char *value, struct err *e)
{
	uint32_t *block = &cfg->disk[cfg->ndisk].block;

	if (strcmp(value, "512") == 0)
		*block = 512;
	else if (strcmp(value, "4096") == 0)
		*block = 4096;
	else
		return err_usage(e, "\"%.60s\" is not a block size; give 512 or 4096",
				 value);
	return 0;
}

static int disk_set_io(struct config *cfg, const char *value, struct err *e)
{
	enum disk_io *io = &cfg->disk[cfg->ndisk].io;

	if (strcmp(value, "uring") == 0)
		*io = DISK_IO_URING;
	else if (strcmp(value, "sync") == 0)
		*io = DISK_IO_SYNC;
	else
		return parts_no_word(value, "is not a way to do I/O", "uring sync",
				     "give uring or sync", e);
	return 0;
}

static int disk_set_cache(struct config *cfg, const char *value, struct err *e)
{
	struct config_disk *c = &cfg->disk[cfg->ndisk];

	if (strcmp(value, "writeback") == 0)
		c->cache = CACHE_WRITEBACK;
	else if (strcmp(value, "writethrough") == 0)
		c->cache = CACHE_WRITETHROUGH;
	else
		return parts_no_word(value, "is no way to cache",
				     "writeback writethrough",
				     "give writeback or writethrough", e);
	return 0;
}

static int disk_set_overlay(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->disk[cfg->ndisk].overlay, value, e);
}

static int disk_set_bps(struct config *cfg, const char *value, struct err *e)
{
	return parts_bytes(&cfg->disk[cfg->ndisk].rate.bytes, value, e);
}

static int disk_set_bps_burst(struct config *cfg, const char *value, struct err *e)
{
	return parts_bytes(&cfg->disk[cfg->ndisk].rate.bytes_burst, value, e);
}

static int disk_set_iops(struct config *cfg, const char *value, struct err *e)
{
	return parts_ops(&cfg->disk[cfg->ndisk].rate.ops, value, e);
}

static int disk_set_iops_burst(struct config *cfg, const char *value, struct err *e)
{
	return parts_ops(&cfg->disk[cfg->ndisk].rate.ops_burst, value, e);
}

static int disk_end(struct config *cfg, struct err *e)
{
	struct config_disk *d = &cfg->disk[cfg->ndisk];

	if (!d->path && !d->vhost_user)
		return err_usage(e, "there is no path; give one, like path=root.img");
	if (d->vhost_user && (d->path || d->readonly || d->serial || d->direct || d->io ||
			      d->block || d->backing || d->format != DISK_FORMAT_BY_NAME))
		return err_usage(e,
				 "what serves vhost-user=%.60s says all about the disk; "
				 "give nothing else with it",
				 d->vhost_user);
	if (d->vhost_user &&
	    (d->cache != CACHE_WRITEBACK || d->rate.bytes || d->rate.ops || d->overlay))
		return err_usage(e,
				 "what serves vhost-user=%.60s moves the bytes; limits, "
				 "cache= and overlay= are its own business",
				 d->vhost_user);
	if (d->overlay && d->readonly)
		return err_usage(
			e,
			"overlay=%.60s is there to be written, and ro forbids it; "
			"leave one out (the base is never written)",
			d->overlay);
	if (parts_rate_end(&d->rate, "", e) < 0)
		return -e->code;
	if (!d->id[0])
		(void)snprintf(d->id, sizeof(d->id), "blk%u", cfg->ndisk);
	cfg->ndisk++;
	return 0;
}

static const struct setting_part disk_parts[] = {
	{"path", NULL, SETTING_PATH, disk_set_path, "FILE", "the image or block device"},
	{"id", NULL, SETTING_TEXT, disk_set_id, "ID",
	 "the disk's name in messages and reports (blk0, blk1, ...)"},
	{"readonly", "ro", SETTING_SWITCH, disk_set_readonly, NULL,
	 "the guest cannot write it"},
	{"serial", NULL, SETTING_TEXT, disk_set_serial, "TEXT",
	 "what the guest sees as its serial number"},
	{"direct", NULL, SETTING_SWITCH, disk_set_direct, NULL,
	 "past the host's page cache (O_DIRECT)"},
	{"block-size", NULL, SETTING_NUMBER, disk_set_block, "512|4096",
	 "the sector size that the guest sees"},
	{"io", NULL, SETTING_TEXT, disk_set_io, "uring|sync",
	 "io_uring, or blocking calls on threads"},
	{"format", NULL, SETTING_TEXT, disk_set_format,
	 "raw|qcow2|vmdk|vdi|vhdx|vhd|qed|auto",
	 "what the image is; default: what its name ends in"},
	{"backing", NULL, SETTING_SWITCH, disk_set_backing, NULL,
	 "an image that is not raw may name other files"},
	{"vhost-user", NULL, SETTING_SOCKET, disk_set_vhost_user, "SOCKET",
	 "instead of all others: another process serves the disk there"},
	{"cache", NULL, SETTING_TEXT, disk_set_cache, "writeback|writethrough",
	 "when a write is done (writeback)"},
	{"overlay", NULL, SETTING_PATH, disk_set_overlay, "FILE",
	 "what the guest changes goes there, and never into path"},
	{"bps", NULL, SETTING_QUANTITY, disk_set_bps, "SIZE",
	 "bytes a second at most, read and written"},
	{"bps-burst", NULL, SETTING_QUANTITY, disk_set_bps_burst, "SIZE",
	 "bytes that may go at once after a rest"},
	{"iops", NULL, SETTING_NUMBER, disk_set_iops, "N", "requests a second at most"},
	{"iops-burst", NULL, SETTING_NUMBER, disk_set_iops_burst, "N",
	 "requests that may go at once after a rest"},
};

const struct setting_parts setting_disk = {
	.part = disk_parts,
	.n = ARRAY_SIZE(disk_parts),
	.bare = true,
	.begin = disk_begin,
	.end = disk_end,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_blk - any requests to a small disk, plain and with an overlay: its file never changes
 * its size, and the overlay's base not a byte.
 */
#include "tests/fuzz/fuzz_virtio.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/virtio/devices.h"

#define FUZZ_DISK (300 * 512) /* two clusters of an overlay and a part of one */

static struct driver plain, over;
static int fd = -1, base_fd;

static char *fuzz_file(char *path, size_t len, int *file, uint64_t size)
{
	*file = memfd_create("disk", MFD_CLOEXEC);
	BUG_ON(*file < 0 || ftruncate(*file, (off_t)size) < 0);
	(void)snprintf(path, len, "/proc/self/fd/%d", *file);
	return path;
}

static void fuzz_make(void)
{
	static char path[32], base[32], top[32];
	uint8_t buf[FUZZ_DISK];
	int top_fd;

	log_threshold = LOG_ERROR;
	driver_init(&plain, FUZZ_RAM);
	plain.cfg.ndisk = 1;
	plain.cfg.disk[0].path = fuzz_file(path, sizeof(path), &fd, FUZZ_DISK);
	driver_plug(&plain, blk_create(&plain.env, 0, &plain.err));
	driver_init(&over, FUZZ_RAM);
	over.cfg.ndisk = 1;
	over.cfg.disk[0].path = fuzz_file(base, sizeof(base), &base_fd, FUZZ_DISK);
	over.cfg.disk[0].overlay = fuzz_file(top, sizeof(top), &top_fd, 0);
	memset(buf, 0x5a, sizeof(buf));
	BUG_ON(pwrite(base_fd, buf, sizeof(buf), 0) != (ssize_t)sizeof(buf));
	driver_plug(&over, blk_create(&over.env, 0, &over.err));
}

static void fuzz_check_base(void)
{
	uint8_t buf[FUZZ_DISK];

	BUG_ON(pread(base_fd, buf, sizeof(buf), 0) != (ssize_t)sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		BUG_ON(buf[i] != 0x5a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;

	if (fd < 0)
		fuzz_make();
	fuzz_run(&plain, (struct fuzz_input){data, size}, NULL);
	BUG_ON(fstat(fd, &st) < 0 || st.st_size != FUZZ_DISK);
	fuzz_run(&over, (struct fuzz_input){data, size}, NULL);
	fuzz_check_base();
	return 0;
}

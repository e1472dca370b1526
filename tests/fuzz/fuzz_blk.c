/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_blk - any requests to a small disk: its file never changes its size. */
#include "tests/fuzz/fuzz_virtio.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/virtio/devices.h"

#define FUZZ_DISK (64 * 512)

static struct driver d;
static int fd = -1;

static void fuzz_make(void)
{
	static char path[32];

	log_threshold = LOG_ERROR;
	fd = memfd_create("disk", MFD_CLOEXEC);
	BUG_ON(fd < 0 || ftruncate(fd, FUZZ_DISK) < 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	driver_init(&d, FUZZ_RAM);
	d.cfg.ndisk = 1;
	d.cfg.disk[0].path = path;
	driver_plug(&d, blk_create(&d.env, 0, &d.err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stat st;

	if (fd < 0)
		fuzz_make();
	fuzz_run(&d, (struct fuzz_input){data, size}, NULL);
	BUG_ON(fstat(fd, &st) < 0 || st.st_size != FUZZ_DISK);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_pmem - any requests to a device with a small file. */
#include "tests/fuzz/fuzz_virtio.h"

#include <stdlib.h>
#include <unistd.h>

#include "devices/virtio/pmem.h"

static struct driver d;
static char path[] = "/tmp/fuzz-pmem-XXXXXX";

static void fuzz_make(void)
{
	int fd = mkstemp(path);

	log_threshold = LOG_ERROR;
	BUG_ON(fd < 0 || ftruncate(fd, PMEM_ALIGN) < 0);
	close(fd);
	driver_init(&d, FUZZ_RAM);
	d.cfg.pmem[0] = (struct config_pmem){path, false};
	driver_plug(&d, pmem_create(&d.env, 0, 8 * GIB, &d.err));
	(void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!d.dev)
		fuzz_make();
	fuzz_run(&d, (struct fuzz_input){data, size}, NULL);
	return 0;
}

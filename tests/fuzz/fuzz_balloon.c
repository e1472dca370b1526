/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_balloon - any page lists, free ranges and configuration writes. */
#include "tests/fuzz/fuzz_virtio.h"

#include "devices/virtio/devices.h"

static struct driver d;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!d.dev) {
		log_threshold = LOG_ERROR;
		driver_init(&d, FUZZ_RAM);
		d.cfg.balloon = (struct config_balloon){true, 256 * KIB, true, true};
		driver_plug(&d, balloon_create(&d.env, 0, &d.err));
	}
	fuzz_run(&d, (struct fuzz_input){data, size}, NULL);
	return 0;
}

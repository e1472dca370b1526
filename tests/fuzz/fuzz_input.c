/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_input - any buffers for events, lamps and selections, while the button is pressed. */
#include "tests/fuzz/fuzz_virtio.h"

#include "devices/virtio/devices.h"

static struct driver d;

static void press(void)
{
	(void)input_press(d.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!d.dev) {
		log_threshold = LOG_ERROR;
		driver_init(&d, FUZZ_RAM);
		driver_plug(&d, input_create(&d.env, 0, &d.err));
	}
	fuzz_run(&d, (struct fuzz_input){data, size}, press);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_balloon - any page lists, free ranges, figures and configuration writes. */
#include "tests/fuzz/fuzz_virtio.h"

#include "devices/virtio/balloon.h"
#include "devices/virtio/devices.h"

static struct driver d;

static void on_told(struct balloon_asker *a)
{
	(void)a;
	BUG_ON(!balloon_last_stats(d.v)->at_ns);
}

/* Somebody asks for statistics all the time. */
static void ask(void)
{
	static struct balloon_asker asker = {.told = on_told};

	pthread_mutex_lock(&d.dev->lock);
	(void)balloon_ask(d.v, &asker);
	pthread_mutex_unlock(&d.dev->lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!d.dev) {
		log_threshold = LOG_ERROR;
		driver_init(&d, FUZZ_RAM);
		d.cfg.balloon = (struct config_balloon){true, 256 * KIB, true, true};
		driver_plug(&d, balloon_create(&d.env, 0, &d.err));
	}
	fuzz_run(&d, (struct fuzz_input){data, size}, ask);
	return 0;
}

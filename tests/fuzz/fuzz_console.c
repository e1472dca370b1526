/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_console - any output, buffers and configuration writes, with input always there. */
#include "tests/fuzz/fuzz_virtio.h"

#include <fcntl.h>
#include <unistd.h>

#include "devices/virtio/devices.h"

static struct driver d;
static struct tty *tty;

static void fuzz_quit(void *ctx)
{
	(void)ctx;
	BUG_ON(1); /* there is no terminal to type Ctrl-A x on */
}

static void fuzz_make(void)
{
	int in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);

	BUG_ON(in < 0 || out < 0);
	log_threshold = LOG_ERROR;
	driver_init(&d, FUZZ_RAM);
	tty = tty_create(d.loop, in, out, fuzz_quit, NULL, &d.err);
	BUG_ON(!tty);
	driver_plug(&d, console_create(&d.env, tty, &d.err));
	BUG_ON(tty_start(tty, console_client(d.v), &d.err) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!tty)
		fuzz_make();
	fuzz_run(&d, (struct fuzz_input){data, size}, NULL);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ports - any control messages, buffers and output, with input always there and peers
 * that come and go.
 */
#include "tests/fuzz/fuzz_virtio.h"

#include <fcntl.h>
#include <unistd.h>

#include "devices/virtio/devices.h"

static struct driver d;
static struct tty *tty[2];

static void fuzz_quit(void *ctx)
{
	(void)ctx;
	BUG_ON(1); /* there is no terminal to type Ctrl-A x on */
}

/* A peer leaves one port and comes to the other, or the other way round. */
static void fuzz_peers(void)
{
	static bool first;

	first = !first;
	for (unsigned int i = 0; i < ARRAY_SIZE(tty); i++) {
		struct tty_client *c = ports_client(d.v, i);

		pthread_mutex_lock(&d.dev->lock);
		c->connected(c, first == (i == 0));
		pthread_mutex_unlock(&d.dev->lock);
	}
}

static void fuzz_make(void)
{
	static char names[2][8] = {"agent", "log"};
	int in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int out = open("/dev/null", O_WRONLY | O_CLOEXEC);

	BUG_ON(in < 0 || out < 0);
	log_threshold = LOG_ERROR;
	driver_init(&d, FUZZ_RAM);
	d.cfg.nport = ARRAY_SIZE(tty);
	for (unsigned int i = 0; i < ARRAY_SIZE(tty); i++) {
		d.cfg.port[i].name = names[i];
		tty[i] = tty_create(d.loop, in, out, fuzz_quit, NULL, &d.err);
		BUG_ON(!tty[i]);
	}
	driver_plug(&d, ports_create(&d.env, tty, &d.err));
	for (unsigned int i = 0; i < ARRAY_SIZE(tty); i++)
		BUG_ON(tty_start(tty[i], ports_client(d.v, i), &d.err) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!tty[0])
		fuzz_make();
	fuzz_run(&d, (struct fuzz_input){data, size}, fuzz_peers);
	return 0;
}

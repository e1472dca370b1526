/* SPDX-License-Identifier: Apache-2.0 */
/* console - greets on the virtio console, by an emergency write and its queue, then gives back what
 * is typed, a line at a time, until the line "bye".
 */
#include <linux/virtio_console.h>

#include "guest-images/payloads/rt/virtio.h"

#define LINE 256

static struct vio con;
static struct vq rx, tx;
static char line[LINE];

static bool console_say(const char *s, size_t n)
{
	static char buf[LINE + 16];
	struct vbuf b = {buf, (uint32_t)n, false};

	memcpy(buf, s, n);
	return vq_request(&tx, &b, 1, NULL);
}

/* console_byte() - wait for one, for as long as it takes */
static char console_byte(void)
{
	static char buf[64];
	static uint32_t have, next;
	struct vbuf b = {buf, sizeof(buf), true};

	if (next == have) {
		vq_add(&rx, &b, 1);
		vq_kick(&rx);
		while (vq_take(&rx, &have) < 0)
			cpu_relax();
		next = 0;
	}
	return have && have <= sizeof(buf) ? buf[next++] : '\0';
}

static size_t console_line(void)
{
	size_t n = 0;

	while (n < LINE - 1) {
		char c = console_byte();

		line[n++] = c;
		if (c == '\n')
			break;
	}
	line[n] = '\0';
	return n;
}

int main(void)
{
	static const char hello[] = "hello from the virtio console\n", got[] = "got: ";

	if (!vio_find(&con, VIRTIO_ID_CONSOLE, 0) ||
	    !vio_begin(&con, UINT64_C(1) << VIRTIO_CONSOLE_F_EMERG_WRITE) ||
	    !vq_init(&rx, &con, 0, 16) || !vq_init(&tx, &con, 1, 16))
		return 1;
	vio_driver_ok(&con);
	for (const char *p = "!\n";
	     con.features >> VIRTIO_CONSOLE_F_EMERG_WRITE & 1 && *p; p++)
		write32(con.base + VIRTIO_MMIO_CONFIG +
				offsetof(struct virtio_console_config, emerg_wr),
			(uint32_t)*p);
	if (!console_say(hello, sizeof(hello) - 1))
		return 1;
	for (;;) {
		size_t n = console_line();

		if (!console_say(got, sizeof(got) - 1) || !console_say(line, n))
			return 1;
		if (!strcmp(line, "bye\n"))
			return 0;
	}
}

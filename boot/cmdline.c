/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline - the kernel's command line: ours, extended or replaced by the operator.
 *
 * Ours says only what is right for every guest of this machine; what comes later on the
 * line wins, so --append can take back any of it.
 */
#include "boot/cmdline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"
#include "vmm/layout_x86.h"

#define CMDLINE_OURS_MAX   512 /* all the fixed words */
#define CMDLINE_DEVICE_MAX 80  /* one virtio_mmio.device= */

struct cmdline {
	char *text;
	size_t len, cap;
};

/* Add a word, after a space unless it is the first */
__attribute__((format(printf, 2, 3))) static void cmdline_add(struct cmdline *c,
							      const char *fmt, ...)
{
	size_t room = c->cap - c->len;
	va_list ap;
	int n;

	if (c->len) {
		c->text[c->len++] = ' ';
		room--;
	}
	va_start(ap, fmt);
	n = vsnprintf(c->text + c->len, room, fmt, ap);
	va_end(ap);
	BUG_ON(n < 0 || (size_t)n >= room); /* cap was reckoned wrong */
	c->len += (size_t)n;
}

static void cmdline_add_console(struct cmdline *c, const struct config *cfg)
{
	if (cfg->console == CONSOLE_SERIAL)
		cmdline_add(c, "console=ttyS0");
	if (cfg->console == CONSOLE_VIRTIO)
		cmdline_add(c, "console=hvc0");
}

static void cmdline_add_root(struct cmdline *c, const struct config *cfg)
{
	if (cfg->ndisk && cfg->ninitrd == 0)
		cmdline_add(c, "root=/dev/vda %s", cfg->disk[0].readonly ? "ro" : "rw");
}

/* A panic resets the machine at once, and warmly, so that it can be told from a reboot
 * (LAYOUT_REBOOT_FLAG).  Linux before 5.1 knows no panic_warm and takes the p for "by
 * port 0xcf9", so the way to reset is named after it.
 */
static void cmdline_add_reboot(struct cmdline *c, const struct platform *p)
{
	cmdline_add(c, "panic=-1 reboot=panic_warm,%s", p->acpi ? "acpi" : "kbd");
}

/* What would otherwise be looked for, exit by exit, and is not there */
static void cmdline_add_absent(struct cmdline *c, const struct platform *p,
			       const struct gmem *m)
{
	unsigned int uarts = 0;

	for (unsigned int i = 0; i < p->ndev; i++)
		uarts += p->dev[i].kind == DEVICE_SERIAL;
	cmdline_add(c, "8250.nr_uarts=%u pci=off", uarts);
	/* virtio-mmio reaches all of memory: no 64 MiB of bounce buffers for it */
	if (gmem_end(m) > LAYOUT_RAM_HIGH)
		cmdline_add(c, "swiotlb=noforce");
	/* ACPI says that there is no keyboard or mouse; without it Linux must be told. */
	if (!p->acpi)
		cmdline_add(c, "acpi=off i8042.noaux i8042.nokbd");
}

/* Without ACPI there is nothing else to find the devices by. */
static void cmdline_add_devices(struct cmdline *c, const struct platform *p)
{
	for (unsigned int i = 0; !p->acpi && i < p->ndev; i++) {
		const struct platform_device *d = &p->dev[i];

		if (d->kind == DEVICE_VIRTIO_MMIO)
			cmdline_add(c, "virtio_mmio.device=0x%llx@0x%llx:%u",
				    (unsigned long long)d->len,
				    (unsigned long long)d->base, d->gsi);
	}
}

char *cmdline_build(const struct config *cfg, const struct platform *p,
		    const struct gmem *m)
{
	struct cmdline c = {.cap = CMDLINE_OURS_MAX + p->ndev * CMDLINE_DEVICE_MAX +
				   (cfg->append ? strlen(cfg->append) : 0)};

	if (cfg->cmdline)
		return strdup(cfg->cmdline);
	c.text = malloc(c.cap);
	if (!c.text)
		return NULL;
	cmdline_add_console(&c, cfg);
	cmdline_add_root(&c, cfg);
	cmdline_add_reboot(&c, p);
	cmdline_add(&c, "random.trust_cpu=on");
	cmdline_add_absent(&c, p, m);
	cmdline_add_devices(&c, p);
	if (cfg->append && *cfg->append)
		cmdline_add(&c, "%s", cfg->append);
	return c.text;
}

int cmdline_write(struct gmem *m, const char *text, const struct kernel *k, struct err *e)
{
	size_t max = MIN((size_t)k->cmdline_max, (size_t)LAYOUT_CMDLINE_MAX - 1);
	size_t len = strlen(text);

	if (len > max)
		return err_set(e, E2BIG,
			       "command line: has %zu characters, but this kernel takes "
			       "at most %zu; shorten --append or --cmdline",
			       len, max);
	BUG_ON(gmem_write(m, LAYOUT_CMDLINE, text, len + 1) < 0);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline - the kernel's command line: ours, extended or replaced by the operator.
 *
 * Ours has only words that are right for every guest of this machine; later words on the line
 * win, so --append can override any of them. Those of a unified kernel image come first: it was
 * made for another machine, whose console we do not have.
 */
#include "boot/cmdline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/cmdline_arch.h"
#include "boot/uki.h"
#include "vmm/core/util.h"

#define CMDLINE_OURS_MAX   512 /* all the fixed words */
#define CMDLINE_DEVICE_MAX 80  /* one virtio_mmio.device= */

#define CMDLINE_BOUNCE_FREE (4 * GIB) /* Linux assumes that devices reach this far */

void cmdline_add(struct cmdline *c, const char *fmt, ...)
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
	BUG_ON(n < 0 || (size_t)n >= room); /* cap was computed wrongly */
	c->len += (size_t)n;
}

/* Linux takes a word with a dot for a module's parameter and ignores it: these are for our
 * images' init (docs/console.md).
 */
static void cmdline_add_console(struct cmdline *c, const struct config *cfg)
{
	if (cfg->console == CONSOLE_SERIAL)
		cmdline_add(c, "console=ttyS0");
	if (cfg->console == CONSOLE_VIRTIO)
		cmdline_add(c, "console=hvc0");
	if (cfg->console_reader == READER_TERMINAL)
		cmdline_add(c, "microvm.console=terminal");
	if (cfg->console_reader == READER_PLAIN)
		cmdline_add(c, "microvm.console=plain");
}

static void cmdline_add_root(struct cmdline *c, const struct config *cfg,
			     const struct kernel_file *f)
{
	if (cfg->ninitrd || f->initrd.size)
		return;
	if (cfg->ndisk)
		cmdline_add(c, "root=/dev/vda %s", cfg->disk[0].readonly ? "ro" : "rw");
	else if (cfg->npmem)
		cmdline_add(c, "root=/dev/pmem0 %s", cfg->pmem[0].readonly ? "ro" : "rw");
}

/* Absent hardware that Linux would otherwise search for, exit by exit */
static void cmdline_add_absent(struct cmdline *c, const struct platform *p,
			       const struct gmem *m)
{
	unsigned int uarts = 0;

	for (unsigned int i = 0; i < p->ndev; i++)
		uarts += p->dev[i].kind == DEVICE_SERIAL;
	cmdline_add(c, "8250.nr_uarts=%u", uarts);
	/* virtio-mmio reaches all of memory: no 64 MiB of bounce buffers for it */
	if (gmem_end(m) > CMDLINE_BOUNCE_FREE)
		cmdline_add(c, "swiotlb=noforce");
}

/* Without the word that chooses a profile, if @f has such */
static const char *cmdline_words(const struct kernel_file *f, const char *words)
{
	if (f->uki)
		(void)uki_profile(words, &words);
	return words ? words : "";
}

char *cmdline_build(const struct config *cfg, const struct platform *p,
		    const struct kernel_file *f, const struct gmem *m)
{
	const char *append = cmdline_words(f, cfg->append), *own = f->words;
	struct cmdline c = {.cap = CMDLINE_OURS_MAX + p->ndev * CMDLINE_DEVICE_MAX +
				   strlen(append) + (own ? strlen(own) : 0)};

	if (cfg->cmdline)
		return strdup(cmdline_words(f, cfg->cmdline));
	c.text = malloc(c.cap);
	if (!c.text)
		return NULL;
	if (own && *own)
		cmdline_add(&c, "%s", own);
	cmdline_add_console(&c, cfg);
	cmdline_add_root(&c, cfg, f);
	cmdline_add(&c, "random.trust_cpu=on");
	/* The cipher code's self-tests are half of the instructions of a stock kernel until init.
	 * Under fips=1 Linux runs them all the same.
	 */
	cmdline_add(&c, "cryptomgr.notests");
	cmdline_add_absent(&c, p, m);
	cmdline_arch_add(&c, p);
	if (*append)
		cmdline_add(&c, "%s", append);
	return c.text;
}

int cmdline_check(const char *text, size_t max, struct err *e)
{
	size_t len = strlen(text);

	if (len > max)
		return err_set(e, E2BIG,
			       "command line: has %zu characters, but this kernel takes "
			       "at most %zu; shorten --append or --cmdline",
			       len, max);
	return 0;
}

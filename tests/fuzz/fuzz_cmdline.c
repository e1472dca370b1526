/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_cmdline - any machine and any --append give one line that ends in it, whole in guest
 * memory or refused.
 */
#include "boot/cmdline.h"
#include "tests/fuzz/fuzz_kernel_x86.h"

/* Ahead of the text in the input */
struct fuzz_machine {
	uint8_t console, ndisk, readonly, ninitrd, acpi, replace, ndev, high;
	uint32_t cmdline_max;
	uint64_t base, len;
	uint32_t gsi;
} __attribute__((packed));

static void fuzz_fill(const struct fuzz_machine *in, struct config *cfg,
		      struct platform *p)
{
	cfg->console = (enum config_console)(in->console % 3);
	cfg->ndisk = in->ndisk % (CONFIG_DISKS_MAX + 1);
	cfg->disk[0].readonly = in->readonly & 1;
	cfg->ninitrd = in->ninitrd % (CONFIG_INITRDS_MAX + 1);
	p->acpi = in->acpi & 1;
	p->ndev = in->ndev % (PLATFORM_DEVICES_MAX + 1);
	for (unsigned int i = 0; i < p->ndev; i++) {
		p->dev[i].kind = i % 7 ? DEVICE_VIRTIO_MMIO : DEVICE_SERIAL;
		p->dev[i].base = in->base + i;
		p->dev[i].len = in->len;
		p->dev[i].gsi = in->gsi;
	}
}

static void fuzz_line(const struct fuzz_machine *in, char *text)
{
	struct config cfg = {.append = text};
	struct kernel k = {.cmdline_max = in->cmdline_max};
	struct platform p = {.ncpu = 1};
	struct kernel_file f = {.head_len = 0};
	struct err e = {0};
	struct gmem m;
	char *line;

	fuzz_ram(&m);
	if (in->high & 1)
		(void)gmem_add(&m, LAYOUT_RAM_HIGH, MIB, &e);
	fuzz_fill(in, &cfg, &p);
	if (in->replace & 1)
		cfg.cmdline = text;
	line = cmdline_build(&cfg, &p, &f, &m);
	BUG_ON(!line || strlen(line) < strlen(text));
	BUG_ON(strcmp(line + strlen(line) - strlen(text), text) != 0);
	if (cmdline_write(&m, line, &k, &e) == 0)
		BUG_ON(strlen(line) > k.cmdline_max ||
		       strcmp(gmem_slice(&m, LAYOUT_CMDLINE, 1), line) != 0);
	else
		BUG_ON(strlen(line) <= k.cmdline_max &&
		       strlen(line) < LAYOUT_CMDLINE_MAX);
	free(line);
	gmem_fini(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_machine in;
	char *text;

	if (len < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	text = calloc(1, len - sizeof(in) + 1);
	if (!text)
		return 0;
	memcpy(text, data + sizeof(in), len - sizeof(in));
	fuzz_line(&in, text);
	free(text);
	return 0;
}

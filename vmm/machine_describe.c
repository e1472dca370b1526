/* SPDX-License-Identifier: Apache-2.0 */
/* machine_describe - the resolved machine in words, for --dry-run. */
#include "vmm/machine.h"

#include "devices/virtio/pmem.h"
#include "vmm/core/util.h"

static void describe_range(FILE *f, const char *what, uint64_t start, uint64_t end)
{
	if (end > start)
		(void)fprintf(f, "  0x%010llx-0x%010llx  %s\n", (unsigned long long)start,
			      (unsigned long long)(end - 1), what);
}

static void describe_memory(const struct machine *m, FILE *f)
{
	(void)fprintf(f, "memory: %llu MiB\n",
		      (unsigned long long)(gmem_size(&m->mem) / MIB));
	for (unsigned int i = 0; i < m->mem.n; i++)
		describe_range(f, m->mem.hugepages ? "RAM in huge pages" : "RAM",
			       m->mem.region[i].gpa,
			       m->mem.region[i].gpa + m->mem.region[i].len);
	for (unsigned int i = 0; i < m->npmem; i++) {
		struct pmem_range r = pmem_range(m->pmem[i]);

		describe_range(f, r.readonly ? "pmem, read-only" : "pmem", r.gpa,
			       r.gpa + r.len);
	}
	describe_range(f, "ACPI tables", m->boot.acpi_start, m->boot.acpi_end);
	describe_range(f, "device tree", m->boot.dtb, m->boot.dtb + m->boot.dtb_len);
	describe_range(f, "kernel", m->boot.kernel_start, m->boot.kernel_end);
	describe_range(f, "initrd", m->boot.initrd_start, m->boot.initrd_end);
}

static void describe_bus(const struct bus *b, FILE *f)
{
	for (unsigned int i = 0; i < b->n; i++) {
		const struct device *d = b->dev[i];

		(void)fprintf(f, "  %-10s %-6s 0x%llx-0x%llx", d->name, b->name,
			      (unsigned long long)d->base,
			      (unsigned long long)(d->base + d->len - 1));
		if (d->irq.fd >= 0)
			(void)fprintf(f, "  GSI %u", d->irq.gsi);
		(void)fputc('\n', f);
	}
}

static void describe_end(FILE *f, const struct config_end *end)
{
	static const char *const kinds[] = {[END_UNSET] = "stdio",
					    [END_STDIO] = "stdio",
					    [END_PTY] = "a pseudo terminal",
					    [END_UNIX] = "unix socket",
					    [END_FILE] = "file"};

	(void)fprintf(f, "%s%s%s\n", kinds[end->kind], end->path ? " " : "",
		      end->path ? end->path : "");
}

static void describe_consoles(const struct config *cfg, FILE *f)
{
	if (cfg->console != CONSOLE_NONE) {
		(void)fprintf(f, "console: %s on ",
			      cfg->console == CONSOLE_VIRTIO ? "virtio" : "serial");
		describe_end(f, &cfg->console_end);
	}
	for (unsigned int i = 0; i < cfg->nport; i++) {
		(void)fprintf(f, "port %s: ", cfg->port[i].name);
		describe_end(f, &cfg->port[i].end);
	}
}

void machine_describe(const struct machine *m, FILE *f)
{
	(void)fprintf(f, "name: %s\nvCPUs: %u\nkernel: %s, %s entry at 0x%llx\n",
		      m->cfg->name, m->cfg->ncpu, m->cfg->kernel, m->boot.protocol,
		      (unsigned long long)m->boot.entry);
	describe_memory(m, f);
	(void)fprintf(f, "devices:\n");
	describe_bus(&m->pio, f);
	describe_bus(&m->mmio, f);
	describe_consoles(m->cfg, f);
	(void)fprintf(f, "command line: %s\n", m->boot.cmdline);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* machine_describe - the resolved machine in words, for --dry-run. */
#include "vmm/machine/machine.h"

#include <string.h>

#include "devices/backend/disk_image.h"
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
					    [END_FILE] = "file",
					    [END_FD] = "inherited descriptor"};

	if (end->kind == END_FD) {
		(void)fprintf(f, "%s %d\n", kinds[end->kind], end->fd);
		return;
	}
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

/* ---- what the devices are connected to ---- */

static void describe_disk(const struct config_disk *d, FILE *f)
{
	if (d->vhost_user) {
		(void)fprintf(f, "served at vhost-user socket %s\n", d->vhost_user);
		return;
	}
	(void)fprintf(f, "%s, %s, %s", d->path, disk_image_name(disk_image_format(d)),
		      d->overlay    ? "never written"
		      : d->readonly ? "read-only"
				    : "writable");
	if (d->overlay)
		(void)fprintf(f, ", what changes goes to overlay %s", d->overlay);
	if (d->block)
		(void)fprintf(f, ", sectors of %u bytes", d->block);
	(void)fprintf(f, "%s%s%s%s\n", d->serial ? ", serial " : "",
		      d->serial ? d->serial : "", d->direct ? ", direct" : "",
		      d->cache == CACHE_WRITETHROUGH ? ", writethrough" : "");
}

/* As the operator wrote it: passt separates the address by another character */
static void describe_publish(const struct config_publish *p, FILE *f)
{
	int len = (int)strcspn(p->spec, "/");

	(void)fprintf(f, ", publishes %.*s%s%s%s", len, p->spec, p->spec[len] ? ":" : "",
		      p->spec[len] ? p->spec + len + 1 : "", p->udp ? "/udp" : "");
}

static void describe_net(const struct config_net *n, FILE *f)
{
	if (n->user)
		(void)fprintf(f, "user network (passt)");
	else if (n->vhost_user)
		(void)fprintf(f, "served at vhost-user socket %s", n->vhost_user);
	else if (n->tap)
		(void)fprintf(f, "tap %s", n->tap);
	else
		(void)fprintf(f, "tap that is open as fd %d", n->fd);
	if (n->netns)
		(void)fprintf(f, " in network namespace %s", n->netns);
	if (n->vhost)
		(void)fprintf(f, ", served by the kernel (vhost)");
	for (unsigned int i = 0; i < n->npublish; i++)
		describe_publish(&n->publish[i], f);
	if (n->host)
		(void)fprintf(f, ", reaches this host's loopback");
	if (n->has_mac)
		(void)fprintf(f, ", MAC %02x:%02x:%02x:%02x:%02x:%02x", n->mac[0],
			      n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5]);
	(void)fputc('\n', f);
}

static void describe_share(const struct config_share *s, FILE *f)
{
	(void)fprintf(f, "share %s: %s%s%s\n", s->tag,
		      s->socket ? "served at vhost-user socket " : "",
		      s->socket ? s->socket : s->path,
		      s->socket     ? ""
		      : s->readonly ? ", read-only"
				    : ", writable");
}

static void describe_storage(const struct config *cfg, FILE *f)
{
	for (unsigned int i = 0; i < cfg->ndisk; i++) {
		(void)fprintf(f, "disk %s: ", cfg->disk[i].id);
		describe_disk(&cfg->disk[i], f);
	}
	for (unsigned int i = 0; i < cfg->npmem; i++)
		(void)fprintf(f, "pmem pmem%u: %s, %s\n", i, cfg->pmem[i].path,
			      cfg->pmem[i].readonly ? "read-only" : "writable");
	for (unsigned int i = 0; i < cfg->nshare; i++)
		describe_share(&cfg->share[i], f);
}

static void describe_network(const struct config *cfg, FILE *f)
{
	for (unsigned int i = 0; i < cfg->nnet; i++) {
		(void)fprintf(f, "card %s: ", cfg->net[i].id);
		describe_net(&cfg->net[i], f);
	}
	if (cfg->vsock.path)
		(void)fprintf(f, "vsock: unix socket %s, the guest's CID is %u\n",
			      cfg->vsock.path, cfg->vsock.cid);
}

void machine_describe(const struct machine *m, FILE *f)
{
	(void)fprintf(f, "name: %s\nvCPUs: %u\nkernel: %s, %s entry at 0x%llx\n",
		      m->cfg->name, m->cfg->ncpu, config_kernel_name(m->cfg),
		      m->boot.protocol, (unsigned long long)m->boot.entry);
	describe_memory(m, f);
	(void)fprintf(f, "devices:\n");
	describe_bus(&m->pio, f);
	describe_bus(&m->mmio, f);
	describe_storage(m->cfg, f);
	describe_network(m->cfg, f);
	describe_consoles(m->cfg, f);
	(void)fprintf(f, "command line: %s\n", m->boot.cmdline);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* config_life - defaults, cross-checks, end. */
#include "vmm/settings/config_life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/settings/config_files.h"
#include "vmm/settings/config_kernel.h"
#include "vmm/settings/config_line.h"
#include "vmm/core/util.h"
#include "vmm/settings/said.h"

#define CONFIG_HUGEPAGE (2 * MIB)

int config_string(char **dst, const char *value, struct err *e)
{
	char *copy = strdup(value);

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	free(*dst);
	*dst = copy;
	return 0;
}

void config_disk_clear(struct config_disk *d)
{
	free(d->path);
	free(d->serial);
	free(d->overlay);
	free(d->vhost_user);
	*d = (struct config_disk){0};
}

void config_net_clear(struct config_net *n)
{
	free(n->tap);
	free(n->netns);
	free(n->vhost_user);
	*n = (struct config_net){.fd = -1};
}

void config_share_clear(struct config_share *s)
{
	free(s->path);
	free(s->socket);
	free(s->tag);
	*s = (struct config_share){0};
}

void config_pmem_clear(struct config_pmem *p)
{
	free(p->path);
	*p = (struct config_pmem){0};
}

void config_end_clear(struct config_end *end)
{
	free(end->path);
	*end = (struct config_end){0};
}

void config_port_clear(struct config_port *p)
{
	free(p->name);
	config_end_clear(&p->end);
	*p = (struct config_port){0};
}

int config_init(struct config *cfg, struct err *e)
{
	*cfg = (struct config){
		.ncpu = 1,
		.memory = 256 * MIB,
		.console = CONSOLE_SERIAL,
		.console_end = {.kind = END_STDIO},
		.acpi = true,
		.stop_timeout_ns = CONFIG_STOP_NS,
		.log_level = LOG_WARN,
		.jail = MICROVM_JAIL,
	};
	for (unsigned int i = 0; i < CONFIG_NETS_MAX; i++)
		cfg->net[i].fd = -1;
	return config_string(&cfg->name, CONFIG_NAME, e);
}

void config_console_reader(struct config *cfg, bool in, bool out)
{
	cfg->console_reader = READER_UNKNOWN;
	if (cfg->console == CONSOLE_NONE)
		return;
	if (cfg->console_end.kind == END_STDIO || cfg->console_end.kind == END_UNSET)
		cfg->console_reader = in && out ? READER_TERMINAL : READER_PLAIN;
	else if (cfg->console_end.kind == END_FILE)
		cfg->console_reader = READER_PLAIN;
}

void config_fini(struct config *cfg)
{
	free(cfg->kernel);
	free(cfg->kernel_name);
	for (unsigned int i = 0; i < CONFIG_INITRDS_MAX; i++)
		free(cfg->initrd[i]);
	free(cfg->append);
	free(cfg->cmdline);
	/* All slots, not just the counted ones: one may be half filled. */
	for (unsigned int i = 0; i < CONFIG_DISKS_MAX; i++)
		config_disk_clear(&cfg->disk[i]);
	for (unsigned int i = 0; i < CONFIG_NETS_MAX; i++)
		config_net_clear(&cfg->net[i]);
	free(cfg->vsock.path);
	for (unsigned int i = 0; i < CONFIG_SHARES_MAX; i++)
		config_share_clear(&cfg->share[i]);
	for (unsigned int i = 0; i < CONFIG_PMEMS_MAX; i++)
		config_pmem_clear(&cfg->pmem[i]);
	config_end_clear(&cfg->console_end);
	for (unsigned int i = 0; i < CONFIG_PORTS_MAX; i++)
		config_port_clear(&cfg->port[i]);
	free(cfg->name);
	free(cfg->pidfile);
	free(cfg->control);
	free(cfg->report);
	free(cfg->cgroup);
	free(cfg->dump_dtb);
	free(cfg->dtb_overlay);
	said_fini(cfg);
	*cfg = (struct config){0};
}

static int config_check_memory(const struct config *cfg, struct err *e)
{
	unsigned long long kib = cfg->memory / KIB;

	if (cfg->memory % PAGE_SIZE)
		return err_usage(
			e,
			"memory: %llu bytes is not a multiple of 4 KiB; give whole "
			"MiB, like %lluM",
			(unsigned long long)cfg->memory, kib / 1024 + 1);
	if (cfg->hugepages && cfg->memory % CONFIG_HUGEPAGE)
		return err_usage(e,
				 "memory: %llu KiB is not a multiple of 2 MiB, as "
				 "hugepages=on needs; give an even number of MiB",
				 kib);
	return 0;
}

static bool config_same_tap(const struct config_net *a, const struct config_net *b)
{
	return a->tap && b->tap && strcmp(a->tap, b->tap) == 0 &&
	       strcmp(a->netns ? a->netns : "", b->netns ? b->netns : "") == 0;
}

static int config_check_net(const struct config *cfg, struct err *e)
{
	for (unsigned int i = 0; i < cfg->nnet; i++) {
		const struct config_net *a = &cfg->net[i];

		for (unsigned int j = 0; j < i; j++) {
			const struct config_net *b = &cfg->net[j];

			if (config_same_tap(a, b))
				return err_usage(
					e,
					"net: two cards use the tap \"%s\"; give "
					"each its own",
					a->tap);
			if (a->has_mac && b->has_mac &&
			    memcmp(a->mac, b->mac, sizeof(a->mac)) == 0)
				return err_usage(
					e,
					"net: cards %u and %u have the same mac; "
					"give each its own",
					j, i);
		}
	}
	return 0;
}

/* A descriptor has one user: a second one would find it closed */
static int config_check_fds(const struct config *cfg, struct err *e)
{
	int fd[1 + CONFIG_PORTS_MAX + CONFIG_NETS_MAX];
	unsigned int n = 0;

	if (cfg->console_end.kind == END_FD)
		fd[n++] = cfg->console_end.fd;
	for (unsigned int i = 0; i < cfg->nport; i++)
		if (cfg->port[i].end.kind == END_FD)
			fd[n++] = cfg->port[i].end.fd;
	for (unsigned int i = 0; i < cfg->nnet; i++)
		if (cfg->net[i].fd >= 0)
			fd[n++] = cfg->net[i].fd;
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int j = 0; j < i; j++)
			if (fd[i] == fd[j])
				return err_usage(e,
						 "fd=%d is given twice; give each card, "
						 "port and console a descriptor of its "
						 "own",
						 fd[i]);
	return 0;
}

/* The machine compares those of other kinds itself */
static int config_check_ids(const struct config *cfg, struct err *e)
{
	const char *id[CONFIG_DISKS_MAX + CONFIG_NETS_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < cfg->ndisk; i++)
		id[n++] = cfg->disk[i].id;
	for (unsigned int i = 0; i < cfg->nnet; i++)
		id[n++] = cfg->net[i].id;
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int j = 0; j < i; j++)
			if (strcmp(id[i], id[j]) == 0)
				return err_usage(
					e,
					"id: two devices are named \"%s\" (without "
					"id= disks are blk0, blk1, ... and cards net0, "
					"net1, ...); give each its own",
					id[i]);
	return 0;
}

/* A file or a terminal that two would write to, or a socket that both would make */
static bool config_same_end(const struct config_end *a, const struct config_end *b)
{
	if (a->kind == END_STDIO || b->kind == END_STDIO)
		return a->kind == b->kind;
	return a->path && b->path && config_same_file(a->path, b->path);
}

static int config_check_port(const struct config *cfg, unsigned int i, struct err *e)
{
	const struct config_port *p = &cfg->port[i];
	bool same = cfg->console != CONSOLE_NONE &&
		    config_same_end(&cfg->console_end, &p->end);

	if (same)
		return err_usage(e,
				 "port: \"%s\" and the console both go to %s; give each "
				 "its own",
				 p->name, p->end.path ? p->end.path : "stdio");
	for (unsigned int j = 0; j < i; j++) {
		if (strcmp(p->name, cfg->port[j].name) == 0)
			return err_usage(e,
					 "port: two ports are named \"%s\"; give each "
					 "its own name",
					 p->name);
		if (config_same_end(&p->end, &cfg->port[j].end))
			return err_usage(e,
					 "port: \"%s\" and \"%s\" both go to %s; give "
					 "each its own",
					 cfg->port[j].name, p->name,
					 p->end.path ? p->end.path : "stdio");
	}
	return 0;
}

static int config_check_balloon(const struct config *cfg, struct err *e)
{
	const struct config_balloon *b = &cfg->balloon;

	if (!b->on || b->size <= cfg->memory - MIN(cfg->memory, CONFIG_MEMORY_MIN))
		return 0;
	return err_usage(e,
			 "balloon: %llu MiB would leave less than 16 MiB of the guest's "
			 "%llu MiB; give less, or more --memory",
			 (unsigned long long)(b->size / MIB),
			 (unsigned long long)(cfg->memory / MIB));
}

static int config_check_limits(const struct config *cfg, struct err *e)
{
	bool off = cfg->cgroup && strcmp(cfg->cgroup, "off") == 0;

	if (cfg->cpu_limit && (off || cfg->jail == JAIL_OFF))
		return err_usage(e,
				 "--cpu-limit is a limit of the machine's control group, "
				 "which %s does not make; leave one of them out",
				 off ? "--cgroup off" : "--jail off");
	if (cfg->cgroup && !off && cfg->jail == JAIL_OFF)
		return err_usage(e, "--cgroup makes a group for a jailed machine, and "
				    "--jail off jails none; leave one of them out");
	return 0;
}

int config_validate(struct config *cfg, struct err *e)
{
	int rc;

	if (!cfg->kernel)
		return err_usage(
			e, "there is no kernel to boot; give one with --kernel PATH");
	if (cfg->append && cfg->cmdline)
		return err_usage(e,
				 "--append adds to the kernel command line and --cmdline "
				 "replaces it; give one of them");
	rc = config_find_kernel(cfg, e);
	if (rc == 0)
		rc = config_check_memory(cfg, e);
	if (rc == 0)
		rc = config_check_balloon(cfg, e);
	if (rc == 0)
		rc = config_check_limits(cfg, e);
	if (rc == 0)
		rc = config_check_net(cfg, e);
	if (rc == 0)
		rc = config_check_ids(cfg, e);
	if (rc == 0)
		rc = config_check_fds(cfg, e);
	for (unsigned int i = 0; rc == 0 && i < cfg->nport; i++)
		rc = config_check_port(cfg, i, e);
	if (rc == 0)
		rc = config_check_files(cfg, e);
	config_read_line(cfg);
	return rc;
}

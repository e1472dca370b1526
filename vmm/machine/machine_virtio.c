/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_virtio - the table of virtio devices.
 *
 * A new device is its file in devices/virtio/, a prototype in devices.h and a row here.
 * Windows and interrupt lines are given out in this order, so that the first disk is
 * /dev/vda whatever else there is.
 */
#include "vmm/machine/machine_parts.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/pmem.h"
#include "vmm/core/util.h"

/* Opened late: of a device the eventfd of each queue's kicks, timers of its limits and link, its
 * connection to a back end; of the machine io_uring and its wakes, the workers' eventfd, a
 * report's files and timer, a file that is begun anew
 */
#define MACHINE_FDS_DEVICE  4
#define MACHINE_FDS_LATE    12
#define MACHINE_FDS_CONTROL 10 /* the control socket, its timer, and its clients */

static unsigned int count_disks(const struct config *cfg)
{
	return cfg->ndisk;
}

static unsigned int count_nets(const struct config *cfg)
{
	return cfg->nnet;
}

static unsigned int count_consoles(const struct config *cfg)
{
	return cfg->console == CONSOLE_VIRTIO;
}

static unsigned int count_ports(const struct config *cfg)
{
	return cfg->nport != 0;
}

static unsigned int count_vsocks(const struct config *cfg)
{
	return cfg->vsock.path != NULL;
}

static unsigned int count_balloons(const struct config *cfg)
{
	return cfg->balloon.on;
}

static unsigned int count_pmems(const struct config *cfg)
{
	return cfg->npmem;
}

static unsigned int count_one(const struct config *cfg)
{
	(void)cfg;
	return 1;
}

static unsigned int count_buttons(const struct config *cfg)
{
	return machine_arch_button(cfg);
}

static unsigned int count_shares(const struct config *cfg)
{
	return cfg->nshare;
}

static struct virtio_dev *create_disk(const struct virtio_env *env, unsigned int i,
				      struct err *e)
{
	return blk_is_elsewhere(&env->cfg->disk[i]) ? blk_vhost_create(env, i, e)
						    : blk_create(env, i, e);
}

static struct virtio_dev *create_net(const struct virtio_env *env, unsigned int i,
				     struct err *e)
{
	return net_is_elsewhere(&env->cfg->net[i]) ? net_vhost_create(env, i, e)
						   : net_create(env, i, e);
}

static struct virtio_dev *create_console(const struct virtio_env *env, unsigned int i,
					 struct err *e)
{
	struct machine *m = container_of(env, struct machine, env);

	(void)i;
	return console_create(env, m->tty, e);
}

static struct virtio_dev *create_ports(const struct virtio_env *env, unsigned int i,
				       struct err *e)
{
	struct machine *m = container_of(env, struct machine, env);

	(void)i;
	return ports_create(env, m->port_tty, e);
}

/* Each begins on a boundary that suits any guest: Linux adds memory by sections, of up to
 * 512 MiB.
 */
static struct virtio_dev *create_pmem(const struct virtio_env *env, unsigned int i,
				      struct err *e)
{
	struct machine *m = container_of(env, struct machine, env);
	gpa_t start, end;
	struct pmem_range r;
	struct virtio_dev *v;

	machine_arch_pmem(m, &start, &end);
	if (i > 0) {
		r = pmem_range(m->pmem[i - 1]);
		start = r.gpa + r.len;
	}
	start = ALIGN_UP(start, GIB);
	v = pmem_create(env, i, start, e);
	if (!v)
		return NULL;
	r = pmem_range(v);
	if (start > end || r.len > end - start) {
		err_set(e, ENOSPC,
			"--pmem: %s does not fit into the guest's address space; use "
			"--disk, or less --memory",
			env->cfg->pmem[i].path);
		v->ops->destroy(v);
		return NULL;
	}
	m->pmem[m->npmem++] = v;
	return v;
}

/* The device's clients get its lock only now that the device has its registers */
static void machine_join_ttys(struct machine *m, struct virtio_dev *v)
{
	if (v->id != VIRTIO_ID_CONSOLE)
		return;
	if (!(v->offered & 1ULL << VIRTIO_CONSOLE_F_MULTIPORT)) {
		m->console = console_client(v);
		return;
	}
	for (unsigned int i = 0; i < m->cfg->nport; i++)
		m->port[i] = ports_client(v, i);
}

static const struct {
	unsigned int (*count)(const struct config *cfg);
	struct virtio_dev *(*create)(const struct virtio_env *env, unsigned int i,
				     struct err *e);
} virtio_table[] = {
	{count_disks, create_disk},       {count_nets, create_net},
	{count_consoles, create_console}, {count_one, rng_create},
	{count_vsocks, vsock_create},     {count_shares, fs_create},
	{count_ports, create_ports},      {count_balloons, balloon_create},
	{count_pmems, create_pmem},       {count_buttons, input_create},
};

/* Logs, report and snapshot tell devices apart by name; an operator chose some names */
static int machine_check_name(const struct machine *m, const char *name, struct err *e)
{
	for (unsigned int i = 0; i < m->ndev; i++)
		if (strcmp(m->dev[i]->name, name) == 0)
			return err_usage(
				e,
				"id: the machine has another device named \"%s\"; "
				"give the disk or card another id",
				name);
	return 0;
}

static int machine_add_virtio(struct machine *m, struct virtio_dev *v, struct err *e)
{
	unsigned int i = m->nvirtio;
	uint8_t *page = m->virtio_pages + (size_t)i * VIRTIO_MMIO_WINDOW;
	struct device *d = NULL;
	unsigned int gsi;
	uint64_t base;

	if (machine_check_name(m, v->name, e) == 0 &&
	    machine_arch_virtio_slot(m, i, &base, &gsi, e) == 0)
		d = virtio_mmio_create(v, base, gsi, page, e);
	if (!d) {
		v->ops->destroy(v);
		return -e->code;
	}
	m->nvirtio++;
	machine_join_ttys(m, v);
	if (v->id == VIRTIO_ID_BLOCK)
		m->disk[m->ndisk++] = v;
	if (v->id == VIRTIO_ID_BALLOON)
		m->balloon = v;
	if (v->id == VIRTIO_ID_VSOCK)
		m->vsock = v;
	if (v->id == VIRTIO_ID_INPUT)
		m->button = v;
	m->late_fds += v->nvq + MACHINE_FDS_DEVICE;
	return machine_add_device(m, &m->mmio, d, e);
}

int machine_reserve_fds(struct machine *m, struct err *e)
{
	unsigned int peers = 1 + m->cfg->nport + /* of consoles and ports */
			     (m->cfg->control ? MACHINE_FDS_CONTROL : 0);

	return m->vsock ? vsock_reserve(m->vsock, m->late_fds + peers + MACHINE_FDS_LATE,
					e)
			: 0;
}

int machine_add_pmem(struct machine *m, struct err *e)
{
	for (unsigned int i = 0; i < m->npmem; i++) {
		struct pmem_range r = pmem_range(m->pmem[i]);
		int rc = kvm_add_file(&m->kvm, r.gpa, r.host, r.len, r.readonly, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

bool machine_virtio_shares(const struct config *cfg)
{
	bool shares = cfg->nshare > 0;

	for (unsigned int i = 0; i < cfg->ndisk; i++)
		shares |= blk_is_elsewhere(&cfg->disk[i]);
	for (unsigned int i = 0; i < cfg->nnet; i++)
		shares |= cfg->net[i].vhost_user != NULL;
	return shares;
}

unsigned int machine_virtio_count(const struct config *cfg)
{
	unsigned int total = 0;

	for (unsigned int t = 0; t < ARRAY_SIZE(virtio_table); t++)
		total += virtio_table[t].count(cfg);
	return total;
}

/* The register images, to become guest memory: whole pages of the host's, which on arm64 may be
 * larger than an image. The bytes after the last one read as they would without.
 */
static int machine_alloc_images(struct machine *m, struct err *e)
{
	size_t used = (size_t)machine_virtio_count(m->cfg) * VIRTIO_MMIO_WINDOW;
	size_t len = ALIGN_UP(used, (size_t)sysconf(_SC_PAGESIZE));
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (p == MAP_FAILED)
		return err_set(e, errno, "no memory for the devices: %s",
			       strerror(errno));
	memset(p + used, 0xff, len - used);
	m->virtio_pages = p;
	m->virtio_pages_len = len;
	return 0;
}

int machine_virtio_devices(struct machine *m, struct err *e)
{
	if (machine_alloc_images(m, e) < 0)
		return -e->code;
	for (unsigned int t = 0; t < ARRAY_SIZE(virtio_table); t++) {
		for (unsigned int i = 0; i < virtio_table[t].count(m->cfg); i++) {
			struct virtio_dev *v = virtio_table[t].create(&m->env, i, e);
			int rc = v ? machine_add_virtio(m, v, e) : -e->code;

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

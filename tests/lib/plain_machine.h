/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain_machine - a machine without KVM that has every device which can be saved, for tests of its state.
 *
 * plain_build() once; plain_live() brings its devices to life, plain_collect() brings them to rest and saves
 * all, plain_reset() leaves them as plain_build() did.
 */
#ifndef MICROVM_TESTS_PLAIN_MACHINE_H
#define MICROVM_TESTS_PLAIN_MACHINE_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/util.h"
#include "vmm/machine/machine_parts.h"
#include "vmm/settings/config_life.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/snapshot_files.h"
#include "vmm/snapshot/snapshot_parts.h"

#define PLAIN_QUEUE 16 /* entries */

static struct machine m;
static struct config cfg;
static struct err e;

/* ---- the parts of a machine that are KVM's ---- */

static inline void no_route(struct msi_router *r, unsigned int gsi,
			    const struct msi_msg *msg)
{
	(void)r, (void)gsi, (void)msg;
}

static inline void no_route_all(struct msi_router *r, unsigned int n,
				const struct msi_msg *const msg[])
{
	(void)r, (void)n, (void)msg;
}

static inline bool none_kept(struct msi_router *r, unsigned int gsi)
{
	(void)r;
	return gsi % 2;
}

static inline void no_push(struct msi_router *r, unsigned int gsi)
{
	(void)r, (void)gsi;
}

static inline int no_bind(struct doorbells *d, uint64_t addr, uint32_t value, int fd)
{
	(void)d, (void)addr, (void)value, (void)fd;
	return 0;
}

/* ---- the machine ---- */

static inline char *a_file(const char *name, uint64_t len)
{
	int fd = memfd_create(name, 0);
	char *path;

	BUG_ON(fd < 0 || ftruncate(fd, (off_t)len) < 0);
	BUG_ON(asprintf(&path, "/proc/self/fd/%d", fd) < 0);
	return path;
}

static inline void plain_settings(void)
{
	BUG_ON(config_init(&cfg, &e) < 0);
	cfg.memory = 16 * MIB;
	cfg.early = true;
	cfg.log_level = log_threshold = LOG_ERROR;
	cfg.console = CONSOLE_VIRTIO;
	cfg.console_end =
		(struct config_end){.kind = END_FILE, .path = strdup("/dev/null")};
	cfg.disk[0] = (struct config_disk){.id = "blk0", .path = a_file("disk", MIB)};
	cfg.disk[0].io = DISK_IO_SYNC;
	cfg.disk[1] = (struct config_disk){
		.id = "blk1", .path = a_file("limited", MIB), .readonly = true};
	cfg.disk[1].rate.ops = 1000;
	cfg.ndisk = 2;
	cfg.vsock = (struct config_vsock){.path = strdup("unused"), .cid = 3};
	cfg.nport = 2;
	for (unsigned int i = 0; i < 2; i++)
		cfg.port[i] = (struct config_port){
			strdup(i ? "b" : "a"),
			{.kind = END_FILE, .path = strdup("/dev/null")}};
	cfg.balloon = (struct config_balloon){true, MIB, true, true};
	cfg.pmem[0].path = a_file("pmem", 2 * MIB);
	cfg.npmem = 1;
	cfg.exit_port = (struct config_exit_port){.on = true, .port = 0xf4};
}

static inline void plain_build(void)
{
	plain_settings();
	m.cfg = &cfg;
	m.loop = loop_create();
	m.mmio.name = "memory";
	m.pio.name = "port";
	m.kvm.dev_fd = m.kvm.vm_fd = -1;
	m.doorbells.bind = no_bind;
	m.irqchip.router =
		(struct msi_router){no_route, no_route_all, none_kept, no_push};
	m.vcpu_host = (struct vcpu_host){.mmio = &m.mmio, .pio = &m.pio, .mem = &m.mem};
	machine_ends_init(&m);
	gmem_init(&m.mem, false);
	m.pool = work_pool_create(m.loop, 2);
	m.ring = ring_create(m.loop);
	m.env = (struct virtio_env){.cfg = &cfg,
				    .mem = &m.mem,
				    .loop = m.loop,
				    .pool = m.pool,
				    .ring = m.ring,
				    .doorbells = &m.doorbells};
	BUG_ON(machine_arch_memory(&m, &e) < 0 || machine_build_ttys(&m, &e) < 0 ||
	       machine_arch_devices(&m, &e) < 0);
	cfg.dry_run = true; /* no socket for vsock */
	BUG_ON(machine_virtio_devices(&m, &e) < 0);
	cfg.dry_run = false;
	for (unsigned int i = 0; i < m.ndev; i++)
		BUG_ON(m.dev[i]->ops->arm(m.dev[i], &e) < 0);
}

static inline void plain_reg(const struct device *d, unsigned int at, uint32_t v)
{
	bus_write(&m.mmio, d->base + at, sizeof(v), v);
}

static inline void plain_pump(void)
{
	loop_stop(m.loop);
	BUG_ON(loop_run(m.loop) < 0);
}

static inline void plain_bring_up(const struct device *d, uint64_t ring)
{
	plain_reg(d, VIRTIO_MMIO_STATUS, 1);
	plain_reg(d, VIRTIO_MMIO_STATUS, 3);
	for (uint32_t i = 0; i < 2; i++) {
		plain_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		plain_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		plain_reg(d, VIRTIO_MMIO_DRIVER_FEATURES,
			  (uint32_t)bus_read(&m.mmio,
					     d->base + VIRTIO_MMIO_DEVICE_FEATURES, 4));
	}
	plain_reg(d, VIRTIO_MMIO_STATUS, 11);
	for (uint32_t q = 0; q < 8; q++, ring += 3 * PAGE_SIZE) {
		plain_reg(d, VIRTIO_MMIO_QUEUE_SEL, q);
		plain_reg(d, VIRTIO_MMIO_QUEUE_NUM, PLAIN_QUEUE);
		plain_reg(d, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)ring);
		plain_reg(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)(ring + PAGE_SIZE));
		plain_reg(d, VIRTIO_MMIO_QUEUE_USED_LOW,
			  (uint32_t)(ring + 2 * PAGE_SIZE));
		plain_reg(d, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	plain_reg(d, VIRTIO_MMIO_STATUS, 15);
}

static inline bool plain_is_virtio(unsigned int i)
{
	return i >= m.ndev - m.nvirtio;
}

static inline void plain_collect(struct state *s)
{
	char *text = strdup("{}");
	struct machine_file f[MACHINE_FILES_MAX];

	for (bool rests = false; !rests;) {
		rests = true;
		for (unsigned int i = 0; i < m.ndev; i++) {
			pthread_mutex_lock(&m.dev[i]->lock);
			rests &= m.dev[i]->ops->rest(m.dev[i]);
			pthread_mutex_unlock(&m.dev[i]->lock);
		}
		plain_pump();
	}
	state_collector(s);
	snapshot_settings_state(&text, s);
	snapshot_layout_state(&m.mem, s);
	machine_state(&m, s);
	snapshot_files_state(s, f, machine_files(&m, f));
	free(text);
}

static inline void plain_wake(struct device *d)
{
	pthread_mutex_lock(&d->lock);
	d->ops->wake(d);
	pthread_mutex_unlock(&d->lock);
}

static inline void plain_reset(void)
{
	for (unsigned int i = 0; i < m.ndev; i++)
		if (plain_is_virtio(i)) {
			plain_reg(m.dev[i], VIRTIO_MMIO_STATUS, 0);
			plain_wake(m.dev[i]);
		}
}

static inline void plain_live(void)
{
	for (unsigned int i = 0; i < m.ndev; i++)
		plain_wake(m.dev[i]);
	for (unsigned int i = 0; i < m.ndev; i++)
		if (plain_is_virtio(i))
			plain_bring_up(m.dev[i], MIB + i * 256 * KIB);
}

#endif

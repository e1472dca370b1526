/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_snapshot - a state of any bytes with right checksums, loaded into a machine without KVM that has every
 * device which can be saved; then each queue is kicked, and the machine is saved again.
 *
 * The input says what is changed of the state of a machine whose devices are alive (or as after a reset, or is
 * the sections themselves): so lengths and names are right for as long as it leaves them alone.
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/core/util.h"
#include "vmm/machine/machine_parts.h"
#include "vmm/settings/config_life.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/snapshot_files.h"
#include "vmm/snapshot/snapshot_parts.h"

#define FUZZ_MAX   (1u << 20)
#define QUEUE_SIZE 16

static struct machine m;
static struct config cfg;
static struct err e;
static struct state alive, at_reset;
static uint8_t file[SNAPSHOT_HEADER + FUZZ_MAX];

/* ---- the parts of a machine that are KVM's ---- */

static void no_route(struct msi_router *r, unsigned int gsi, const struct msi_msg *msg)
{
	(void)r, (void)gsi, (void)msg;
}

static void no_route_all(struct msi_router *r, unsigned int n,
			 const struct msi_msg *const msg[])
{
	(void)r, (void)n, (void)msg;
}

static bool none_kept(struct msi_router *r, unsigned int gsi)
{
	(void)r;
	return gsi % 2;
}

static void no_push(struct msi_router *r, unsigned int gsi)
{
	(void)r, (void)gsi;
}

static int no_bind(struct doorbells *d, uint64_t addr, uint32_t value, int fd)
{
	(void)d, (void)addr, (void)value, (void)fd;
	return 0;
}

/* ---- the machine ---- */

static char *a_file(const char *name, uint64_t len)
{
	int fd = memfd_create(name, 0);
	char *path;

	BUG_ON(fd < 0 || ftruncate(fd, (off_t)len) < 0);
	BUG_ON(asprintf(&path, "/proc/self/fd/%d", fd) < 0);
	return path;
}

static void settings(void)
{
	BUG_ON(config_init(&cfg, &e) < 0);
	cfg.memory = 16 * MIB;
	cfg.early = true;
	cfg.log_level = log_threshold = LOG_ERROR - 1;
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

static void build(void)
{
	settings();
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

static void reg(const struct device *d, unsigned int at, uint32_t v)
{
	bus_write(&m.mmio, d->base + at, sizeof(v), v);
}

static void pump(void)
{
	loop_stop(m.loop);
	BUG_ON(loop_run(m.loop) < 0);
}

static void bring_up(const struct device *d, uint64_t ring)
{
	reg(d, VIRTIO_MMIO_STATUS, 3);
	for (uint32_t i = 0; i < 2; i++) {
		reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		reg(d, VIRTIO_MMIO_DRIVER_FEATURES, i ? 1 : UINT32_MAX);
	}
	reg(d, VIRTIO_MMIO_STATUS, 11);
	for (uint32_t q = 0; q < 8; q++, ring += 3 * PAGE_SIZE) {
		reg(d, VIRTIO_MMIO_QUEUE_SEL, q);
		reg(d, VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE);
		reg(d, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)ring);
		reg(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)(ring + PAGE_SIZE));
		reg(d, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)(ring + 2 * PAGE_SIZE));
		reg(d, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	reg(d, VIRTIO_MMIO_STATUS, 15);
}

static bool is_virtio(unsigned int i)
{
	return i >= m.ndev - m.nvirtio;
}

static void collect(struct state *s)
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
		pump();
	}
	state_collector(s);
	snapshot_settings_state(&text, s);
	snapshot_layout_state(&m.mem, s);
	machine_state(&m, s);
	snapshot_files_state(s, f, machine_files(&m, f));
	free(text);
}

static void reset(void)
{
	for (unsigned int i = 0; i < m.ndev; i++)
		if (is_virtio(i))
			reg(m.dev[i], VIRTIO_MMIO_STATUS, 0);
}

static void begin(void)
{
	build();
	collect(&at_reset);
	for (unsigned int i = 0; i < m.ndev; i++)
		if (is_virtio(i))
			bring_up(m.dev[i], MIB + i * 256 * KIB);
	collect(&alive);
	BUG_ON(!state_ok(&alive) || !state_ok(&at_reset) || alive.pos > FUZZ_MAX);
	reset();
}

/* ---- an input ---- */

static size_t sections(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in), *to = file + SNAPSHOT_HEADER;
	const struct state *base = how & 1 ? &at_reset : &alive;
	size_t len = base->pos;

	if (how & 2) {
		len = MIN(in->n, (size_t)FUZZ_MAX);
		fuzz_bytes(in, to, len);
		return len;
	}
	memcpy(to, base->buf, len);
	while (in->n) {
		size_t at = fuzz_u16(in) % len;
		uint8_t n = fuzz_u8(in);

		if (n & 0x80)
			memset(to + at, fuzz_u8(in), MIN((size_t)n & 0x7f, len - at));
		else
			fuzz_bytes(in, to + at, MIN((size_t)n % 9, len - at));
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_in in = {p, n};
	struct snapshot s = {.load.memory = -1, .path = (char *)(uintptr_t) "snapshot"};
	struct state again;

	if (!m.loop)
		begin();
	s.file = file;
	s.len = SNAPSHOT_HEADER + sections(&in);
	snapshot_header(file, file + SNAPSHOT_HEADER, s.len - SNAPSHOT_HEADER);
	e.msg[0] = '\0';
	if (snapshot_take(&s, &e) == 0 && s.load.state(&s.load, &m, &e) == 0) {
		for (unsigned int i = 0; i < m.ndev; i++) {
			pthread_mutex_lock(&m.dev[i]->lock);
			m.dev[i]->ops->wake(m.dev[i]);
			pthread_mutex_unlock(&m.dev[i]->lock);
			for (uint32_t q = 0; is_virtio(i) && q < 8; q++)
				reg(m.dev[i], VIRTIO_MMIO_QUEUE_NOTIFY, q);
		}
		pump();
		collect(&again);
		state_free(&again);
	}
	fuzz_check(n > 1 || *p & 2 || !e.msg[0]); /* what was saved is loaded */
	free(s.settings);
	reset();
	pump();
	return 0;
}

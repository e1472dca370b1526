/* SPDX-License-Identifier: Apache-2.0 */
/* machine - the machine, assembled on one page and taken apart in reverse. */
#include "vmm/machine/machine.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "boot/file.h"
#include "devices/backend/disk.h"
#include "devices/backend/ring.h"
#include "vmm/core/limits.h"
#include "vmm/core/log.h"
#include "vmm/core/thread.h"
#include "vmm/core/util.h"
#include "vmm/machine/kernel_config.h"
#include "vmm/machine/machine_parts.h"

void machine_end_with(struct machine *m, const struct exit_verdict *v)
{
	if (atomic_exchange(&m->has_verdict, true))
		return;
	m->verdict = *v;
	m->vcpu_host.over = true;
	loop_stop(m->loop);
}

void machine_end(struct machine *m, enum exit_cause cause, const char *fmt, ...)
{
	struct exit_verdict v = exit_verdict(cause);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(v.detail, sizeof(v.detail), fmt, ap);
	va_end(ap);
	machine_end_with(m, &v);
}

/* A device becomes live: the first one also turns the register images into guest memory, so that
 * reading a register costs no exit. Not done at the start, because a guest that uses no virtio
 * device should not pay for the slot; and done before any doorbell, because a slot change after
 * one has to wait for KVM.
 */
static int machine_bind_doorbell(struct doorbells *d, uint64_t addr, uint32_t value,
				 int fd)
{
	struct machine *m = container_of(d, struct machine, doorbells);
	struct device *first = m->dev[m->ndev - m->nvirtio];
	struct err e;
	int rc;

	pthread_mutex_lock(&m->doorbell_lock);
	if (!m->virtio_pages_mapped) {
		m->virtio_pages_mapped = true;
		if (kvm_add_rom(&m->kvm, first->base, m->virtio_pages,
				m->virtio_pages_len, &e) < 0)
			log_debug("register reads will leave the guest: %s", e.msg);
	}
	rc = m->kvm.doorbells.bind(&m->kvm.doorbells, addr, value, fd);
	pthread_mutex_unlock(&m->doorbell_lock);
	return rc;
}

int machine_add_device(struct machine *m, struct bus *b, struct device *d, struct err *e)
{
	if (!d)
		return err_set(e, ENOMEM,
			       "no memory or no file descriptor for a device; see ulimit "
			       "-v and ulimit -n");
	BUG_ON(m->ndev == MACHINE_DEVICES_MAX);
	m->dev[m->ndev++] = d;
	return bus_add(b, d, e);
}

static void machine_init(struct machine *m, const struct config *cfg, struct loop *loop)
{
	memset(m, 0, sizeof(*m));
	m->cfg = cfg;
	m->loop = loop;
	m->mmio.name = "memory";
	m->pio.name = "port";
	m->kvm.dev_fd = m->kvm.vm_fd = -1;
	m->signals.fd = m->timeout.fd = m->live.timer.fd = m->ends.timer.fd = -1;
	m->stop.timer.fd = m->life.timer.fd = -1;
	m->doorbells.bind = machine_bind_doorbell;
	pthread_mutex_init(&m->doorbell_lock, NULL);
	m->vcpu_host = (struct vcpu_host){
		.mmio = &m->mmio, .pio = &m->pio, .mem = &m->mem, .early = cfg->early};
	machine_ends_init(m);
	gmem_init(&m->mem, cfg->hugepages);
	if (machine_virtio_shares(cfg))
		gmem_share(&m->mem);
}

static int machine_check_memory(const struct config *cfg, struct err *e)
{
	struct sysinfo si;
	uint64_t host;

	if (sysinfo(&si) < 0)
		return err_set(e, errno, "memory: the host does not say how much it has");
	host = ((uint64_t)si.totalram + si.totalswap) * si.mem_unit;
	if (cfg->memory > host)
		return err_set(
			e, ENOMEM,
			"--memory: %llu MiB is more than this host's %llu MiB; give the "
			"guest less",
			(unsigned long long)(cfg->memory / MIB),
			(unsigned long long)(host / MIB));
	return 0;
}

static int machine_build_workers(struct machine *m, struct err *e)
{
	/* Disks add as many as they can keep busy, and cards that another process serves. Threads
	 * are started only when needed.
	 */
	m->pool = work_pool_create(m->loop,
				   m->cfg->balloon.on +
					   (m->cfg->report || m->cfg->control ? 1U : 0U));
	m->ring = ring_create(m->loop);
	if (!m->pool || !m->ring)
		return err_set(e, ENOMEM, "no memory for the workers");
	m->env = (struct virtio_env){.cfg = m->cfg,
				     .mem = &m->mem,
				     .loop = m->loop,
				     .pool = m->pool,
				     .ring = m->ring,
				     .doorbells = &m->doorbells};
	if (m->cfg->dry_run)
		return 0;
	return machine_build_ttys(m, e);
}

static int machine_build_boot(struct machine *m, struct err *e)
{
	struct platform p = {.ncpu = m->cfg->ncpu};

	machine_arch_platform(m, &p);
	for (unsigned int i = 0; i < m->ndev; i++) {
		const struct device *d = m->dev[i];

		p.dev[p.ndev++] = (struct platform_device){.kind = d->kind,
							   .base = d->base,
							   .len = d->len,
							   .gsi = d->irq.gsi};
	}
	return boot_load(m->cfg, &p, &m->mem, &m->boot, e);
}

/* The cure if this host has no usable KVM. Not in kvm_open()'s sentence, because doctor also
 * prints that
 */
static void machine_advise(struct err *e)
{
	size_t n = strlen(e->msg);

	switch (e->code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
	case EACCES:
	case EPERM:
	case ENOTSUP:
		(void)snprintf(e->msg + n, sizeof(e->msg) - n,
			       "; microvm doctor says what else this host lacks, and "
			       "guest-images/nested in front of the command line runs it "
			       "without KVM");
	}
}

/* Without KVM: can at least the boot files be opened? If not, that error is more useful */
static int machine_check_boot(const struct config *cfg, struct err *e)
{
	struct boot_file f;
	int rc = boot_file_open(&f, "kernel", cfg->kernel, e);

	boot_file_close(&f);
	for (unsigned int i = 0; rc == 0 && i < cfg->ninitrd; i++) {
		rc = boot_file_open(&f, "initrd", cfg->initrd[i], e);
		boot_file_close(&f);
	}
	return rc;
}

/* KVM comes first: its refusal is reported before anything is opened */
static int machine_open_kvm(struct machine *m, struct err *e)
{
	unsigned int n = m->cfg->ncpu, max;
	int rc = kvm_open(&m->kvm, e), missing;
	struct err files;

	if (rc < 0) {
		missing = machine_check_boot(m->cfg, &files);
		if (missing < 0)
			*e = files;
		else
			machine_advise(e);
		return missing < 0 ? missing : rc;
	}
	max = kvm_max_vcpus(&m->kvm);
	if (n > max)
		return err_set(e, EINVAL, "--cpus %u: this host's KVM allows %u at most",
			       n, max);
	return 0;
}

/* After the vCPUs are made: connect what depends on them */
static int machine_connect(struct machine *m, struct err *e)
{
	int rc = irqchip_complete(&m->irqchip, e);

	for (unsigned int i = 0; rc == 0 && i < m->ndev; i++)
		if (m->dev[i]->irq.fd >= 0)
			rc = irqchip_add(&m->irqchip, &m->dev[i]->irq, e);
	for (unsigned int i = 0; rc == 0 && i < m->nvcpu; i++)
		rc = vcpu_finish(&m->vcpu[i], &m->kvm, e);
	return rc;
}

static int machine_build_vcpus(struct machine *m, struct err *e)
{
	unsigned int n = m->cfg->ncpu;
	int rc;

	m->vcpu = calloc(n, sizeof(*m->vcpu));
	if (!m->vcpu)
		return err_set(e, ENOMEM, "no memory for %u vCPUs", n);
	for (unsigned int i = 0; i < n; i++) {
		m->nvcpu++;
		rc = vcpu_create(&m->vcpu[i], &m->kvm, i, n, &m->vcpu_host, e);
		if (rc < 0)
			return rc;
	}
	if ((rc = machine_connect(m, e)) < 0 || m->cfg->load)
		return rc;
	return vcpu_set_entry(&m->vcpu[0], &m->boot, e);
}

/* With --early, devices open what they need here, not when their drivers start. All threads then
 * allocate in one arena: each makes another by system calls that it may not have.
 */
static int machine_arm(struct machine *m, struct err *e)
{
	int rc = 0;

	if (!m->cfg->early)
		return 0;
	(void)mallopt(M_ARENA_MAX, 1);
	for (unsigned int i = 0; rc == 0 && i < m->ndev; i++)
		rc = m->dev[i]->ops->arm(m->dev[i], e);
	return rc < 0 ? rc : machine_report_arm(m, e);
}

int machine_build(struct machine *m, const struct config *cfg, struct loop *loop,
		  struct err *e)
{
	bool run = !cfg->dry_run;
	int rc;

	machine_init(m, cfg, loop);
	m->kernel.file.fd = -1;
	if (!cfg->load)
		kernel_config_warn(cfg, &m->kernel);
	if ((rc = machine_check_memory(cfg, e)) < 0 ||
	    (run && (rc = machine_open_kvm(m, e)) < 0) ||
	    (rc = machine_arch_memory(m, e)) < 0 ||
	    (rc = machine_build_workers(m, e)) < 0 ||
	    (rc = machine_arch_devices(m, e)) < 0 ||
	    (rc = machine_virtio_devices(m, e)) < 0 ||
	    (rc = cfg->load ? cfg->load->map(cfg->load, &m->mem, e)
			    : machine_build_boot(m, e)) < 0)
		return rc;
	if (!run)
		return 0;
	if ((rc = kvm_add_memory(&m->kvm, &m->mem, e)) < 0 ||
	    (rc = machine_add_pmem(m, e)) < 0 || (rc = machine_map_genid(m, e)) < 0 ||
	    (rc = irqchip_init(&m->irqchip, &m->kvm, cfg, e)) < 0 ||
	    (rc = machine_build_vcpus(m, e)) < 0 || (rc = machine_arm(m, e)) < 0 ||
	    (cfg->load && (rc = cfg->load->state(cfg->load, m, e)) < 0))
		return rc;
	rc = machine_watch_events(m, e);
	return rc < 0 ? rc : machine_reserve_fds(m, e);
}

void machine_seal(struct machine *m)
{
	cleanup_close_fd(&m->kvm.dev_fd);
	m->kvm.dev_fd = -1;
}

/* All threads of a machine that is armed early, and the vCPUs' of any. They rest */
static int machine_start_threads(struct machine *m, struct err *e)
{
	int rc = m->cfg->early ? work_pool_arm(m->pool) : 0;

	if (rc < 0)
		return err_set(e, -rc, "no threads for what blocks: %s%s", strerror(-rc),
			       limits_thread_cure(-rc));
	for (unsigned int i = 0; rc == 0 && i < m->nvcpu; i++)
		rc = vcpu_start(&m->vcpu[i], e);
	return rc;
}

struct exit_verdict machine_run(struct machine *m)
{
	struct err e;
	int rc;

	vcpu_init_signals();
	if (machine_start_ttys(m, &e) < 0 || machine_start_threads(m, &e) < 0)
		machine_end(m, CAUSE_HOST_ERROR, "%s", e.msg);
	thread_begins(THREAD_LOOP, 0);            /* while the others begin */
	for (unsigned int i = m->nvcpu; i-- > 0;) /* vCPU 0 last: it wakes the others */
		vcpu_resume(&m->vcpu[i]);
	rc = loop_run(m->loop);
	if (rc < 0)
		machine_end(m, CAUSE_HOST_ERROR, "the event loop failed: %s",
			    strerror(-rc));
	for (unsigned int i = 0; i < m->nvcpu; i++)
		vcpu_stop(&m->vcpu[i]);
	m->stuck = !machine_rest(m);
	for (unsigned int i = 0; i < m->nvcpu && !m->stuck; i++)
		vcpu_join(&m->vcpu[i]);
	return m->verdict;
}

void machine_destroy(struct machine *m)
{
	if (m->stuck) {
		machine_destroy_ttys(m);
		return;
	}
	work_pool_destroy(m->pool); /* a worker may be writing a report of all below */
	for (unsigned int i = m->nvcpu; i-- > 0;)
		vcpu_destroy(&m->vcpu[i]);
	free(m->stacks);
	if (!m->cfg->early)
		free(m->vcpu);
	irqchip_fini(&m->irqchip);
	machine_unwatch_events(m);
	machine_destroy_ttys(m);
	while (m->ndev > 0) {
		struct device *d = m->dev[--m->ndev];

		d->ops->destroy(d);
	}
	if (m->virtio_pages)
		munmap(m->virtio_pages, m->virtio_pages_len);
	ring_destroy(m->ring);
	kvm_close(&m->kvm);
	free(m->boot.cmdline);
	gmem_fini(&m->mem);
	pthread_mutex_destroy(&m->doorbell_lock);
}

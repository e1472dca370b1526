/* SPDX-License-Identifier: Apache-2.0 */
/* kvm - open /dev/kvm, make a VM, give it memory, lines and doorbells. */
#include "vmm/kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_arch.h"
#include "vmm/kvm/kvm_node.h"

#define KVM_DEVICE       "/dev/kvm"
#define VCPUS_UNREPORTED 4 /* what KVM's API document says when neither cap is there */

static int kvm_explain_open(struct err *e, int code)
{
	char cure[160];

	switch (code) {
	case ENOENT:
		return err_set(e, code,
			       KVM_DEVICE " is missing: %s, or give the container "
					  "--device " KVM_DEVICE,
			       kvm_arch_cure);
	case EACCES: /* by the node's mode */
		kvm_node_cure(KVM_DEVICE, "/etc/group", cure, sizeof(cure));
		return err_set(e, code, KVM_DEVICE ": no permission: %s", cure);
	case EPERM: /* by a control group, whatever the mode */
		return err_set(e, code,
			       KVM_DEVICE
			       " is not permitted to this container or "
			       "service; give the container --device " KVM_DEVICE
			       ", or the service DeviceAllow=" KVM_DEVICE);
	default:
		return err_set(e, code, KVM_DEVICE ": %s", strerror(code));
	}
}

/* Capabilities that we need on any architecture */
static int kvm_check_caps(const struct kvm *k, struct err *e)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
		{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
		{KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
		{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(need); i++)
		if (kvm_has(k, need[i].cap) <= 0)
			return err_set(
				e, ENOTSUP,
				"this host's KVM has no %s; a newer host kernel is needed "
				"(see microvm doctor)",
				need[i].name);
	return 0;
}

static int kvm_bind_doorbell(struct doorbells *d, uint64_t addr, uint32_t value, int fd)
{
	struct kvm *k = container_of(d, struct kvm, doorbells);
	struct kvm_ioeventfd io = {
		.addr = addr,
		.len = 4,
		.fd = fd,
		.datamatch = value,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return ioctl(k->vm_fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

int kvm_open(struct kvm *k, struct err *e)
{
	int v;

	*k = (struct kvm){.dev_fd = -1, .vm_fd = -1, .doorbells.bind = kvm_bind_doorbell};
	k->dev_fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	if (k->dev_fd < 0)
		return kvm_explain_open(e, errno);
	v = ioctl(k->dev_fd, KVM_GET_API_VERSION, 0);
	if (v < 0)
		return err_set(e, errno,
			       KVM_DEVICE
			       " is something else than KVM: %s; what is mounted there?",
			       strerror(errno));
	if (v != KVM_API_VERSION)
		return err_set(e, ENOTSUP, KVM_DEVICE " speaks API version %d, not %d", v,
			       KVM_API_VERSION);
	do
		k->vm_fd = ioctl(k->dev_fd, KVM_CREATE_VM, kvm_arch_type(k));
	while (k->vm_fd < 0 && errno == EINTR); /* a signal while KVM starts its worker */
	if (k->vm_fd < 0)
		return err_set(
			e, errno,
			"KVM cannot make a virtual machine: %s; another hypervisor may "
			"hold the processor (see microvm doctor)",
			strerror(errno));
	k->vm_fd = fd_place(k->vm_fd, FD_VM);
	if (k->vm_fd < 0)
		return err_set(e, errno, "the virtual machine's descriptor: %s",
			       strerror(errno));
	v = ioctl(k->dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (v < (int)sizeof(struct kvm_run))
		return err_set(e, ENOTSUP, "KVM's vCPU area has only %d bytes", v);
	k->run_size = (size_t)v;
	v = kvm_arch_open(k, e);
	return v < 0 ? v : kvm_check_caps(k, e);
}

void kvm_close(struct kvm *k)
{
	kvm_arch_close(k);
	if (k->vm_fd >= 0)
		close(k->vm_fd);
	if (k->dev_fd >= 0)
		close(k->dev_fd);
	k->vm_fd = k->dev_fd = -1;
	free(k->to_save);
	k->to_save = NULL;
}

int kvm_has(const struct kvm *k, int cap)
{
	int v = ioctl(k->vm_fd, KVM_CHECK_EXTENSION, cap);

	return v < 0 ? 0 : v;
}

unsigned int kvm_max_vcpus(const struct kvm *k)
{
	int v = kvm_has(k, KVM_CAP_MAX_VCPUS);

	if (v == 0)
		v = kvm_has(k, KVM_CAP_NR_VCPUS);
	return v == 0 ? VCPUS_UNREPORTED : (unsigned int)v;
}

static int kvm_set_slot(struct kvm *k, gpa_t gpa, void *host, uint64_t len,
			uint32_t flags, struct err *e)
{
	struct kvm_userspace_memory_region r = {
		.slot = k->nslot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (uintptr_t)host,
	};

	if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		return err_set(e, errno, "KVM refuses %llu KiB of memory at 0x%llx: %s",
			       (unsigned long long)(len / KIB), (unsigned long long)gpa,
			       strerror(errno));
	k->nslot++;
	return 0;
}

int kvm_add_memory(struct kvm *k, const struct gmem *m, struct err *e)
{
	for (unsigned int i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];
		int rc = kvm_set_slot(k, r->gpa, r->host, r->len, 0, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int kvm_add_rom(struct kvm *k, gpa_t gpa, void *host, uint64_t len, struct err *e)
{
	int rc = kvm_arch_check_rom(k, e);

	return rc < 0 ? rc : kvm_set_slot(k, gpa, host, len, KVM_MEM_READONLY, e);
}

int kvm_add_file(struct kvm *k, gpa_t gpa, void *host, uint64_t len, bool readonly,
		 struct err *e)
{
	return kvm_set_slot(k, gpa, host, len, readonly ? KVM_MEM_READONLY : 0, e);
}

int kvm_irqfd(struct kvm *k, const struct irq_line *line, bool on)
{
	struct kvm_irqfd io = {
		.fd = (uint32_t)line->fd,
		.gsi = line->gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(k->vm_fd, KVM_IRQFD, &io) < 0 ? -errno : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* vhost_net - the kernel's network queues, by ioctl. */
#include "devices/backend/vhost_net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"

#define VHOST_NET "/dev/vhost-net"

static int vhost_net_explain(int code, struct err *e)
{
	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return err_set(e, code,
			       "this host has no " VHOST_NET
			       "; load the module: modprobe "
			       "vhost_net");
	case EACCES:
	case EPERM:
		return err_set(e, code,
			       "this user may not open " VHOST_NET
			       "; join its group, kvm "
			       "as a rule");
	default:
		return err_set(e, code, VHOST_NET ": %s", strerror(code));
	}
}

int vhost_net_open(struct vhost_net *h, struct err *e)
{
	int code;

	*h = (struct vhost_net){.errors = -1};
	h->fd = MAX(fd_place(open(VHOST_NET, O_RDWR | O_CLOEXEC), FD_VHOST), -1);
	if (h->fd < 0)
		return vhost_net_explain(errno, e);
	h->errors = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (h->errors >= 0 && ioctl(h->fd, VHOST_SET_OWNER) == 0 &&
	    ioctl(h->fd, VHOST_GET_FEATURES, &h->features) == 0)
		return 0;
	code = errno;
	vhost_net_close(h);
	return vhost_net_explain(code, e);
}

void vhost_net_close(struct vhost_net *h)
{
	cleanup_close_fd(&h->fd);
	cleanup_close_fd(&h->errors);
	h->fd = h->errors = -1;
}

static int vhost_net_memory(struct vhost_net *h, const struct gmem *mem)
{
	cleanup_free struct vhost_memory *m =
		calloc(1, sizeof(*m) + GMEM_REGIONS_MAX * sizeof(m->regions[0]));

	if (!m)
		return -ENOMEM;
	m->nregions = mem->n;
	for (unsigned int i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];

		m->regions[i] = (struct vhost_memory_region){.guest_phys_addr = r->gpa,
							     .memory_size = r->len,
							     .userspace_addr =
								     (uintptr_t)r->host};
	}
	return ioctl(h->fd, VHOST_SET_MEM_TABLE, m) < 0 ? -errno : 0;
}

static uint64_t vhost_net_user(const struct gmem *mem, gpa_t gpa)
{
	return (uintptr_t)gmem_slice(mem, gpa, 1);
}

static int vhost_net_ring(struct vhost_net *h, const struct gmem *mem, unsigned int i,
			  const struct vhost_ring *r)
{
	struct vhost_vring_state num = {i, r->size}, base = {i, r->base};
	struct vhost_vring_addr addr = {.index = i,
					.desc_user_addr = vhost_net_user(mem, r->desc),
					.avail_user_addr = vhost_net_user(mem, r->avail),
					.used_user_addr = vhost_net_user(mem, r->used)};
	struct vhost_vring_file kick = {i, r->kick}, call = {i, r->call},
				err = {i, h->errors};

	if (ioctl(h->fd, VHOST_SET_VRING_NUM, &num) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_BASE, &base) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_ADDR, &addr) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_CALL, &call) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_ERR, &err) < 0 ||
	    ioctl(h->fd, VHOST_SET_VRING_KICK, &kick) < 0)
		return -errno;
	return 0;
}

int vhost_net_start(struct vhost_net *h, uint64_t features, const struct gmem *mem,
		    const struct vhost_ring ring[2], int tap)
{
	int rc = ioctl(h->fd, VHOST_SET_FEATURES, &features) < 0 ? -errno : 0;

	if (rc == 0)
		rc = vhost_net_memory(h, mem);
	for (unsigned int i = 0; rc == 0 && i < 2; i++)
		rc = vhost_net_ring(h, mem, i, &ring[i]);
	return rc < 0 ? rc : vhost_net_go_on(h, tap);
}

int vhost_net_go_on(struct vhost_net *h, int tap)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < 2; i++) {
		struct vhost_vring_file backend = {i, tap};

		rc = ioctl(h->fd, VHOST_NET_SET_BACKEND, &backend) < 0 ? -errno : 0;
	}
	if (rc < 0)
		vhost_net_stop(h);
	return rc;
}

void vhost_net_stop(struct vhost_net *h)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct vhost_vring_file none = {i, VHOST_FILE_UNBIND};

		(void)ioctl(h->fd, VHOST_NET_SET_BACKEND, &none);
	}
}

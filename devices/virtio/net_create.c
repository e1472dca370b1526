/* SPDX-License-Identifier: Apache-2.0 */
/* net_create - network devices on taps and on passt, and what each offers (virtio 1.2, 5.1.3). */
#include "devices/virtio/net.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "devices/backend/passt.h"
#include "devices/virtio/devices.h"
#include "vmm/core/util.h"

static uint64_t net_hash(uint64_t h, const char *s)
{
	do { /* FNV-1a, the NUL included */
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	} while (*s++);
	return h;
}

void net_mac(uint8_t mac[6], const struct config *cfg, const struct config_net *c,
	     const char *where)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (c->has_mac) {
		memcpy(mac, c->mac, sizeof(c->mac));
		return;
	}
	h = net_hash(net_hash(h, cfg->name ? cfg->name : ""), where);
	memcpy(mac, &h, sizeof(c->mac));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

static void net_features(struct net *n, const struct config_net *c)
{
	n->v.offered = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS |
		       1ULL << VIRTIO_NET_F_MRG_RXBUF;
	if (!n->stream) /* its frames have no header for them */
		n->v.offered |=
			1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 |
			1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN;
	n->v.offered |= n->tap.offloads;
	if (n->tap.offloads & TAP_USO) /* a kernel that hands it out also takes it */
		n->v.offered |= 1ULL << VIRTIO_NET_F_HOST_USO;
	if (n->tap.offloads)
		n->v.offered |= 1ULL << VIRTIO_NET_F_CTRL_GUEST_OFFLOADS;
	if (n->npair > 1)
		n->v.offered |= 1ULL << VIRTIO_NET_F_MQ;
	if (n->v.nvq > 2 * n->npair)
		n->v.offered |= 1ULL << VIRTIO_NET_F_CTRL_VQ |
				1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE;
	n->config.max_virtqueue_pairs = (uint16_t)n->npair;
	if (c->mtu) {
		n->v.offered |= 1ULL << VIRTIO_NET_F_MTU;
		n->config.mtu = c->mtu;
	}
}

/* On @tap, or on @stream with @fd; takes neither over if it fails */
static struct virtio_dev *net_new(const struct virtio_env *env, unsigned int i,
				  const struct tap *tap, struct netstream *stream, int fd,
				  struct err *e)
{
	struct net *n = calloc(1, sizeof(*n));
	unsigned int npair = stream ? 1 : tap->n;
	char where[sizeof("net4294967295")];

	if (n)
		n->pair = calloc(npair, sizeof(*n->pair));
	if (!n || !n->pair) {
		err_set(e, ENOMEM, "%s: out of memory", env->cfg->net[i].id);
		free(n);
		return NULL;
	}
	n->tap = *tap;
	n->stream = stream;
	n->npair = npair;
	n->v = (struct virtio_dev){
		.id = VIRTIO_ID_NET,
		.vq = n->vq,
		.nvq = 2 * npair + (npair > 1 || tap->offloads ? 1 : 0),
		.polled = true,
		.config = &n->config,
		.config_len = sizeof(n->config),
		.env = env,
	};
	(void)snprintf(n->v.name, sizeof(n->v.name), "%s", env->cfg->net[i].id);
	for (unsigned int qi = 0; qi < n->v.nvq; qi++)
		virtq_init(&n->vq[qi], NET_QUEUE);
	net_init(n, stream ? &fd : tap->fd, &env->cfg->net[i]);
	net_link_init(&n->link, &n->v, &n->config, &n->tap);
	/* an id may be given and changed: the guest's address stays */
	(void)snprintf(where, sizeof(where), "net%u", i);
	net_mac(n->config.mac, env->cfg, &env->cfg->net[i],
		n->stream ? where : n->tap.name);
	n->mac_given = env->cfg->net[i].has_mac;
	net_features(n, &env->cfg->net[i]);
	return &n->v;
}

struct virtio_dev *net_create_on(const struct virtio_env *env, unsigned int i,
				 const struct tap *tap, struct err *e)
{
	return net_new(env, i, tap, NULL, -1, e);
}

struct virtio_dev *net_create_stream(const struct virtio_env *env, unsigned int i, int fd,
				     struct err *e)
{
	const struct tap none = {.name = "passt"};
	struct netstream *s = netstream_create(fd);
	struct virtio_dev *v;

	if (!s) {
		err_set(e, ENOMEM, "%s: out of memory", env->cfg->net[i].id);
		return NULL;
	}
	v = net_new(env, i, &none, s, fd, e);
	if (!v)
		netstream_destroy(s);
	return v;
}

static struct virtio_dev *net_create_user(const struct virtio_env *env, unsigned int i,
					  struct err *e)
{
	/* A dry run has the card, and no peer at its other end */
	int fd = env->cfg->dry_run ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
				   : passt_start(&env->cfg->net[i], env->cfg->jail, e);

	if (fd < 0 && env->cfg->dry_run)
		err_set(e, errno, "%s: no socket: %s", env->cfg->net[i].id,
			strerror(errno));
	return fd < 0 ? NULL : net_create_stream(env, i, fd, e);
}

struct virtio_dev *net_create(const struct virtio_env *env, unsigned int i, struct err *e)
{
	struct virtio_dev *v;
	struct tap tap;

	if (env->cfg->net[i].user)
		return net_create_user(env, i, e);
	/* as for disks: a queue for each processor */
	if (tap_open(&tap, env->cfg, i, MIN(MAX(env->cfg->ncpu, 1U), NET_PAIRS_MAX + 0U),
		     e) < 0)
		return NULL;
	v = net_create_on(env, i, &tap, e);
	if (!v)
		tap_close(&tap);
	return v;
}

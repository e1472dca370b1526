/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pmem - virtio persistent memory (virtio 1.2, 5.19): a mapped file, and a queue of flushes.
 *
 * The file is mapped shared, so all its guests use the same pages of the host's cache. As for a
 * disk, after a failed flush none succeeds again.
 */
#include "devices/virtio/pmem.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/disk_engine.h"
#include "devices/backend/disk_image.h"
#include "vmm/core/shell.h"
#include "vmm/core/util.h"

#define PMEM_QUEUE    32
#define PMEM_OK       0
#define PMEM_EIO      1                   /* virtio 1.2, 5.19.6: ret */
#define PMEM_SIZE_MAX (UINT64_C(1) << 44) /* 16 TiB */

/* A flush on its way; one for each entry of the queue */
struct pmem_flush {
	struct disk_req io;
	uint16_t head;
	void *ret; /* the guest's, for 4 bytes */
};

struct pmem {
	struct virtio_dev v;
	struct virtq vq;
	struct virtio_pmem_config config;
	struct disk *disk;
	struct pmem_range range;
	struct virtq_chain c;
	struct pmem_flush flush[PMEM_QUEUE]; /* by head */
};

static struct pmem *pmem_of(const struct virtio_dev *v)
{
	return container_of(v, struct pmem, v);
}

static void pmem_answer(struct pmem *p, uint16_t head, void *to, uint32_t ret)
{
	ret = htole32(ret);
	memcpy(to, &ret, sizeof(ret));
	virtq_push(&p->vq, head, sizeof(ret));
	p->v.dev->io.requests++;
}

/* A device that is broken or being reset has no driver to answer. */
static void pmem_done(void *ctx, struct disk_req *list)
{
	struct pmem *p = ctx;

	for (; list && p->v.active; list = list->next) {
		struct pmem_flush *f = container_of(list, struct pmem_flush, io);

		pmem_answer(p, f->head, f->ret, f->io.result ? PMEM_EIO : PMEM_OK);
	}
	if (p->v.active)
		virtio_notify(&p->v, &p->vq);
}

/* Return: false, the chain is no request and the device is broken */
static bool pmem_request(struct pmem *p)
{
	struct pmem_flush *f = &p->flush[p->c.head];
	struct virtio_pmem_req req;
	void *ret = span_split_tail(&p->c.to_driver, sizeof(struct virtio_pmem_resp));

	if (!ret || !span_get(&p->c.from_driver, &req, sizeof(req))) {
		virtio_broken(&p->v, "request without a type or a place for the answer");
		return false;
	}
	if (le32toh(req.type) != VIRTIO_PMEM_REQ_TYPE_FLUSH) {
		pmem_answer(p, p->c.head, ret, PMEM_EIO);
	} else if (p->disk->readonly) {
		pmem_answer(p, p->c.head, ret, PMEM_OK);
	} else {
		*f = (struct pmem_flush){
			.io.op = DISK_FLUSH, .head = p->c.head, .ret = ret};
		disk_submit(p->disk, &f->io);
	}
	return true;
}

static void pmem_kick(struct virtio_dev *v, unsigned int qi)
{
	struct pmem *p = pmem_of(v);

	while (virtio_pop(v, &v->vq[qi], &p->c))
		if (!pmem_request(p))
			break;
	disk_commit(p->disk);
	if (v->active)
		virtio_notify(v, &v->vq[qi]);
}

static int pmem_arm(struct virtio_dev *v, struct err *e)
{
	struct pmem *p = pmem_of(v);
	int rc = disk_start(p->disk, v->env->pool, v->dev, pmem_done, p);

	return rc < 0 ? err_set(e, -rc, "%s: %s cannot be started: %s", v->name,
				p->disk->path, strerror(-rc))
		      : 0;
}

static bool pmem_rest(struct virtio_dev *v)
{
	return disk_rest(pmem_of(v)->disk);
}

/* The guest caches the file's content in its memory: whether that is as it was, whoever saves the machine
 * looks (vmm/snapshot/snapshot_files.c)
 */
static void pmem_state(struct virtio_dev *v, struct state *s)
{
	struct pmem *p = pmem_of(v);
	uint64_t start = p->range.gpa;
	bool readonly = p->range.readonly, failed;

	state_begin(s, "file", 1);
	state_u64(s, &start);
	if (start != p->range.gpa)
		state_failf(
			s,
			"the state has it at guest address 0x%llx, this machine at "
			"0x%llx; give all --pmem and --memory of the one that was saved",
			(unsigned long long)start, (unsigned long long)p->range.gpa);
	disk_state(p->disk, s, &failed);
	state_bool(s, &readonly);
	if (readonly != p->range.readonly)
		state_fail(s, readonly ? "it was read-only when it was saved; add ,ro"
				       : "it was writable when it was saved; remove ,ro");
	state_end(s);
	if (state_loaded(s) && failed)
		disk_fail_flushes(p->disk);
}

static void pmem_reset(struct virtio_dev *v)
{
	disk_cancel(pmem_of(v)->disk);
}

static void pmem_destroy(struct virtio_dev *v)
{
	struct pmem *p = pmem_of(v);

	if (p->range.host)
		munmap(p->range.host, p->range.len);
	disk_close(p->disk);
	free(p);
}

static const struct virtio_ops pmem_ops = {
	.arm = pmem_arm,
	.activate = virtio_nop_activate,
	.kick = pmem_kick,
	.config_written = virtio_nop_config_written,
	.reset = pmem_reset,
	.rest = pmem_rest,
	.wake = virtio_nop_wake,
	.state = pmem_state,
	.destroy = pmem_destroy,
};

static int pmem_check_size(const char *path, uint64_t size, bool readonly, struct err *e)
{
	uint64_t page = readonly ? (uint64_t)sysconf(_SC_PAGESIZE) : PMEM_ALIGN;

	if (size > PMEM_SIZE_MAX)
		return err_set(e, EFBIG,
			       "%s has %llu GiB, too much for one piece of memory; use "
			       "--disk",
			       path, (unsigned long long)(size / GIB));
	if (size % page)
		return err_set(e, EINVAL,
			       "%s has %llu bytes, not a multiple of %llu KiB, as memory "
			       "that %s must have; pad it: truncate -s %%%lluK %s",
			       path, (unsigned long long)size,
			       (unsigned long long)(page / KIB),
			       readonly ? "is read" : "is written",
			       (unsigned long long)(page / KIB), SHELL_WORD(path));
	return 0;
}

/* The file at the front of @p->range, which begins on a boundary of PMEM_ALIGN here as in the
 * guest; zeroes follow it.
 */
static int pmem_map(struct pmem *p, struct err *e)
{
	uint64_t len = ALIGN_UP(p->disk->size, PMEM_ALIGN), lead;
	int prot = PROT_READ | (p->disk->readonly ? 0 : PROT_WRITE);
	uint8_t *at = mmap(NULL, len + PMEM_ALIGN, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return err_set(e, errno, "%s cannot be mapped: %s", p->disk->path,
			       strerror(errno));
	lead = ALIGN_UP((uintptr_t)at, PMEM_ALIGN) - (uintptr_t)at;
	if (lead)
		munmap(at, lead);
	if (lead < PMEM_ALIGN)
		munmap(at + lead + len, PMEM_ALIGN - lead);
	p->range.host = at + lead;
	p->range.len = len;
	p->range.readonly = p->disk->readonly;
	if (mmap(p->range.host, p->disk->size, prot, MAP_SHARED | MAP_FIXED, p->disk->fd,
		 0) == MAP_FAILED)
		return err_set(e, errno, "%s cannot be mapped: %s", p->disk->path,
			       strerror(errno));
	return 0;
}

/* Its space is never freed, so we do not probe for that: the probe would change the file's time,
 * a part of its identity.
 */
static int pmem_open(struct pmem *p, const struct config_pmem *c, struct err *e)
{
	int rc = disk_image_only_raw(c->path, e);
	struct stat st;

	/* before the disk's own rule of 512 bytes, which is too weak here */
	if (rc == 0 && stat(c->path, &st) == 0 && S_ISREG(st.st_mode))
		rc = pmem_check_size(c->path, (uint64_t)st.st_size, c->readonly, e);
	if (rc < 0)
		return rc;
	p->disk = disk_open_file(c->path, c->readonly, false, true, e);
	if (!p->disk)
		return -e->code;
	p->disk->lanes = 1; /* a guest only flushes */
	rc = pmem_check_size(c->path, p->disk->size, c->readonly, e);
	return rc < 0 ? rc : pmem_map(p, e);
}

struct virtio_dev *pmem_create(const struct virtio_env *env, unsigned int i, gpa_t gpa,
			       struct err *e)
{
	struct pmem *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(e, ENOMEM, "pmem%u: the host is out of memory", i);
		return NULL;
	}
	if (pmem_open(p, &env->cfg->pmem[i], e) < 0) {
		err_wrap(e, "--pmem");
		pmem_destroy(&p->v);
		return NULL;
	}
	p->range.gpa = gpa;
	p->config.start = htole64(gpa);
	p->config.size = htole64(p->range.len);
	virtq_init(&p->vq, PMEM_QUEUE);
	p->v = (struct virtio_dev){
		.ops = &pmem_ops,
		.id = VIRTIO_ID_PMEM,
		.vq = &p->vq,
		.nvq = 1,
		.config = &p->config,
		.config_len = sizeof(p->config),
		.env = env,
	};
	(void)snprintf(p->v.name, sizeof(p->v.name), "pmem%u", i);
	return &p->v;
}

struct pmem_range pmem_range(const struct virtio_dev *v)
{
	return pmem_of(v)->range;
}

struct disk *pmem_disk(const struct virtio_dev *v)
{
	return pmem_of(v)->disk;
}

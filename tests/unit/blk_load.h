/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blk_load - every kind of disk, and a driver that has requests of every kind under way in it and
 * knows what has to come back.
 */
#ifndef MICROVM_TESTS_BLK_LOAD_H
#define MICROVM_TESTS_BLK_LOAD_H

#include "tests/lib/unit.h"
#include "tests/unit/blk_fixture.h"

#include <fcntl.h>

#include "devices/backend/disk_sector.h"
#include "devices/backend/overlay.h"

#define NJOB    24
#define SECTORS 47 /* of a job: neither blocks nor clusters end where jobs do */
#define BYTES   (SECTORS * 512)
#define SIZE    (ALIGN_UP(NJOB * BYTES, 4096))
#define FILL    0x5a

/* Each kind of disk that there is */
static const struct kind {
	struct config_disk c;
	bool ring, overlay, sector;
} kinds[] = {
	{.c.io = DISK_IO_SYNC},
	{.ring = true},
	{.c.io = DISK_IO_SYNC, .c.cache = CACHE_WRITETHROUGH},
	{.ring = true, .c.cache = CACHE_WRITETHROUGH},
	{.ring = true, .c.direct = true},
	{.c.io = DISK_IO_SYNC, .overlay = true},
	{.ring = true, .overlay = true},
	{.ring = true, .overlay = true, .c.cache = CACHE_WRITETHROUGH},
	{.c.io = DISK_IO_SYNC, .sector = true},
	{.ring = true, .sector = true},
	{.ring = true, .overlay = true, .sector = true},
	{.c.io = DISK_IO_SYNC, .c.rate = {.ops = 4000, .ops_burst = 5}},
	{.ring = true, .c.rate = {.bytes = 40 * MIB, .bytes_burst = 8192}},
};

/* A job has a piece of the disk to itself and one request under way at most */
struct job {
	gpa_t hdr, status, data;
	struct virtio_blk_outhdr h;
	unsigned int at, n; /* sectors of its piece */
	uint8_t fill;
	bool busy, unknown; /* unknown: it was discarded, and is to be written next */
	int head;
	uint8_t model[BYTES];
};

static struct job jobs[NJOB];
static bool replugged; /* on the same loop, which keeps what it looks at */
static char top[96];   /* of an overlay */
static unsigned int nserved;

static inline bool can_direct(void)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The host's blocks are as large as this below what the guest sees */
static inline void put_sectors(struct blk *b)
{
	b->disk->block = 4096;
	b->disk = disk_sector_create(b->disk, 512, &d.err);
	ck_assert_ptr_nonnull(b->disk);
}

/* Disk 0 of the configuration, behind its registers */
static inline void plug_disk(const struct kind *k)
{
	struct virtio_dev *v;

	snprintf(d.cfg.disk[0].id, sizeof(d.cfg.disk[0].id), "blk0");
	v = blk_create(&d.env, 0, &d.err);
	ck_assert_msg(v != NULL, "%s", d.err.msg);
	v->polled &= !replugged;
	driver_plug(&d, v);
	if (k->sector)
		put_sectors(blk_of(v));
}

static inline void plug_kind(const struct kind *k)
{
	struct config_disk c = k->c;

	unplug();
	c.path = path;
	c.overlay = k->overlay ? top : NULL;
	driver_init(&d, FIXTURE_RAM);
	d.cfg.ndisk = 1;
	d.cfg.ncpu = 2;
	d.cfg.disk[0] = c;
	if (k->ring)
		d.env.ring = ring = ring_create(d.loop);
	plug_disk(k);
}

static inline void bring_up(void)
{
	ck_assert(driver_bring_up(&d, ~0ULL));
	hdr = driver_alloc(&d, sizeof(struct virtio_blk_outhdr), 16);
	data = driver_alloc(&d, FIXTURE_DATA, 4096);
	status = driver_alloc(&d, 1, 1);
}

static inline void load_setup(void)
{
	/* where a flush takes no time: there are thousands */
	fixture_dir_in(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	snprintf(top, sizeof(top), "%s/top", dir);
	make_file(path, SIZE, FILL);
}

/* ---- the load ---- */

static inline void jobs_init(void)
{
	for (unsigned int i = 0; i < NJOB; i++) {
		jobs[i] = (struct job){.head = -1,
				       .hdr = driver_alloc(&d, 16, 16),
				       .status = driver_alloc(&d, 1, 1),
				       .data = driver_alloc(&d, BYTES, 512)};
		memset(jobs[i].model, FILL, BYTES);
	}
	nserved = 0;
}

static inline void job_choose(struct job *j)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_IN,           VIRTIO_BLK_T_OUT,
		VIRTIO_BLK_T_OUT,     VIRTIO_BLK_T_OUT,          VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_GET_ID};

	j->h.type = types[(unsigned int)random() % ARRAY_SIZE(types)];
	j->at = (unsigned int)random() % SECTORS;
	j->n = 1 + (unsigned int)random() % (SECTORS - j->at);
	j->fill = (uint8_t)random();
	if (!j->unknown)
		return;
	j->h.type = VIRTIO_BLK_T_OUT;
	j->at = 0;
	j->n = SECTORS;
}

/* A request for what was chosen, in its ring */
static inline void job_begin(unsigned int i)
{
	struct job *j = &jobs[i];
	uint64_t sector = (uint64_t)i * SECTORS + j->at;
	struct virtio_blk_discard_write_zeroes range = {sector, j->n, 0};
	bool ranges = j->h.type == VIRTIO_BLK_T_DISCARD ||
		      j->h.type == VIRTIO_BLK_T_WRITE_ZEROES;
	bool in = j->h.type == VIRTIO_BLK_T_IN || j->h.type == VIRTIO_BLK_T_GET_ID;
	uint32_t len = j->h.type == VIRTIO_BLK_T_FLUSH    ? 0
		       : j->h.type == VIRTIO_BLK_T_GET_ID ? VIRTIO_BLK_ID_BYTES
		       : ranges                           ? (uint32_t)sizeof(range)
							  : j->n * 512;
	struct driver_buf b[3] = {
		{j->hdr, 16, false}, {j->data, len, in}, {j->status, 1, true}};

	j->h.sector = ranges ? 0 : sector;
	memcpy(driver_ptr(&d, j->hdr, 16), &j->h, sizeof(j->h));
	memset(driver_ptr(&d, j->status, 1), 0xff, 1);
	memset(driver_ptr(&d, j->data, BYTES), j->fill, BYTES);
	if (ranges)
		memcpy(driver_ptr(&d, j->data, sizeof(range)), &range, sizeof(range));
	if (!len)
		b[1] = b[2];
	j->head = driver_add(&d.ring[i % 2], b, len ? 3 : 2);
	ck_assert_int_ge(j->head, 0);
	j->busy = true;
}

static inline void job_end(struct job *j)
{
	uint8_t *piece = j->model + j->at * 512;

	ck_assert_uint_eq(*(uint8_t *)driver_ptr(&d, j->status, 1), VIRTIO_BLK_S_OK);
	if (j->h.type == VIRTIO_BLK_T_IN)
		ck_assert_mem_eq(driver_ptr(&d, j->data, BYTES), piece, j->n * 512);
	if (j->h.type == VIRTIO_BLK_T_OUT)
		memset(piece, j->fill, j->n * 512);
	if (j->h.type == VIRTIO_BLK_T_WRITE_ZEROES)
		memset(piece, 0, j->n * 512);
	j->unknown = j->h.type == VIRTIO_BLK_T_DISCARD;
	j->busy = false;
	nserved++;
}

/* What is done is looked at, and all that are idle begin something */
static inline void jobs_go_on(bool begin)
{
	uint32_t id, len;

	for (unsigned int qi = 0; qi < 2; qi++)
		while (driver_used(&d.ring[qi], &id, &len))
			for (unsigned int i = qi; i < NJOB; i += 2)
				if (jobs[i].busy && jobs[i].head == (int)id)
					job_end(&jobs[i]);
	for (unsigned int i = 0; begin && i < NJOB; i++) {
		if (jobs[i].busy)
			continue;
		job_choose(&jobs[i]);
		job_begin(i);
	}
	for (unsigned int qi = 0; qi < 2; qi++)
		if (driver_publish(&d.ring[qi]))
			driver_kick(&d, qi);
}

static inline unsigned int jobs_busy(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < NJOB; i++)
		n += jobs[i].busy;
	return n;
}

static inline bool jobs_done(void)
{
	jobs_go_on(false);
	return jobs_busy() == 0;
}

static inline void jobs_check_all(void)
{
	ck_assert(driver_until(&d, jobs_done()));
	for (unsigned int i = 0; i < NJOB; i++) {
		if (jobs[i].unknown)
			continue;
		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, (uint64_t)i * SECTORS, BYTES),
				  VIRTIO_BLK_S_OK);
		ck_assert_mem_eq(driver_ptr(&d, data, BYTES), jobs[i].model, BYTES);
	}
}

/* ---- the rest ---- */

static inline bool rest(void)
{
	bool yes;

	pthread_mutex_lock(&d.dev->lock);
	yes = d.dev->ops->rest(d.dev);
	pthread_mutex_unlock(&d.dev->lock);
	return yes;
}

static inline void wake(void)
{
	pthread_mutex_lock(&d.dev->lock);
	d.dev->ops->wake(d.dev);
	pthread_mutex_unlock(&d.dev->lock);
}

static inline bool rest_soon(void)
{
	uint64_t end = monotonic_ns() + DRIVER_LONG;
	bool yes;

	while (!(yes = rest()) && monotonic_ns() < end)
		driver_pump(&d);
	return yes;
}

#endif

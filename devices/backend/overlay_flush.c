/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay_flush - first the written data goes to stable storage, then the bits for it.
 *
 * One flush at a time: the data, the pages of the bitmap that changed, and the file again.
 * Flushes that come meanwhile share the next one. Bits are copied when a flush begins: a cluster
 * that is written while it runs is not in its bitmap.
 */
#include "devices/backend/overlay.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

static void flush_end(struct overlay *ov, int result)
{
	struct disk_req *r;

	ov->flush.state = FLUSH_REST;
	while ((r = disk_list_pop(&ov->flush.group)))
		overlay_finish(ov, r, result);
	overlay_flush_begin(ov);
}

static void flush_sync(struct overlay *ov, enum overlay_flush_state state)
{
	ov->flush.state = state;
	ov->flush.io = (struct disk_req){.op = DISK_FLUSH};
	overlay_send(ov, ov->top, &ov->flush.io);
}

/* Return: is there a page, and was it sent? */
static bool flush_pages(struct overlay *ov)
{
	struct overlay_flush *f = &ov->flush;

	f->n = overlay_map_late(&ov->map, &f->page);
	if (!f->n)
		return false;
	f->state = FLUSH_MAP;
	f->v = (struct iovec){(uint8_t *)ov->map.file + f->page * OVERLAY_PAGE,
			      f->n * OVERLAY_PAGE};
	f->io = (struct disk_req){.op = DISK_WRITE,
				  .off = OVERLAY_PAGE + f->page * OVERLAY_PAGE,
				  .iov = &f->v,
				  .niov = 1,
				  .len = f->v.iov_len};
	overlay_send(ov, ov->top, &f->io);
	return true;
}

void overlay_flush_begin(struct overlay *ov)
{
	if (ov->flush.state != FLUSH_REST || !ov->flush.waiting.n || ov->cancelling)
		return;
	disk_list_move(&ov->flush.group, &ov->flush.waiting);
	overlay_map_stage(&ov->map);
	ov->flush.page = 0;
	flush_sync(ov, FLUSH_DATA);
}

bool overlay_flush_own(struct overlay *ov)
{
	struct overlay_flush *f = &ov->flush;

	if (f->state != FLUSH_REST || f->waiting.n || f->failed || f->tried ||
	    overlay_map_saved(&ov->map))
		return false;
	f->tried = true;
	f->own = (struct disk_req){.op = DISK_FLUSH};
	disk_list_add(&f->waiting, &f->own);
	return true;
}

void overlay_flush_done(struct overlay *ov)
{
	struct overlay_flush *f = &ov->flush;
	bool wrote = f->state == FLUSH_MAP;

	if (f->io.result == 0 && wrote)
		overlay_map_written(&ov->map, f->page, f->n);
	if (f->io.result < 0 && f->io.op == DISK_FLUSH && !ov->cancelling)
		f->failed = true;
	if (f->io.result < 0 || ov->cancelling) {
		/* late pages stay late: the next flush begins with them */
		flush_end(ov, f->io.result < 0 ? f->io.result : -ECANCELED);
		return;
	}
	if (f->state == FLUSH_SEAL) {
		flush_end(ov, 0);
		return;
	}
	if (flush_pages(ov))
		return;
	if (wrote)
		flush_sync(ov, FLUSH_SEAL);
	else
		flush_end(ov, 0);
}

void overlay_save(struct overlay *ov)
{
	uint64_t page = 0, n;

	overlay_map_stage(&ov->map);
	if (!overlay_map_late(&ov->map, &page))
		return;
	if (ov->flush.failed || fdatasync(ov->top->fd) < 0)
		return; /* no bit is written for data that may be lost */
	for (; (n = overlay_map_late(&ov->map, &page)); page += n) {
		const struct iovec v = {(uint8_t *)ov->map.file + page * OVERLAY_PAGE,
					n * OVERLAY_PAGE};

		/* not pwrite(): a jail has one call for this */
		if (pwritev2(ov->top->fd, &v, 1,
			     (off_t)(OVERLAY_PAGE + page * OVERLAY_PAGE),
			     0) != (ssize_t)(n * OVERLAY_PAGE)) {
			log_warn(
				"overlay %s: what the guest wrote since its last flush is "
				"lost: its bitmap cannot be written",
				ov->top->path);
			return;
		}
	}
}

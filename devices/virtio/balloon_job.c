/* SPDX-License-Identifier: Apache-2.0 */
/* balloon_job - a chain of the balloon's, whose pages go to the host. */
#include "devices/virtio/balloon_job.h"

#include <endian.h>

#include "vmm/core/util.h"

#define BALLOON_LIST_MAX \
	(64 * KIB) /* bytes of page numbers in a chain; Linux has 1 KiB */
#define BALLOON_PIECE_MAX (64 * MIB) /* between two checks of job->stop */

static void balloon_release(struct balloon_job *j, uint8_t *p, size_t len)
{
	while (len && !j->stop) {
		size_t n = MIN(len, BALLOON_PIECE_MAX);

		j->released += gmem_release(j->mem, p, n);
		p += n;
		len -= n;
	}
}

/* Page numbers, 32 bits each, in runs up or down: a run is released at once. */
static void balloon_run_inflate(struct balloon_job *j)
{
	uint8_t *start = NULL, *end = NULL;
	uint32_t pfn;

	while (!j->stop && span_get(&j->c.from_driver, &pfn, sizeof(pfn))) {
		gpa_t gpa = (gpa_t)le32toh(pfn) << VIRTIO_BALLOON_PFN_SHIFT;
		uint8_t *p = gmem_slice(j->mem, gpa, BALLOON_PAGE);

		if (!p) {
			j->lie = "a page in the balloon is no memory";
			break;
		}
		if (start && p == end) {
			end += BALLOON_PAGE;
		} else if (start && p + BALLOON_PAGE == start) {
			start = p;
		} else {
			balloon_release(j, start, (size_t)(end - start));
			start = p;
			end = p + BALLOON_PAGE;
		}
	}
	balloon_release(j, start, (size_t)(end - start));
}

/* The free ranges are the chain's buffers (virtio 1.2, 5.5.6, "Free Page Reporting"). */
static void balloon_run_reporting(struct balloon_job *j)
{
	const struct span *s = &j->c.to_driver;

	for (unsigned int i = 0; i < s->n; i++)
		balloon_release(j, s->v[i].iov_base, s->v[i].iov_len);
}

void balloon_run(struct work *w)
{
	struct balloon_job *j = container_of(w, struct balloon_job, work);

	if (j->role == BALLOON_INFLATE)
		balloon_run_inflate(j);
	else
		balloon_run_reporting(j);
}

const char *balloon_check(const struct balloon_job *j)
{
	if (j->role == BALLOON_REPORTING) {
		if (j->c.from_driver.n)
			return "a free range that is not for writing";
		if (j->c.to_driver.len > gmem_size(j->mem))
			return "more free memory than there is";
		return NULL;
	}
	if (j->c.to_driver.n)
		return "a list of pages that is not for reading";
	if (j->c.from_driver.len % sizeof(uint32_t) ||
	    j->c.from_driver.len > BALLOON_LIST_MAX)
		return "a list of pages of impossible length";
	return NULL;
}

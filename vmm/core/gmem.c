/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gmem - guest RAM in our address space.
 *
 * Each region is one mapping, anonymous or of a memory file, followed by 4 GiB of nothing, so
 * that a 32-bit length added to a checked base would fault instead of reaching anything of ours.
 *
 * Regions start on a 2 MiB boundary here as in the guest: only then can the host map 2 MiB with
 * one fault instead of 512.
 */
#include "vmm/core/gmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/gmem_guard.h"
#include "vmm/core/util.h"

#define GMEM_GUARD    (4 * GIB)
#define GMEM_HUGEPAGE (2 * MIB)
/* Below this length a mapping costs more (its page faults) than the copy it saves. */
#define GMEM_MAP_MIN (64 * KIB)
/* Our tables, and all of a tiny guest: zeroing a huge page would cost more than it saves */
#define GMEM_SMALL_END GMEM_HUGEPAGE

/* The host's pages, which may be larger than PAGE_SIZE: 4, 16 or 64 KiB on arm64 */
static uint64_t gmem_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

void gmem_init(struct gmem *m, bool hugepages)
{
	memset(m, 0, sizeof(*m));
	m->hugepages = hugepages;
}

void gmem_share(struct gmem *m)
{
	BUG_ON(m->n);
	m->shared = true;
}

/* @len bytes that another process can map but not truncate.
 * Return: the file, or -errno
 */
static int gmem_file(uint64_t len, bool hugepages)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd, rc = 0;

	flags |= hugepages ? MFD_HUGETLB | (21U << MAP_HUGE_SHIFT) : 0U;
	fd = memfd_create("guest RAM", flags);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)len) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

/* RAM at @at (inside our reservation), or -errno */
static int gmem_map_ram(const struct gmem *m, uint8_t *at, uint64_t len, int fd)
{
	int flags = MAP_FIXED | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);

	/* Huge pages are reserved here and now: a pool that is too small must be an error
	 * before the guest runs, not a SIGBUS while it does.
	 */
	flags |= m->hugepages ? MAP_HUGETLB | (21 << MAP_HUGE_SHIFT) : MAP_NORESERVE;
	if (mmap(at, len, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		return -errno;
	if (madvise(at, len, MADV_DONTDUMP) < 0)
		return -errno;
	return 0;
}

/* What region @r lacks yet: its file, if it gets one, and its RAM */
static int gmem_back(const struct gmem *m, struct gmem_region *r)
{
	int rc;

	r->fd = -1;
	if (m->shared) {
		rc = gmem_file(r->len, m->hugepages);
		if (rc < 0)
			return rc;
		r->fd = rc;
	}
	rc = gmem_map_ram(m, r->host, r->len, r->fd);
	if (rc < 0)
		cleanup_close_fd(&r->fd);
	return rc;
}

/* Ask for transparent huge pages, where the host gives them on request; it may refuse. */
static void gmem_advise_huge(const struct gmem_region *r)
{
	uint64_t small = r->gpa ? 0 : MIN(GMEM_SMALL_END, r->len);

	if (r->len < GMEM_SMALL_GUEST)
		small = r->len;

	if (small)
		(void)madvise(r->host, small, MADV_NOHUGEPAGE);
	if (r->len > small)
		(void)madvise(r->host + small, r->len - small, MADV_HUGEPAGE);
}

static int gmem_explain(struct err *e, int code, uint64_t len, bool hugepages)
{
	unsigned long long mib = len / MIB;

	if (hugepages && code == ENOMEM)
		return err_set(
			e, code,
			"memory: the host has no %llu MiB of free 2 MiB huge pages; reserve "
			"them (sysctl vm.nr_hugepages=%llu) or leave out hugepages=on",
			mib, mib / 2 + 1);
	return err_set(e, code, "memory: the host cannot map %llu MiB of guest RAM: %s",
		       mib, strerror(code));
}

int gmem_add(struct gmem *m, gpa_t gpa, uint64_t len, struct err *e)
{
	struct gmem_region *r = &m->region[m->n];
	uint64_t unit = m->hugepages ? GMEM_HUGEPAGE : gmem_page();
	uint64_t lead;
	uint8_t *at;
	int rc;

	BUG_ON(m->n == GMEM_REGIONS_MAX || gpa < gmem_end(m) || gpa % PAGE_SIZE);
	if (len == 0 || len % unit)
		return err_set(e, EINVAL,
			       "memory: the size must be a multiple of %llu KiB%s",
			       (unsigned long long)(unit / KIB),
			       m->hugepages ? " with huge pages" : "");
	if (len > (UINT64_C(1) << 46))
		return err_set(e, ENOMEM, "memory: %llu MiB is more than a host can map",
			       (unsigned long long)(len / MIB));
	at = mmap(NULL, len + GMEM_HUGEPAGE + GMEM_GUARD, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return gmem_explain(e, errno, len, m->hugepages);
	/* Give back what lies before and after the aligned part. */
	lead = ALIGN_UP((uintptr_t)at, GMEM_HUGEPAGE) - (uintptr_t)at;
	if (lead)
		munmap(at, lead);
	at += lead;
	if (lead < GMEM_HUGEPAGE)
		munmap(at + len + GMEM_GUARD, GMEM_HUGEPAGE - lead);
	*r = (struct gmem_region){.gpa = gpa, .len = len, .host = at};
	rc = gmem_back(m, r);
	if (rc < 0) {
		munmap(at, len + GMEM_GUARD);
		return gmem_explain(e, -rc, len, m->hugepages);
	}
	if (!m->hugepages)
		gmem_advise_huge(r);
	gmem_guard(r->host, r->len, GMEM_RAM);
	m->n++;
	return 0;
}

void gmem_fini(struct gmem *m)
{
	gmem_unguard();
	for (unsigned int i = 0; i < m->n; i++) {
		munmap(m->region[i].host, m->region[i].len + GMEM_GUARD);
		cleanup_close_fd(&m->region[i].fd);
	}
	m->n = 0;
	free(m->saved);
	m->saved = NULL;
	m->nsaved = 0;
}

void *gmem_slice(const struct gmem *m, gpa_t gpa, size_t len)
{
	for (unsigned int i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];
		uint64_t off = gpa - r->gpa; /* wraps to huge when gpa is below */

		if (off < r->len)
			return len && len <= r->len - off ? r->host + off : NULL;
	}
	return NULL;
}

int gmem_read(const struct gmem *m, gpa_t gpa, void *dst, size_t len)
{
	const void *p = gmem_slice(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(dst, p, len);
	return 0;
}

int gmem_write(const struct gmem *m, gpa_t gpa, const void *src, size_t len)
{
	void *p = gmem_slice(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, src, len);
	return 0;
}

static int gmem_read_file(uint8_t *dst, int fd, uint64_t off, uint64_t len)
{
	long n = pread_full(fd, dst, len, off);

	if (n < 0)
		return (int)n;
	return (uint64_t)n == len ? 0 : -EIO;
}

/* Where [@gpa, @gpa + @len) is, if @off and @len can be positions in a file */
static int gmem_file_target(const struct gmem *m, gpa_t gpa, uint64_t off, uint64_t len,
			    uint8_t **p)
{
	*p = gmem_slice(m, gpa, len);
	if (!*p)
		return -EFAULT;
	return off > INT64_MAX - len ? -EIO : 0;
}

int gmem_load_file(struct gmem *m, gpa_t gpa, int fd, uint64_t off, uint64_t len)
{
	uint8_t *p;
	int rc = gmem_file_target(m, gpa, off, len, &p);

	return rc < 0 ? rc : gmem_read_file(p, fd, off, len);
}

int gmem_map_file(struct gmem *m, gpa_t gpa, int fd, uint64_t off, uint64_t len)
{
	uint64_t page = gmem_page(), whole = ALIGN_DOWN(len, page);
	uint8_t *p;
	int rc = gmem_file_target(m, gpa, off, len, &p);

	if (rc < 0)
		return rc;
	if (m->hugepages || m->shared || whole < GMEM_MAP_MIN || gpa % page || off % page)
		return gmem_read_file(p, fd, off, len);
	/* The file must hold every mapped byte: past its end lies a SIGBUS. */
	if (lseek(fd, 0, SEEK_END) < (off_t)(off + len))
		return -EIO;
	if (mmap(p, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
		 (off_t)off) == MAP_FAILED)
		return gmem_read_file(p, fd, off, len);
	gmem_guard(p, whole, GMEM_FILE);
	m->file.start = m->file.end && m->file.start < p ? m->file.start : p;
	m->file.end = MAX(m->file.end, p + whole);
	if (madvise(p, whole, MADV_DONTDUMP) < 0)
		return -errno;
	return gmem_read_file(p + whole, fd, off + whole, len - whole);
}

uint64_t gmem_size(const struct gmem *m)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->n; i++)
		sum += m->region[i].len;
	return sum;
}

gpa_t gmem_end(const struct gmem *m)
{
	return m->n ? m->region[m->n - 1].gpa + m->region[m->n - 1].len : 0;
}

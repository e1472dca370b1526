/* SPDX-License-Identifier: Apache-2.0 */
/* initrd - one or several initramfs archives, put one after the other into guest RAM. */
#include "boot/initrd.h"

#include <errno.h>
#include <string.h>

#include "boot/file.h"
#include "vmm/core/util.h"

/* Length with all but the last padded; the files are open. Cannot overflow: a file has less than
 * 2^63 bytes, and the sum stops above @max, which is larger than any memory.
 */
static uint64_t initrd_length(const struct boot_file *f, unsigned int n, uint64_t max)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < n && len <= max; i++)
		len = ALIGN_UP(len, PAGE_SIZE) + f[i].size;
	return len;
}

static int initrd_place(const struct gmem *m, const struct kernel *k, struct initrd *r,
			struct err *e)
{
	gpa_t ram = kernel_ram_start(m), end = MIN(k->initrd_end, kernel_ram_end(m));
	uint64_t need = ALIGN_UP(ALIGN_UP(k->end, PAGE_SIZE) + r->len, MIB);

	if (r->len <= end && ALIGN_DOWN(end - r->len, PAGE_SIZE) >= k->end) {
		r->start = ALIGN_DOWN(end - r->len, PAGE_SIZE);
		return 0;
	}
	if (need > k->initrd_end)
		return err_set(e, ENOMEM,
			       "initrd: %llu MiB do not fit between the kernel, which "
			       "ends at %llu MiB, and the %llu MiB up to which it takes "
			       "an initrd; use a smaller initrd, or a disk",
			       (unsigned long long)(ALIGN_UP(r->len, MIB) / MIB),
			       (unsigned long long)(ALIGN_UP(k->end - ram, MIB) / MIB),
			       (unsigned long long)((k->initrd_end - ram) / MIB));
	return err_set(e, ENOMEM,
		       "initrd: %llu MiB do not fit above the kernel, which needs the "
		       "first %llu of the guest's %llu MiB; give it at least %llu MiB by "
		       "--memory, or use a smaller initrd",
		       (unsigned long long)(ALIGN_UP(r->len, MIB) / MIB),
		       (unsigned long long)(ALIGN_UP(k->end - ram, MIB) / MIB),
		       (unsigned long long)((kernel_ram_end(m) - ram) / MIB),
		       (unsigned long long)((need - ram) / MIB));
}

static int initrd_copy(const struct boot_file *f, unsigned int n, struct gmem *m,
		       gpa_t at, struct err *e)
{
	for (unsigned int i = 0; i < n; i++) {
		int rc = gmem_load_file(m, at, f[i].fd, f[i].at, f[i].size);

		if (rc < 0)
			return err_set(e, -rc, "initrd %s: cannot be loaded: %s",
				       f[i].path, strerror(-rc));
		at = ALIGN_UP(at + f[i].size, PAGE_SIZE);
	}
	return 0;
}

int initrd_load(char *const path[], unsigned int n, const struct boot_file *inside,
		struct gmem *m, const struct kernel *k, struct initrd *r, struct err *e)
{
	struct boot_file f[CONFIG_INITRDS_MAX];
	unsigned int opened = 0;
	int rc = 0;

	BUG_ON(n > CONFIG_INITRDS_MAX);
	*r = (struct initrd){0};
	while (rc == 0 && opened < n) {
		rc = boot_file_open(&f[opened], "initrd", path[opened], e);
		opened++;
	}
	if (n == 0 && inside->size)
		f[n++] = *inside;
	if (rc == 0 && n > 0) {
		r->len = initrd_length(f, n, k->initrd_end);
		rc = initrd_place(m, k, r, e);
		if (rc == 0)
			rc = initrd_copy(f, n, m, r->start, e);
	}
	for (unsigned int i = 0; i < opened; i++)
		boot_file_close(&f[i]);
	return rc;
}

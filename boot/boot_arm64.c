/* SPDX-License-Identifier: Apache-2.0 */
/* boot_arm64 - everything an arm64 guest finds in its memory, in the order of writing: the kernel
 * at the start of RAM, the device tree after it, the initrd as high as possible.
 */
#include "boot/boot.h"

#include <errno.h>
#include <stdlib.h>

#include "boot/cmdline.h"
#include "boot/fdt_arm64.h"
#include "boot/image_arm64.h"
#include "boot/initrd.h"
#include "boot/kernel_arch.h"
#include "vmm/core/util.h"

/* After the kernel, in 2 MiB of its own: Linux maps it by blocks of that size. Initrds must not
 * overlap it, so @k grows by it.
 */
static int boot_reserve_dtb(struct kernel *k, const struct gmem *m, gpa_t *at,
			    struct err *e)
{
	*at = ALIGN_UP(k->end, (gpa_t)DTREE_MAX);
	k->end = *at + DTREE_MAX;
	if (k->end <= kernel_ram_end(m))
		return 0;
	return err_set(e, ENOMEM,
		       "memory: the kernel and its device tree need %llu MiB, but the "
		       "guest has %llu MiB; give it more by --memory",
		       (unsigned long long)(k->end - kernel_ram_start(m)) / MIB,
		       (unsigned long long)(kernel_ram_end(m) - kernel_ram_start(m)) /
			       MIB);
}

/* The operator's overlay in the tree, then the guest's copy of it and the operator's */
static int boot_finish_dtb(const struct config *cfg, struct dtree *t, struct gmem *m,
			   gpa_t at, struct err *e)
{
	int rc = cfg->dtb_overlay ? dtree_overlay(t, cfg->dtb_overlay, e) : 0;

	if (rc == 0)
		rc = dtree_reserve(t, at, e);
	if (rc == 0 && cfg->dump_dtb)
		rc = dtree_dump(t, cfg->dump_dtb, e);
	if (rc == 0)
		BUG_ON(gmem_write(m, at, t->blob, dtree_len(t)) < 0);
	return rc;
}

static int boot_write_dtb(const struct config *cfg, const struct platform *p,
			  const struct initrd *initrd, struct gmem *m,
			  struct boot_result *r, struct err *e)
{
	struct fdt_arm64 in = {.platform = p,
			       .mem = m,
			       .initrd = initrd,
			       .cmdline = r->cmdline,
			       .serial_console = cfg->console == CONSOLE_SERIAL};
	struct dtree t;
	int rc = fdt_arm64_build(&t, &in, e);

	if (rc == 0)
		rc = boot_finish_dtb(cfg, &t, m, r->dtb, e);
	if (rc == 0)
		r->dtb_len = dtree_len(&t);
	dtree_free(&t);
	return rc;
}

int boot_load_file(const struct config *cfg, const struct platform *p,
		   const struct kernel_file *f, struct gmem *m, struct boot_result *r,
		   struct err *e)
{
	struct initrd initrd = {0};
	struct kernel k = {0};
	int rc;

	*r = (struct boot_result){0};
	rc = image_is(f) ? image_load(f, m, &k, e) : kernel_refuse(f, e);
	if (rc < 0)
		return rc;
	r->protocol = k.protocol;
	r->entry = k.entry;
	r->page_size = k.page_size;
	r->kernel_start = k.start;
	r->kernel_end = k.end;
	rc = boot_reserve_dtb(&k, m, &r->dtb, e);
	if (rc == 0)
		rc = initrd_load(cfg->initrd, cfg->ninitrd, &f->initrd, m, &k, &initrd,
				 e);
	if (rc < 0)
		return rc;
	r->initrd_start = initrd.start;
	r->initrd_end = initrd.start + initrd.len;
	r->cmdline = cmdline_build(cfg, p, f, m);
	if (!r->cmdline)
		return err_set(e, ENOMEM, "command line: out of memory");
	r->panic_is_warm = cmdline_panic_is_warm(r->cmdline);
	rc = cmdline_check(r->cmdline, k.cmdline_max, e);
	if (rc == 0)
		rc = boot_write_dtb(cfg, p, &initrd, m, r, e);
	if (rc < 0) {
		free(r->cmdline);
		r->cmdline = NULL;
	}
	return rc;
}

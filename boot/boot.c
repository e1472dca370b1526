/* SPDX-License-Identifier: Apache-2.0 */
/* boot - a kernel's file opened and unwrapped; the rest is the architecture's. */
#include "boot/boot.h"

#include "boot/kernel_arch.h"
#include "boot/uki.h"

int boot_load(const struct config *cfg, const struct platform *p, struct gmem *m,
	      struct boot_result *r, struct err *e)
{
	const char *words = cfg->cmdline ? cfg->cmdline : cfg->append;
	struct kernel_file f;
	int rc = kernel_open(&f, cfg->kernel, e);

	*r = (struct boot_result){0};
	f.file.path = config_kernel_name(cfg);
	if (rc == 0)
		rc = kernel_unwrap(&f, uki_profile(words, NULL), e);
	if (rc == 0)
		rc = boot_load_file(cfg, p, &f, m, r, e);
	kernel_close(&f);
	return rc;
}

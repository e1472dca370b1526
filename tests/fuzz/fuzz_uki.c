/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_uki - any file that is a kernel only once it is unwrapped is booted with what is in it, or
 * refused with a sentence. Its last byte chooses a profile.
 */
#include "boot/ikconfig.h"
#include "boot/uki.h"
#include "tests/fuzz/fuzz_kernel_x86.h"

/* What was found lies in the file, and is not in its headers */
static void fuzz_check_part(const struct boot_file *part, size_t len)
{
	if (part->size == 0)
		return;
	BUG_ON(part->at < 2 + 24 + 40 || part->at > len || part->size > len - part->at);
}

static void fuzz_unwrap(const char *path, size_t len, unsigned int profile)
{
	struct kernel_file f;
	struct err e = {0};
	int rc;

	if (kernel_open(&f, path, &e) < 0)
		return;
	free(ikconfig_read(&f, FUZZ_CONFIG_MAX));
	rc = kernel_unwrap(&f, profile, &e);
	BUG_ON(rc < 0 && (e.code != -rc || strncmp(e.msg, "kernel ", 7) != 0));
	if (rc == 0 && f.uki) {
		if (!f.unpacked)
			fuzz_check_part(&f.file, len);
		fuzz_check_part(&f.initrd, len);
		fuzz_check_part(&f.cmdline, len);
		BUG_ON(!f.words || strlen(f.words) > f.cmdline.size);
	}
	kernel_close(&f);
}

static void fuzz_boot(const char *path, unsigned int profile)
{
	char words[8];
	struct config cfg = {
		.ncpu = 1, .kernel = (char *)(uintptr_t)path, .append = words};
	struct platform p = {.ncpu = 1};
	struct boot_result r;
	struct err e = {0};
	struct gmem m;
	int rc;

	(void)snprintf(words, sizeof(words), "@%u", profile);
	fuzz_ram(&m);
	rc = boot_load(&cfg, &p, &m, &r, &e);
	BUG_ON(rc < 0 ? e.code != -rc || !e.msg[0] : !r.cmdline);
	BUG_ON(rc == 0 &&
	       (r.initrd_start > r.initrd_end || r.initrd_end > kernel_ram_end(&m)));
	free(r.cmdline);
	gmem_fini(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned int profile = len ? data[len - 1] % 4 : 0;
	const char *path;

	if (len == 0)
		return 0;
	path = fuzz_file(data, len);
	fuzz_unwrap(path, len, profile);
	fuzz_boot(path, profile);
	return 0;
}

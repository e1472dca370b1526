/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_modules - whatever a module's file holds: what it says lies inside of it, and it is packed with what it
 * depends on, or refused with a sentence. One that is compressed is another's to try (fuzz_uki): it takes time.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/unpack.h"
#include "vmm/modules/modinfo.h"
#include "vmm/modules/modules.h"

static void fuzz_modinfo(const uint8_t *p, size_t n)
{
	const char *start = (const char *)p, *end = start + n;
	struct modinfo m;
	int rc = modinfo_read(p, n, &m);

	fuzz_check(rc == 0 || rc == -ENOEXEC);
	fuzz_check(rc < 0 || !*m.depends || (m.depends > start && m.depends < end));
	fuzz_check(rc < 0 || strlen(m.release) >= m.release_len);
}

static uint8_t *copy_of(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	fuzz_check(copy);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int fd = -1;
	struct modules *m;
	struct module *k;
	struct err e = {0};
	unsigned int i = 0, packed;
	int rc = 0;

	if (n > UNPACK_MAGIC_MAX && packing_of(p))
		return 0;
	m = calloc(1, sizeof(*m));
	if (fd < 0)
		fd = memfd_create("modules", MFD_CLOEXEC);
	fuzz_check(m && fd >= 0);
	fuzz_modinfo(p, n);
	modules_init(m, "--modules M", "K", "give others");
	while (rc == 0 && (k = modules_next(m, &i))) {
		rc = modules_put(m, k, copy_of(p, n), n, &e);
		fuzz_check(rc == 0 || (e.code == -rc && e.msg[0]));
	}
	fuzz_check(m->n <= MODULES_MAX);
	fuzz_check(lseek(fd, 0, SEEK_SET) == 0 && ftruncate(fd, 0) == 0);
	if (rc == 0 && modules_pack(m, fd, &packed, &e) == 0)
		fuzz_check(packed <= m->n);
	modules_fini(m);
	free(m);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi_dump NCPU NVIRTIO DIR - write the ACPI tables of such a machine to DIR, each to a
 * file named by its signature, for iasl.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "tests/unit/acpi_platform.h"
#include "vmm/core/util.h"

static int dump_table(const struct gmem *m, gpa_t at, const char *dir)
{
	const uint8_t *p = gmem_slice(m, at, 36);
	char path[4096];
	uint32_t len;
	FILE *f;

	if (!p)
		return 1;
	memcpy(&len, p + 4, sizeof(len));
	(void)snprintf(path, sizeof(path), "%s/%.4s.dat", dir, (const char *)p);
	f = fopen(path, "wb");
	if (!f || fwrite(p, len, 1, f) != 1 || fclose(f))
		return 1;
	return 0;
}

int main(int argc, char **argv)
{
	gpa_t rsdp, end, xsdt, fadt, madt, dsdt;
	struct platform p;
	struct gmem m;
	struct err e = {0};

	if (argc != 4)
		return 2;
	platform_make(&p, (unsigned int)strtoul(argv[1], NULL, 10),
		      (unsigned int)strtoul(argv[2], NULL, 10));
	gmem_init(&m, false);
	if (gmem_add(&m, 0, MIB, &e) ||
	    acpi_build(&p, &m, LAYOUT_ACPI, LAYOUT_ACPI_END, &rsdp, &end, &e)) {
		(void)fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	if (gmem_read(&m, rsdp + 24, &xsdt, 8) || gmem_read(&m, xsdt + 36, &fadt, 8) ||
	    gmem_read(&m, xsdt + 44, &madt, 8) || gmem_read(&m, fadt + 140, &dsdt, 8))
		return 1;
	return dump_table(&m, xsdt, argv[3]) || dump_table(&m, fadt, argv[3]) ||
	       dump_table(&m, madt, argv[3]) || dump_table(&m, dsdt, argv[3]);
}

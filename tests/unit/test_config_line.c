/* SPDX-License-Identifier: Apache-2.0 */
/* test_config_line - which words of the kernel's command line decide on the machine. */
#include "vmm/settings/config_line.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

/* A line, and the word that a machine with ACPI cannot do with; NULL: none */
static const struct {
	const char *line, *word;
} lines[] = {
	{"quiet acpi=off", "acpi=off"},
	{"acpi=noirq", "acpi=noirq"},
	{"pci=noacpi", "pci=noacpi"},
	{"pci=conf1,noacpi", "pci=noacpi"},
	{"console=ttyS0 noapic reboot=k panic=1 pci=off", "noapic"},
	{"nosmp", "nosmp"},
	{"maxcpus=0", "maxcpus=0"},
	{"nolapic", "nolapic"},
	{"disableapic", "disableapic"},
	{"nolapic_timer", "nolapic_timer"},
	{"nolapic-timer", "nolapic_timer"},
	{"noapictimer", "noapictimer"},
	{"no-kvmclock", "no-kvmclock"},
	{"no_kvmclock", "no-kvmclock"},
	{"nopv", "nopv"},
	{"nosmp noapic acpi=off", "nosmp"},
	{"noapic=1", "noapic"},
	{"", NULL},
	{"acpi=force acpi=off,strict acpi=strict", NULL},
	{"pci=off pci=conf1,noearly pci=noacpi2", NULL},
	{"maxcpus=1 nr_cpus=1 nosmt maxcpus=10 maxcpus", NULL},
	{"noapics xnoapic nox2apic lapic apic=verbose notsc", NULL},
	{"no-kvmclock-vsyscall nopvspin pnpacpi=off", NULL},
	{"run=\"a noapic b\" -- noapic", NULL},
};

START_TEST(word_decides_otherwise_than_in_linux)
{
	static char other[] = "quiet";
	char *line = strdup(lines[_i].line);
	struct config append = {.acpi = true, .append = line};
	struct config replace = {.acpi = true, .append = other, .cmdline = line};

	config_read_line(&append);
	config_read_line(&replace);
	ck_assert_int_eq(append.acpi, lines[_i].word == NULL);
	ck_assert_int_eq(replace.acpi, lines[_i].word == NULL);
	ck_assert_pstr_eq(append.acpi_word, lines[_i].word);
	ck_assert_pstr_eq(replace.acpi_word, lines[_i].word);
	free(line);
}
END_TEST

START_TEST(word_is_blamed_for_what_an_option_did)
{
	static char line[] = "noapic";
	struct config cfg = {.append = line};

	config_read_line(&cfg);
	ck_assert(!cfg.acpi);
	ck_assert_ptr_null(cfg.acpi_word);
	cfg = (struct config){.acpi = true};
	config_read_line(&cfg);
	ck_assert(cfg.acpi);
}
END_TEST

UNIT_MAIN("config_line", NULL, NULL, t)
{
	tcase_add_loop_test(t, word_decides_otherwise_than_in_linux, 0,
			    ARRAY_SIZE(lines));
	tcase_add_test(t, word_is_blamed_for_what_an_option_did);
}

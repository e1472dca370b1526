/* SPDX-License-Identifier: Apache-2.0 */
/* config_line - the words that decide the kind of machine. */
#include "vmm/settings/config_line.h"

#include "vmm/core/kernel_line.h"
#include "vmm/core/util.h"

/* A machine with ACPI has one interrupt controller for its devices, the IOAPIC, one timer that
 * interrupts, the local APIC's, and one clock that tells its rate, KVM's (its hardware-reduced
 * ACPI rules out the 8259 and the 8254). Each of these words takes one of them, or ACPI itself,
 * from Linux for x86. The machine without ACPI has the others: KVM's 8259 pair and 8254.
 */
static const struct {
	const char *name, *value; /* NULL: any value or none */
	const char *word;         /* for messages */
	bool list;                /* @value may be one of several */
} config_acpi_words[] = {
	{"acpi", "off", "acpi=off", false},
	/* The IOAPIC. A word that switches SMP off also switches it off, even on a machine with a
	 * single processor (disable_ioapic_support()).
	 */
	{"acpi", "noirq", "acpi=noirq", false},
	{"pci", "noacpi", "pci=noacpi", true},
	{"noapic", NULL, "noapic", false},
	{"nosmp", NULL, "nosmp", false},
	{"maxcpus", "0", "maxcpus=0", false},
	/* The local APIC or its timer */
	{"nolapic", NULL, "nolapic", false},
	{"disableapic", NULL, "disableapic", false},
	{"nolapic_timer", NULL, "nolapic_timer", false},
	{"noapictimer", NULL, "noapictimer", false},
	/* KVM's clock, which gives the rate of the TSC. Without that rate, Linux measures the TSC
	 * by the 8254; without either no timer ever interrupts.
	 */
	{"no-kvmclock", NULL, "no-kvmclock", false},
	{"nopv", NULL, "nopv", false},
};

static bool config_is_acpi_word(unsigned int i, const struct kernel_word *w)
{
	const char *value = config_acpi_words[i].value;

	if (!kernel_word_is(w, config_acpi_words[i].name))
		return false;
	if (!value)
		return true;
	return config_acpi_words[i].list ? kernel_word_lists(w, value)
					 : kernel_word_says(w, value);
}

/* Return: the word in that table; NULL: @w is none of them */
static const char *config_acpi_word(const struct kernel_word *w)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(config_acpi_words); i++)
		if (config_is_acpi_word(i, w))
			return config_acpi_words[i].word;
	return NULL;
}

void config_read_line(struct config *cfg)
{
	const char *const lines[] = {cfg->append, cfg->cmdline};
	struct kernel_word w;

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
		for (const char *at = lines[i]; (at = kernel_line_next(at, &w));) {
			const char *word = config_acpi_word(&w);

			if (!word || !cfg->acpi)
				continue;
			cfg->acpi = false;
			cfg->acpi_word = word;
		}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline_reboot - what reboot= on a kernel's command line makes of a reset. */
#include "boot/cmdline.h"

#include <string.h>

#include "vmm/core/kernel_line.h"

enum cmdline_mode { MODE_UNSET, MODE_OTHER, MODE_WARM };

/* As reboot_setup() of Linux's kernel/reboot.c: letters after commas, the last wins, and
 * "panic_" is for a panic only.
 */
static void cmdline_reboot_word(const struct kernel_word *w, enum cmdline_mode *clean,
				enum cmdline_mode *panic)
{
	static const char prefix[] = "panic_";
	const char *v = w->value, *end = v ? v + w->value_len : NULL, *comma;

	while (v && v < end) {
		enum cmdline_mode *mode = clean;

		if ((size_t)(end - v) > strlen(prefix) &&
		    strncmp(v, prefix, strlen(prefix)) == 0) {
			mode = panic;
			v += strlen(prefix);
		}
		if (*v == 'w')
			*mode = MODE_WARM;
		else if (*v == 'c' || *v == 'h' || *v == 's' || *v == 'g')
			*mode = MODE_OTHER;
		comma = memchr(v, ',', (size_t)(end - v));
		v = comma ? comma + 1 : NULL;
	}
}

bool cmdline_panic_is_warm(const char *text)
{
	enum cmdline_mode clean = MODE_UNSET, panic = MODE_UNSET;
	struct kernel_word w;

	for (const char *at = text; (at = kernel_line_next(at, &w));)
		if (kernel_word_is(&w, "reboot"))
			cmdline_reboot_word(&w, &clean, &panic);
	return panic == MODE_WARM && clean != MODE_WARM;
}

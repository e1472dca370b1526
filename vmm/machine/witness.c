/* SPDX-License-Identifier: Apache-2.0 */
/* witness - what a guest's kernel said of its end: to its panic device, and on its console. */
#include "vmm/machine/witness.h"

#include <string.h>

#include "vmm/core/util.h"

/* In this order: the second string contains the third */
static const struct {
	const char *words;
	enum witness_said said;
} witness_words[] = {
	{"reboot: Restarting system", SAID_RESTARTING},
	{"---[ end Kernel panic - not syncing", SAID_PANIC_OVER},
	{"Kernel panic - not syncing", SAID_PANIC},
	{"reboot: System halted", SAID_HALTED},
};

/* Linux, init/do_mounts.c: of a panic */
#define WITNESS_ROOTLESS "Kernel panic - not syncing: VFS: Unable to mount root fs"

/* A line may begin with a time stamp, or with another program's output. */
static bool witness_line(struct witness *w)
{
	size_t n = w->n;

	w->n = 0;
	if (memmem(w->line, n, WITNESS_ROOTLESS, strlen(WITNESS_ROOTLESS)))
		w->rootless = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(witness_words); i++) {
		enum witness_said said = witness_words[i].said;

		if (!memmem(w->line, n, witness_words[i].words,
			    strlen(witness_words[i].words)))
			continue;
		w->said = said;
		return said == SAID_PANIC_OVER || said == SAID_HALTED;
	}
	return false;
}

/* Of a line that is too long it keeps the second half. */
static void witness_keep(struct witness *w, const uint8_t *p, size_t n)
{
	const size_t half = WITNESS_LINE_MAX / 2;

	if (n > half) {
		p += n - half;
		n = half;
	}
	if (w->n + n > WITNESS_LINE_MAX) {
		size_t keep = WITNESS_LINE_MAX - n;

		memmove(w->line, w->line + w->n - keep, keep);
		w->n = keep;
	}
	memcpy(w->line + w->n, p, n);
	w->n += n;
}

bool witness_output(struct witness *w, const uint8_t *p, size_t n)
{
	bool still = false;

	while (n) {
		const uint8_t *end = memchr(p, '\n', n);
		size_t len = end ? (size_t)(end - p) : n;

		witness_keep(w, p, len);
		if (!end)
			break;
		still |= witness_line(w);
		p += len + 1;
		n -= len + 1;
	}
	return still;
}

bool witness_panicked(const struct witness *w)
{
	return w->panicked || w->crashed || w->said == SAID_PANIC ||
	       w->said == SAID_PANIC_OVER;
}

bool witness_knows(const struct witness *w)
{
	return witness_panicked(w) || w->said == SAID_RESTARTING;
}

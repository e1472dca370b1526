/* SPDX-License-Identifier: Apache-2.0 */
/* uki - a unified kernel image: a program for EFI with a kernel in its section .linux. */
#include "boot/uki.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/kernel_arch.h"
#include "vmm/core/util.h"

/* The PE header, as far as the section table */
struct uki_pe {
	uint8_t signature[4];
	uint16_t machine, nsection;
	uint8_t unused[12];
	uint16_t optional_len; /* of what lies between this header and the table */
	uint16_t flags;
};
_Static_assert(sizeof(struct uki_pe) == 24, "as in the file");

struct uki_section {
	char name[8]; /* filled up with NULs */
	uint32_t memory_len, address;
	uint32_t len, off; /* in the file, rounded up */
	uint8_t unused[16];
};
_Static_assert(sizeof(struct uki_section) == 40, "as in the file");

#define UKI_PE_AT        0x3c
#define UKI_SECTIONS_MAX 96 /* the most that the format's loader takes */

struct uki_table {
	unsigned int n;
	uint64_t end; /* where it ends in the file */
	struct uki_section section[UKI_SECTIONS_MAX];
};

enum uki_part { UKI_LINUX, UKI_INITRD, UKI_CMDLINE, UKI_PARTS };

static const char uki_names[UKI_PARTS][8] = {".linux", ".initrd", ".cmdline"};

static bool uki_section_is(const struct uki_section *s, const char name[8])
{
	return memcmp(s->name, name, sizeof(s->name)) == 0;
}

/* Return: false: @f is no program for EFI, or is damaged before its first section */
static bool uki_read_table(const struct kernel_file *f, struct uki_table *t)
{
	struct uki_pe pe;
	uint64_t start;
	uint32_t at;

	if (memcmp(f->head, "MZ", 2) != 0 || memcmp(f->head + 0x202, "HdrS", 4) == 0 ||
	    memcmp(f->head + 0x38, "ARM\x64", 4) == 0 ||
	    memcmp(f->head + 4, "zimg", 4) == 0)
		return false;
	memcpy(&at, f->head + UKI_PE_AT, sizeof(at));
	if (boot_file_read(&f->file, &pe, sizeof(pe), at) != sizeof(pe) ||
	    memcmp(pe.signature, "PE\0", sizeof(pe.signature)) != 0)
		return false;
	t->n = MIN(pe.nsection, UKI_SECTIONS_MAX);
	start = (uint64_t)at + sizeof(pe) + pe.optional_len;
	t->end = start + t->n * sizeof(t->section[0]);
	return boot_file_read(&f->file, t->section, t->end - start, start) ==
	       (long)(t->end - start);
}

bool uki_is(const struct kernel_file *f)
{
	struct uki_table t;

	if (!uki_read_table(f, &t))
		return false;
	for (unsigned int i = 0; i < t.n; i++)
		if (uki_section_is(&t.section[i], uki_names[UKI_LINUX]))
			return true;
	return false;
}

static int uki_damaged(const struct kernel_file *f, const struct uki_section *s,
		       const char *why, struct err *e)
{
	return err_set(
		e, ENOEXEC,
		"kernel %s: is a damaged unified kernel image: its section %.8s %s; "
		"fetch or build it again",
		f->file.path, s->name, why);
}

/* The sections that count in @profile: its own, or else those before the first .profile */
static int uki_choose(const struct kernel_file *f, const struct uki_table *t,
		      unsigned int profile, const struct uki_section *chosen[UKI_PARTS],
		      struct err *e)
{
	const struct uki_section *own[2][UKI_PARTS] = {{NULL}};
	unsigned int profiles = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct uki_section *s = &t->section[i];
		bool base = profiles == 0;

		if (uki_section_is(s, ".profile"))
			profiles++;
		for (unsigned int p = 0; p < UKI_PARTS; p++) {
			if (!uki_section_is(s, uki_names[p]) ||
			    (!base && profiles - 1 != profile))
				continue;
			if (own[base][p])
				return uki_damaged(f, s, "is there twice in a profile",
						   e);
			own[base][p] = s;
		}
	}
	if (profile && profile >= profiles)
		return err_set(
			e, ENOENT,
			"kernel %s: as a unified kernel image it has %u profiles, "
			"so there is no @%u; choose one from @0 on by the first word "
			"of --append",
			f->file.path, profiles, profile);
	for (unsigned int p = 0; p < UKI_PARTS; p++)
		chosen[p] = own[0][p] ? own[0][p] : own[1][p];
	return 0;
}

static bool uki_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a_len && b_len && a < b + b_len && b < a + a_len;
}

/* Does @s lie in the file, by itself there and where EFI would load it? */
static int uki_check(const struct kernel_file *f, const struct uki_table *t,
		     const struct uki_section *s, struct err *e)
{
	char why[64];

	if (s->off < t->end)
		return uki_damaged(f, s, "begins inside the file's headers", e);
	if ((uint64_t)s->off + s->len > f->file.size)
		return uki_damaged(f, s, "reaches past the file's end (truncated?)", e);
	if (s->memory_len > s->len)
		return uki_damaged(f, s, "is longer in memory than in the file", e);
	for (unsigned int i = 0; i < t->n; i++) {
		const struct uki_section *o = &t->section[i];

		if (o == s ||
		    (!uki_overlap(s->off, s->len, o->off, o->len) &&
		     !uki_overlap(s->address, s->memory_len, o->address, o->memory_len)))
			continue;
		(void)snprintf(why, sizeof(why), "overlaps the section number %u", i + 1);
		return uki_damaged(f, s, why, e);
	}
	return 0;
}

/* Without the bytes that round it up, if it says so */
static uint64_t uki_length(const struct uki_section *s)
{
	return s->memory_len ? s->memory_len : s->len;
}

static int uki_enter_part(const struct kernel_file *f, const struct uki_table *t,
			  const struct uki_section *s, const char *what,
			  struct boot_file *part, struct err *e)
{
	int rc;

	*part = (struct boot_file){.what = what, .path = f->file.path, .fd = -1};
	if (!s || uki_length(s) == 0)
		return 0;
	rc = uki_check(f, t, s, e);
	part->fd = f->file.fd;
	part->at = f->file.at + s->off;
	part->size = uki_length(s);
	return rc;
}

int uki_enter(struct kernel_file *f, unsigned int profile, struct err *e)
{
	const struct uki_section *chosen[UKI_PARTS] = {NULL};
	struct boot_file kernel = {0};
	struct uki_table t;
	int rc;

	if (!uki_read_table(f, &t))
		return err_set(e, EIO, "kernel %s: changes while it is read; try again",
			       f->file.path);
	rc = uki_choose(f, &t, profile, chosen, e);
	if (rc == 0)
		rc = uki_enter_part(f, &t, chosen[UKI_LINUX], "kernel", &kernel, e);
	if (rc == 0)
		rc = uki_enter_part(f, &t, chosen[UKI_INITRD], "initrd", &f->initrd, e);
	if (rc == 0)
		rc = uki_enter_part(f, &t, chosen[UKI_CMDLINE], "command line",
				    &f->cmdline, e);
	if (rc < 0)
		return rc;
	if (kernel.size == 0)
		return err_set(e, ENOEXEC,
			       "kernel %s: is a unified kernel image without a kernel in "
			       "its section .linux for profile @%u; build it again",
			       f->file.path, profile);
	f->file = kernel;
	f->uki = true;
	return kernel_read_head(f, e);
}

int uki_read_words(struct kernel_file *f, struct err *e)
{
	size_t len = f->cmdline.size;
	char *text;
	long n;

	if (len > UKI_WORDS_MAX)
		return err_set(
			e, E2BIG,
			"kernel %s: its section .cmdline has %zu bytes, and no kernel "
			"takes more than %u; build it again",
			f->file.path, len, UKI_WORDS_MAX);
	text = calloc(1, len + 1);
	n = text ? boot_file_read(&f->cmdline, text, len, 0) : -ENOMEM;
	if (n < 0) {
		free(text);
		return err_set(e, (int)-n, "kernel %s: cannot be read: %s", f->file.path,
			       strerror((int)-n));
	}
	len = strlen(text);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	while (len && text[len - 1] == ' ')
		text[--len] = '\0';
	f->words = text;
	return 0;
}

unsigned int uki_profile(const char *words, const char **rest)
{
	unsigned int n = 0, digits = 0;

	if (rest)
		*rest = words;
	if (!words || words[0] != '@')
		return 0;
	for (words++; *words >= '0' && *words <= '9' && digits < 3; words++, digits++)
		n = n * 10 + (unsigned int)(*words - '0');
	if (!digits || (*words && *words != ' '))
		return 0;
	if (rest)
		*rest = words + (*words == ' ');
	return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* modinfo - what a module of Linux says of itself, in its section .modinfo. */
#include "vmm/modules/modinfo.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MODINFO_SECTIONS_MAX 65536

/* A part of the file.  Return: NULL: it is not there */
static const uint8_t *modinfo_part(const uint8_t *ko, size_t n, uint64_t off,
				   uint64_t len)
{
	return off <= n && len <= n - off ? ko + off : NULL;
}

static bool modinfo_section(const uint8_t *ko, size_t n, const Elf64_Ehdr *e,
			    unsigned int i, Elf64_Shdr *s)
{
	const uint8_t *p = e->e_shoff <= n
				   ? modinfo_part(ko, n,
						  e->e_shoff + (uint64_t)i * sizeof(*s),
						  sizeof(*s))
				   : NULL;

	if (p)
		memcpy(s, p, sizeof(*s));
	return p;
}

/* The number of sections and of their names' section; large ones are in the first section's header */
static bool modinfo_counts(const uint8_t *ko, size_t n, const Elf64_Ehdr *e,
			   unsigned int *count, unsigned int *names)
{
	Elf64_Shdr first;

	*count = e->e_shnum;
	*names = e->e_shstrndx;
	if (*count && *names != SHN_XINDEX)
		return true;
	if (!modinfo_section(ko, n, e, 0, &first) || first.sh_size > MODINFO_SECTIONS_MAX)
		return false;
	if (!*count)
		*count = (unsigned int)first.sh_size;
	if (*names == SHN_XINDEX)
		*names = first.sh_link;
	return true;
}

/* Is the name of @s, in the text of @len bytes at @names, .modinfo? */
static bool modinfo_is(const Elf64_Shdr *s, const uint8_t *names, uint64_t len)
{
	static const char name[] = ".modinfo";

	return s->sh_type == SHT_PROGBITS && s->sh_name <= len &&
	       len - s->sh_name >= sizeof(name) &&
	       memcmp(names + s->sh_name, name, sizeof(name)) == 0;
}

/* Return: the bytes of .modinfo, @len of them; NULL: there is none */
static const char *modinfo_find(const uint8_t *ko, size_t n, const Elf64_Ehdr *e,
				uint64_t *len)
{
	unsigned int count, names_nr;
	const uint8_t *names;
	Elf64_Shdr s, strings;

	if (!modinfo_counts(ko, n, e, &count, &names_nr) ||
	    !modinfo_section(ko, n, e, names_nr, &strings))
		return NULL;
	names = modinfo_part(ko, n, strings.sh_offset, strings.sh_size);
	if (!names)
		return NULL;
	for (unsigned int i = 0; i < count && modinfo_section(ko, n, e, i, &s); i++)
		if (modinfo_is(&s, names, strings.sh_size)) {
			*len = s.sh_size;
			return (const char *)modinfo_part(ko, n, s.sh_offset, s.sh_size);
		}
	return NULL;
}

/* The value of the first text NAME=VALUE; "" if there is none.  @name ends in '=' */
static const char *modinfo_value(const char *text, uint64_t len, const char *name)
{
	size_t n = strlen(name);
	const char *end;

	for (; len && (end = memchr(text, '\0', len)); text = end + 1) {
		if ((size_t)(end - text) >= n && memcmp(text, name, n) == 0)
			return text + n;
		len -= (uint64_t)(end - text) + 1;
	}
	return "";
}

int modinfo_read(const uint8_t *ko, size_t n, struct modinfo *m)
{
	const char *text;
	Elf64_Ehdr e;
	uint64_t len;

	*m = (struct modinfo){.release = "", .depends = ""};
	if (n < sizeof(e))
		return -ENOEXEC;
	memcpy(&e, ko, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e.e_type != ET_REL || e.e_shentsize != sizeof(Elf64_Shdr))
		return -ENOEXEC;
	m->machine = e.e_machine;
	text = modinfo_find(ko, n, &e, &len);
	if (!text)
		return -ENOEXEC;
	m->depends = modinfo_value(text, len, "depends=");
	m->release = modinfo_value(text, len, "vermagic=");
	m->release_len = strcspn(m->release, " ");
	return 0;
}

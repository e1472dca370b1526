/* SPDX-License-Identifier: Apache-2.0 */
/* symbols - the names of a kernel's functions. */
#include "vmm/test/symbols.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/core/sort.h"
#include "vmm/core/util.h"

#define SYMBOLS_MAX      (1u << 20)
#define SYMBOLS_TEXT_MAX (64 * MIB)
#define SYMBOLS_TABLE_MAX \
	(256 * MIB) /* a hole in a file has any length, and reading it takes time */
#define SYMBOLS_SECTIONS 1024        /* of symbols.code */
#define SYMBOLS_FUNCTION (256 * KIB) /* the last one's end is not known */
#define SYMBOLS_FIRST    1024
#define SYMBOLS_BATCH    128

/* ---- before the lock ---- */

static bool symbols_read_at(int fd, void *to, size_t len, uint64_t off)
{
	return pread_full(fd, to, len, off) == (long)len;
}

/* Another descriptor of @fd's file that stands at @off.  Return: it, or -1 */
static int symbols_stand(const char *path, uint64_t off)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0 && lseek(fd, (off_t)MIN(off, (uint64_t)INT64_MAX), SEEK_SET) < 0)
		cleanup_close_fd(&fd), fd = -1;
	return fd;
}

/* The tables of sections that @eh has at @fd.  Return: is there one of symbols? */
static bool symbols_sections(struct symbols *s, int fd, const Elf64_Ehdr *eh)
{
	uint32_t names = 0;
	Elf64_Shdr sh;

	for (unsigned int i = 0; i < MIN(eh->e_shnum, SYMBOLS_SECTIONS); i++) {
		if (!symbols_read_at(fd, &sh, sizeof(sh), eh->e_shoff + i * sizeof(sh)))
			return false;
		if (sh.sh_type != SHT_SYMTAB)
			continue;
		names = sh.sh_link;
		s->table_len = sh.sh_size;
		s->table = symbols_stand(s->path, sh.sh_offset);
		break;
	}
	for (unsigned int i = 0; s->table >= 0 && i < MIN(eh->e_shnum, SYMBOLS_SECTIONS);
	     i++) {
		if (!symbols_read_at(fd, &sh, sizeof(sh), eh->e_shoff + i * sizeof(sh)))
			return false;
		if (sh.sh_flags & SHF_EXECINSTR)
			s->code[i / 8] |= (uint8_t)(1u << i % 8);
		if (i != names || sh.sh_type != SHT_STRTAB)
			continue;
		s->text_len = sh.sh_size;
		s->text = symbols_stand(s->path, sh.sh_offset);
	}
	return s->table >= 0 && s->text >= 0;
}

/* Is @s->path one that has symbols?  A package may have put a System.map there that says where the real one is */
static bool symbols_try(struct symbols *s)
{
	cleanup_close int fd = symbols_stand(s->path, 0);
	char first[64] = "", type;
	unsigned long long at;
	Elf64_Ehdr eh;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	if (symbols_read_at(fd, &eh, sizeof(eh), 0) &&
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) == 0)
		return eh.e_ident[EI_CLASS] == ELFCLASS64 &&
		       eh.e_ident[EI_DATA] == ELFDATA2LSB &&
		       eh.e_shentsize == sizeof(Elf64_Shdr) &&
		       symbols_sections(s, fd, &eh);
	(void)pread_full(fd, first, sizeof(first) - 1, 0);
	if (st.st_size < 4096 || sscanf(first, "%16llx %c ", &at, &type) != 2)
		return false;
	s->text_len = (uint64_t)st.st_size;
	s->text = symbols_stand(s->path, 0);
	return s->text >= 0;
}

static void symbols_shut(struct symbols *s)
{
	cleanup_close_fd(&s->table);
	cleanup_close_fd(&s->text);
	s->table = s->text = -1;
}

static bool symbols_look(struct symbols *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool symbols_look(struct symbols *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->path, sizeof(s->path), fmt, ap);
	va_end(ap);
	memset(s->code, 0, sizeof(s->code));
	if (n < (int)sizeof(s->path) && symbols_try(s))
		return true;
	symbols_shut(s);
	s->path[0] = '\0';
	return false;
}

void symbols_open(struct symbols *s, const char *kernel)
{
	cleanup_free char *real = realpath(kernel, NULL);
	const char *slash, *version;
	int len;

	*s = (struct symbols){.table = -1, .text = -1};
	slash = real ? strrchr(real, '/') : NULL;
	if (!slash)
		return;
	s->own = symbols_look(s, "%s", real);
	len = (int)(slash - real);
	version = strchr(slash, '-'); /* "vmlinuz-6.1.0" */
	if (s->own || symbols_look(s, "%.*s/vmlinux", len, real) ||
	    symbols_look(s, "%.*s/../../../vmlinux", len, real) ||
	    (version &&
	     (symbols_look(s, "%.*s/vmlinux%s", len, real, version) ||
	      symbols_look(s, "/usr/lib/debug/boot/vmlinux%s", version) ||
	      symbols_look(s, "/usr/lib/debug/lib/modules/%s/vmlinux", version + 1) ||
	      symbols_look(s, "%.*s/System.map%s", len, real, version))) ||
	    symbols_look(s, "%.*s/System.map", len, real))
		return;
	(void)symbols_look(s, "%.*s/../../../System.map", len, real);
}

void symbols_close(struct symbols *s)
{
	symbols_shut(s);
	free(s->one);
	free(s->names);
	*s = (struct symbols){.table = -1, .text = -1};
}

/* ---- after it ---- */

static bool symbols_add(struct symbols *s, uint64_t at, size_t name)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : SYMBOLS_FIRST;
		struct symbol *more = room > SYMBOLS_MAX
					      ? NULL
					      : copied_grown(s->one, s->n * sizeof(*more),
							     room * sizeof(*more));

		if (!more)
			return false;
		s->one = more;
		s->room = room;
	}
	s->one[s->n++] = (struct symbol){at, (uint32_t)name};
	return true;
}

/* A function, or a label in assembly as the kernel's entries are; no mark of the linker's or compiler's */
static bool symbols_wants(const struct symbols *s, const Elf64_Sym *y)
{
	unsigned int type = ELF64_ST_TYPE(y->st_info);
	const char *name = s->names + y->st_name;

	return y->st_name < s->names_len && (type == STT_FUNC || type == STT_NOTYPE) &&
	       y->st_shndx < SYMBOLS_SECTIONS &&
	       s->code[y->st_shndx / 8] & 1u << y->st_shndx % 8 && *name &&
	       *name != '$' && strncmp(name, ".L", 2) != 0;
}

static void symbols_load_table(struct symbols *s)
{
	Elf64_Sym batch[SYMBOLS_BATCH];

	for (uint64_t left = s->table_len / sizeof(batch[0]); left;) {
		size_t n = MIN(left, ARRAY_SIZE(batch));

		if (read_full(s->table, batch, n * sizeof(batch[0])) !=
		    (long)(n * sizeof(batch[0])))
			return;
		for (size_t i = 0; i < n; i++)
			if (symbols_wants(s, &batch[i]) &&
			    !symbols_add(s, batch[i].st_value, batch[i].st_name))
				return;
		left -= n;
	}
}

/* "ffffffff81000000 T startup_64" */
static void symbols_load_map(struct symbols *s)
{
	for (char *line = s->names, *end; line && *line; line = end) {
		char *rest = line;
		uint64_t at = 0;

		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (isxdigit((unsigned char)*line)) /* not over blanks to other lines */
			at = strtoull(line, &rest, 16);
		if (rest != line && rest[0] == ' ' && rest[1] &&
		    strchr("tTwW", rest[1]) && rest[2] == ' ' && rest[3] &&
		    !symbols_add(s, at, (size_t)(rest + 3 - s->names)))
			return;
	}
}

static int symbols_order(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

bool symbols_load(struct symbols *s)
{
	long n;

	if (s->text < 0 || s->names || s->text_len > SYMBOLS_TEXT_MAX ||
	    s->table_len > SYMBOLS_TABLE_MAX)
		return s->n > 0;
	s->names = malloc(s->text_len + 1);
	n = s->names ? read_full(s->text, s->names, s->text_len) : 0;
	s->names_len = n > 0 ? (size_t)n : 0;
	if (!s->names_len)
		return false;
	s->names[s->names_len] = '\0';
	if (s->table >= 0)
		symbols_load_table(s);
	else
		symbols_load_map(s);
	sort_in_place(s->one, s->n, sizeof(*s->one), symbols_order);
	return s->n > 0;
}

bool symbols_value(const struct symbols *s, const char *name, uint64_t *at)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->names + s->one[i].name, name) == 0) {
			*at = s->one[i].at;
			return true;
		}
	return false;
}

const char *symbols_find(const struct symbols *s, uint64_t at, uint64_t *off)
{
	size_t low = 0, high = s->n;

	while (low < high) { /* the last one that begins there or before */
		size_t mid = (low + high) / 2;

		if (s->one[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || at - s->one[low - 1].at > SYMBOLS_FUNCTION)
		return NULL;
	*off = at - s->one[low - 1].at;
	return s->names + s->one[low - 1].name;
}

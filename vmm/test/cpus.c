/* SPDX-License-Identifier: Apache-2.0 */
/* cpus - what each vCPU was at when its machine ended. */
#include "vmm/test/cpus.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/core/arch.h"
#include "vmm/core/util.h"

#define CPUS_BARE   16         /* of a stack without names */
#define CPUS_LINES  64         /* of a stack */
#define CPUS_NAME   80         /* bytes of a symbol's name */
#define CPUS_TEXT   (64 * MIB) /* a kernel's instructions lie so near to its entry */
#define CPUS_OFFSET (UINT64_C(1) << 47)

/* ---- where the kernel lies ---- */

static bool cpus_entry_is(struct cpus *c, uint64_t entry)
{
	for (const struct arch_entry *a = arch_kernel_entry; a->symbol; a++) {
		uint64_t linked;

		if (!symbols_value(c->symbols, a->symbol, &linked))
			continue;
		for (unsigned int i = 0; i < a->count; i++) {
			c->offset = entry - linked - (uint64_t)i * a->step;
			if (c->offset % arch_kernel_align == 0 && c->offset < CPUS_OFFSET)
				return true;
		}
	}
	return false;
}

void cpus_place(struct cpus *c)
{
	bool entered = false;

	c->placed = c->foreign = false;
	if (!symbols_load(c->symbols))
		return;
	for (unsigned int i = 0; i < c->n && !c->placed; i++) {
		if (!c->cpu[i].seen || !c->cpu[i].seen->entry)
			continue;
		entered = true;
		c->placed = cpus_entry_is(c, c->cpu[i].seen->entry);
	}
	if (c->placed)
		return;
	c->offset = 0;
	/* what was booted as ELF is moved by nobody, nor is what has not moved itself */
	c->placed = c->symbols->own || (!entered && c->fixed);
	c->foreign = !c->placed && entered;
}

/* ---- the text ---- */

struct cpus_out {
	int fd, rc;
};

static void cpus_say(struct cpus_out *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void cpus_say(struct cpus_out *o, const char *fmt, ...)
{
	char line[PATH_MAX + 256];
	va_list ap;
	size_t n;
	long done;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = strlen(line);
	if (o->rc < 0)
		return;
	done = write_full(o->fd, line, n);
	if (done != (long)n)
		o->rc = done < 0 ? (int)done : -ENOSPC;
}

/* An address of the kernel in words.  Return: is it in a function, and not where one begins, if it has to be
 * one to which a call returns?
 */
static bool cpus_function(const struct cpus *c, uint64_t at, bool returns, char *to,
			  size_t len)
{
	uint64_t off = 0;
	const char *name = c->placed ? symbols_find(c->symbols, at - c->offset, &off)
				     : NULL;

	if (!name || (returns && !off))
		return false;
	(void)snprintf(to, len, "%.*s+0x%" PRIx64, CPUS_NAME, name, off);
	text_printable(to, strlen(to));
	return true;
}

static void cpus_say_symbols(const struct cpus *c, struct cpus_out *o)
{
	const char *path = c->symbols->path;

	if (c->placed && c->offset)
		cpus_say(o,
			 "symbols: %s; the kernel lies 0x%" PRIx64
			 " above where it was linked (KASLR)\n",
			 path, c->offset);
	else if (c->placed)
		cpus_say(o, "symbols: %s; the kernel lies where it was linked\n", path);
	else if (c->foreign)
		cpus_say(o,
			 "symbols: none: %s is of another kernel than the one that "
			 "ran\n",
			 path);
	else if (c->symbols->n)
		cpus_say(o,
			 "symbols: none: the kernel ended before it said where KASLR "
			 "had put it; with --append nokaslr %s would do\n",
			 path);
	else
		cpus_say(o,
			 "symbols: none; give --kernel DIR, where it was built, or put "
			 "its vmlinux or System.map beside it\n");
}

/* Is @at a possible return address, and in which function?  Without symbols it is one if it lies near the
 * kernel's entry: a reader who has the symbols can then name the function
 */
static bool cpus_may_return(const struct cpus *c, const struct vcpu_seen *s, uint64_t at,
			    char *to, size_t len)
{
	to[0] = '\0';
	if (c->placed)
		return cpus_function(c, at, true, to, len);
	return s->entry && at - s->entry + CPUS_TEXT < 2 * CPUS_TEXT;
}

/* Where a word of the stack would return to */
static uint64_t cpus_unsigned(uint64_t word)
{
	return word >> 55 & 1 ? word | arch_kernel_signs : word;
}

static void cpus_say_stack(const struct cpus *c, struct cpus_out *o,
			   const struct vcpu_seen *s)
{
	char name[CPUS_NAME + 32];
	unsigned int lines = 0, more = 0, most = c->placed ? CPUS_LINES : CPUS_BARE;

	for (unsigned int i = 0; i < s->nstack; i++) {
		uint64_t at = cpus_unsigned(s->stack[i]);

		if (!cpus_may_return(c, s, at, name, sizeof(name)))
			continue;
		if (lines++ < most)
			cpus_say(o, "  stack  0x%016" PRIx64 "%s%s\n", at,
				 *name ? "  " : "", name);
		else
			more++;
	}
	if (more)
		cpus_say(o, "  stack  %u more\n", more);
}

static void cpus_say_one(const struct cpus *c, struct cpus_out *o, unsigned int nr)
{
	const struct who_task *task = who_is(c->who, nr);
	const struct vcpu_seen *s = c->cpu[nr].seen;
	char name[CPUS_NAME + 32] = "", who[64] = "";

	if (task)
		(void)snprintf(who, sizeof(who), ", pid %u \"%s\"", task->pid,
			       task->name);
	if (!s) {
		cpus_say(o, "\nvCPU %u: unknown%s\n", nr, who);
		return;
	}
	cpus_say(o, "\nvCPU %u: %s%s\n", nr, s->user ? "user" : "kernel", who);
	(void)cpus_function(c, s->pc, false, name, sizeof(name));
	cpus_say(o, "  at     0x%016" PRIx64 "%s%s\n", s->pc, *name ? "  " : "", name);
	if (!c->placed && s->entry)
		cpus_say(o, "  entry  0x%016" PRIx64 "  %s\n", s->entry,
			 arch_kernel_entry[0].symbol);
	if (!s->user)
		cpus_say_stack(c, o, s);
}

int cpus_write(struct cpus *c, int fd)
{
	struct cpus_out o = {.fd = fd};

	cpus_place(c);
	cpus_say_symbols(c, &o);
	for (unsigned int i = 0; i < c->n; i++)
		cpus_say_one(c, &o, i);
	return o.rc;
}

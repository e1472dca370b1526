/* SPDX-License-Identifier: Apache-2.0 */
/* cpus: what each vCPU was at, by the kernel's symbols and wherever KASLR put it; and by whom */
#include "vmm/test/cpus.h"

#include <check.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/core/arch.h"
#include "vmm/core/util.h"

#define LINKED UINT64_C(0xffffffff81000000)
#define KASLR  UINT64_C(0x1a000000)

static char dir[] = "/tmp/test_cpus.XXXXXX", kernel[64];
static struct symbols symbols;
static struct who who;
static uint64_t stack[4];
static struct vcpu_seen seen;
static const struct cpu all[] = {{&seen}, {NULL}};
static struct cpus c;

static void put(const char *name, const void *p, size_t n)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	(void)strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(kernel, sizeof(kernel), "%s/vmlinuz-6.1", dir);
	put("vmlinuz-6.1", "no ELF", 6);
	memset(&who, 0, sizeof(who));
	seen = (struct vcpu_seen){.known = true,
				  .pc = LINKED + KASLR + 0x100,
				  .entry = LINKED + KASLR + 0x1000,
				  .stack = stack,
				  .nstack = ARRAY_SIZE(stack)};
	stack[0] = LINKED + KASLR + 0x212;
	stack[1] = 5;
	stack[2] = LINKED + KASLR +
		   0x100; /* a pointer to a function, to which no call returns */
	stack[3] = LINKED + KASLR + 0x108;
	symbols = (struct symbols){.table = -1, .text = -1};
	c = (struct cpus){.cpu = all, .n = 1, .symbols = &symbols, .who = &who};
}

static void teardown(void)
{
	char command[64];

	symbols_close(&symbols);
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* What cpus.txt says */
static const char *says(void)
{
	static char text[4096];
	char name[128];
	ssize_t n;
	int fd;

	(void)snprintf(name, sizeof(name), "%s/out", dir);
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_ge(fd, 0);
	symbols_close(&symbols);
	symbols_open(&symbols, kernel);
	ck_assert_int_eq(cpus_write(&c, fd), 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[MAX(n, 0)] = '\0';
	close(fd);
	return text;
}

/* ---- System.map ---- */

static void put_map(const char *name, const char *entry)
{
	char text[8192];
	int n = snprintf(text, sizeof(text),
			 "0000000000000000 A fixed_percpu_data\n"
			 "ffffffff81000000 T _text\nffffffff81000100 t crash\n"
			 "ffffffff81000200 T caller\nffffffff81001000 T %s\n"
			 "ffffffff81002000 D crash_data\n",
			 entry);

	memset(text + n, '\n', sizeof(text) - (size_t)n);
	put(name, text, sizeof(text));
}

START_TEST(name_is_anothers)
{
	char want[512];

	put_map("System.map", arch_kernel_entry[0].symbol);
	(void)snprintf(
		want, sizeof(want),
		"symbols: %s/System.map; the kernel lies 0x1a000000 above where it "
		"was linked (KASLR)\n\n"
		"vCPU 0: kernel\n"
		"  at     0xffffffff9b000100  crash+0x0\n"
		"  stack  0xffffffff9b000212  caller+0x12\n"
		"  stack  0xffffffff9b000108  crash+0x8\n",
		dir);
	ck_assert_str_eq(says(), want);
}
END_TEST

/* arm64: the processor has signed it. Elsewhere nothing is changed here */
START_TEST(signed_address_has_no_name)
{
	put_map("System.map", arch_kernel_entry[0].symbol);
	stack[0] ^= arch_kernel_signs & 0x5a5a000000000000;
	ck_assert_ptr_nonnull(
		strstr(says(), "  stack  0xffffffff9b000212  caller+0x12\n"));
}
END_TEST

START_TEST(task_is_anothers)
{
	put_map("System.map-6.1", arch_kernel_entry[0].symbol);
	c.n = 2;
	seen.user = true;
	seen.pc = 0x7f0000001234;
	who_line(&who, "CPU: 0 PID: 7 Comm: a b Not tainted 6.1.0 #1");
	ck_assert_ptr_nonnull(strstr(says(), "\nvCPU 0: user, pid 7 \"a b\"\n"
					     "  at     0x00007f0000001234\n\n"
					     "vCPU 1: unknown\n"));
}
END_TEST

START_TEST(names_of_another_kernel_are_believed)
{
	put_map("System.map", arch_kernel_entry[0].symbol);
	seen.entry += 0x1000;
	ck_assert_ptr_nonnull(strstr(says(), "System.map is of another kernel than the "
					     "one that ran\n\nvCPU 0: kernel\n  at     "
					     "0xffffffff9b000100\n  entry  "
					     "0xffffffff9b002000  "));
	/* for a person who finds the right ones */
	ck_assert_ptr_nonnull(strstr(says(), "  stack  0xffffffff9b000212\n"));
	ck_assert_ptr_null(strstr(says(), "crash"));
}
END_TEST

START_TEST(names_are_known_before_the_place_is)
{
	put_map("System.map", arch_kernel_entry[0].symbol);
	seen.entry = 0;
	ck_assert_ptr_nonnull(strstr(says(), "with --append nokaslr "));
	ck_assert_ptr_null(strstr(says(), "crash"));
	seen.pc = LINKED + 0x100;
	c.fixed = true;
	ck_assert_ptr_nonnull(strstr(says(), "crash+0x0"));
}
END_TEST

/* What packages have in its place */
START_TEST(map_of_words_has_names)
{
	put("System.map-6.1", "ffffffffffffffff B The real System.map is elsewhere\n",
	    53);
	ck_assert_ptr_nonnull(strstr(says(), "symbols: none; give --kernel DIR"));
	symbols_close(&symbols);
	c.n = 0;
	(void)snprintf(kernel, sizeof(kernel), "%s/nothing", dir);
	ck_assert_ptr_nonnull(strstr(says(), "symbols: none; give --kernel DIR"));
}
END_TEST

/* ---- vmlinux ---- */

static const char names[] = "\0crash\0caller\0data\0$x\0.Llabel\0";

/* Headers, four sections and six symbols: @damage has its way with it */
struct image {
	Elf64_Ehdr eh;
	Elf64_Shdr sh[4];
	Elf64_Sym sym[7];
	char names[sizeof(names)];
	char entry[32];
};

static void make(struct image *m)
{
	uint32_t name[] = {
		1,  7,  14,
		19, 22, offsetof(struct image, entry) - offsetof(struct image, names)};

	memset(m, 0, sizeof(*m));
	memcpy(m->eh.e_ident, ELFMAG, SELFMAG);
	m->eh.e_ident[EI_CLASS] = ELFCLASS64;
	m->eh.e_ident[EI_DATA] = ELFDATA2LSB;
	m->eh.e_shoff = offsetof(struct image, sh);
	m->eh.e_shentsize = sizeof(Elf64_Shdr);
	m->eh.e_shnum = ARRAY_SIZE(m->sh);
	m->sh[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	m->sh[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
				.sh_link = 3,
				.sh_offset = offsetof(struct image, sym),
				.sh_size = sizeof(m->sym)};
	m->sh[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB,
				.sh_offset = offsetof(struct image, names),
				.sh_size = sizeof(m->names) + sizeof(m->entry)};
	memcpy(m->names, names, sizeof(names));
	(void)snprintf(m->entry, sizeof(m->entry), "%s", arch_kernel_entry[0].symbol);
	for (unsigned int i = 0; i < ARRAY_SIZE(name); i++) {
		m->sym[i + 1] =
			(Elf64_Sym){.st_name = name[i],
				    .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				    .st_shndx = 1,
				    .st_value = LINKED + 0x100 * (i + 1)};
	}
	m->sym[3].st_shndx = 2;                                   /* data */
	m->sym[4].st_value = m->sym[5].st_value = LINKED + 0x208; /* no functions */
	m->sym[6].st_value = LINKED + 0x1000;
	m->sym[6].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE);
}

START_TEST(elf_has_other_names)
{
	struct image m;

	make(&m);
	put("vmlinux", &m, sizeof(m));
	ck_assert_ptr_nonnull(strstr(says(), "  at     0xffffffff9b000100  crash+0x0\n"
					     "  stack  0xffffffff9b000212  caller+0x12\n"
					     "  stack  0xffffffff9b000108  crash+0x8\n"));
}
END_TEST

/* Beside the tree's image; and the kernel itself, which no KASLR moves */
START_TEST(elf_is_not_found)
{
	char path[256];
	struct image m;

	make(&m);
	put("vmlinux", &m, sizeof(m));
	(void)snprintf(path, sizeof(path),
		       "mkdir -p %s/arch/x/boot && mv %s %s/arch/x/boot/bzImage", dir,
		       kernel, dir);
	ck_assert_int_eq(system(path), 0);
	(void)snprintf(kernel, sizeof(kernel), "%s/arch/x/boot/bzImage", dir);
	ck_assert_ptr_nonnull(strstr(says(), "crash+0x0"));
	symbols_close(&symbols);
	(void)snprintf(kernel, sizeof(kernel), "%s/vmlinux", dir);
	seen.entry = 0;
	seen.pc = LINKED + 0x204;
	ck_assert_ptr_nonnull(strstr(says(), "the kernel lies where it was linked\n"));
	ck_assert_ptr_nonnull(strstr(says(), "  caller+0x4\n"));
}
END_TEST

/* Any byte of it may be anything, and it may end anywhere */
START_TEST(damage_does_harm)
{
	struct image good, m;

	make(&good);
	for (size_t i = 0; i < sizeof(good); i++) {
		m = good;
		((uint8_t *)&m)[i] ^= 0xff;
		put("vmlinux", &m, sizeof(m));
		(void)says();
		symbols_close(&symbols);
		put("vmlinux", &good, i);
		(void)says();
		symbols_close(&symbols);
	}
}
END_TEST

START_TEST(full_disk_is_not_told)
{
	int fd = open("/dev/full", O_WRONLY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(cpus_write(&c, fd), -ENOSPC);
	close(fd);
}
END_TEST

/* ---- files that take for ever ---- */

/* Each number was looked for over all the lines that follow */
START_TEST(map_of_blank_lines_takes_long)
{
	static char text[2 * MIB];
	const char first[] = "ffffffff81000000 T _text\n";

	memset(text, '\n', sizeof(text));
	memcpy(text, first, strlen(first));
	put("System.map", text, sizeof(text));
	(void)says();
	ck_assert_uint_eq(symbols.n, 1);
}
END_TEST

/* A hole costs whoever makes the file nothing */
START_TEST(table_that_is_a_hole_takes_long)
{
	struct image m;
	char path[128];

	make(&m);
	m.sh[2].sh_size = UINT64_C(1) << 40;
	put("vmlinux", &m, sizeof(m));
	(void)snprintf(path, sizeof(path), "%s/vmlinux", dir);
	ck_assert_int_eq(truncate(path, (off_t)(UINT64_C(1) << 40)), 0);
	ck_assert_ptr_nonnull(strstr(says(), "symbols: none; give --kernel DIR"));
}
END_TEST

/* ---- who ---- */

static const struct {
	const char *line;
	unsigned int cpu, pid;
	const char *name; /* NULL: nobody's */
} lines[] = {
	{"CPU: 3 PID: 12 Comm: swapper/3 Tainted: G        W  6.1", 3, 12, "swapper/3"},
	{"CPU: 1 UID: 0 PID: 33 Comm: kworker/1:1 Not tainted 6.12", 1, 33,
	 "kworker/1:1"},
	{"watchdog: BUG: soft lockup - CPU#2 stuck for 22s! [kworker/1:1:33]", 2, 33,
	 "kworker/1:1"},
	{"CPU: 0 PID: 1 Comm: 0123456789abcdefghi\x1b", 0, 1, "0123456789abcde"},
	{"CPU: 0 PID: 1 Comm: a\x1b Not tainted", 0, 1, "a?"},
	{"CPU: 0 PID: 1 at a.c:1", 0, 0, NULL},
	{"CPU: 64 PID: 1 Comm: a Not tainted", 64, 0, NULL},
	{"CPU: -1 PID: 1 Comm: a Not tainted", 0, 0, NULL},
	{"BUG: soft lockup - CPU#2 stuck for 22s! []", 2, 0, NULL},
	{"soft lockup - CPU#", 0, 0, NULL},
};

START_TEST(line_is_of_another_task)
{
	const struct who_task *t;

	who_line(&who, lines[_i].line);
	t = who_is(&who, lines[_i].cpu);
	ck_assert_int_eq(t != NULL, lines[_i].name != NULL);
	if (!t)
		return;
	ck_assert_uint_eq(t->pid, lines[_i].pid);
	ck_assert_str_eq(t->name, lines[_i].name);
}
END_TEST

UNIT_MAIN("cpus", setup, teardown, t)
{
	tcase_add_test(t, name_is_anothers);
	tcase_add_test(t, signed_address_has_no_name);
	tcase_add_test(t, task_is_anothers);
	tcase_add_test(t, names_of_another_kernel_are_believed);
	tcase_add_test(t, names_are_known_before_the_place_is);
	tcase_add_test(t, map_of_words_has_names);
	tcase_add_test(t, elf_has_other_names);
	tcase_add_test(t, elf_is_not_found);
	tcase_add_test(t, damage_does_harm);
	tcase_add_test(t, full_disk_is_not_told);
	tcase_add_test(t, map_of_blank_lines_takes_long);
	tcase_add_test(t, table_that_is_a_hole_takes_long);
	tcase_add_loop_test(t, line_is_of_another_task, 0, ARRAY_SIZE(lines));
}

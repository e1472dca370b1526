/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernel_line - words as Linux finds them, and where it finds none. */
#include "vmm/core/kernel_line.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

/* A line, and its words: <name> or <name:value>, with a quotation mark where it has one */
static const struct {
	const char *line, *words;
} lines[] = {
	{"", ""},
	{"  \t ", ""},
	{"quiet", "<quiet>"},
	{" ro  root=/dev/vda ", "<ro><root:/dev/vda>"},
	{"a\tb\nc\vd\fe\rf\xa0g", "<a><b><c><d><e><f><g>"},
	{"a=", "<a:>"},
	{"a==b", "<a:=b>"},
	{"root=UUID=1-2", "<root:UUID=1-2>"},
	{"=a", "<=a>"},
	{"=a=b", "<=a:b>"},
	{"run=\"a acpi=off b\" c", "<run:a acpi=off b><c>"},
	{"\"run=a acpi=off\" c", "<\"run:a acpi=off><c>"},
	{"\"acpi=off\"", "<\"acpi:off>"},
	{"acpi=\"off\"", "<acpi:off>"},
	{"\"acpi=\"off\"\"", "<\"acpi:off\">"},
	{"acpi=o\"f\"f", "<acpi:o\"f\"f>"},
	{"a\"b c\"d e", "<a\"b c\"d><e>"},
	{"a=b\" c\"", "<a:b\" c\">"},
	{"a=\"b\"c d", "<a:b\"c><d>"},
	{"a=\"b\"\"c d\" e", "<a:b\"\"c d><e>"},
	{"\"a b\"", "<\"a b>"},
	{"a=\"b acpi=off", "<a:b acpi=off>"},
	{"\"a b", "<\"a b>"},
	{"a=\"", "<a:>"},
	{"a=\"\"", "<a:>"},
	{"\"", "<\">"},
	{"\"\"", "<\">"},
	{"a \"", "<a><\">"},
	{"a=\\\"b c\\\" d", "<a:\\\"b c\\\"><d>"},
	{"a -- acpi=off", "<a>"},
	{"-- acpi=off", ""},
	{"\"--\" acpi=off", ""},
	{"--a b --=c -- d", "<--a><b><--:c>"},
	{"a--", "<a-->"},
	{"a=\"b -- c\" d -- e", "<a:b -- c><d>"},
};

/* @line's words as above, in @buf */
static void render(const char *line, char *buf, size_t len)
{
	const char *at = line;
	struct kernel_word w;
	size_t n = 0;

	buf[0] = '\0';
	while ((at = kernel_line_next(at, &w))) {
		ck_assert(w.name >= line);
		ck_assert(w.name + w.name_len <= at);
		n += (size_t)snprintf(buf + n, len - n, "<%s%.*s", w.quoted ? "\"" : "",
				      (int)w.name_len, w.name);
		ck_assert_uint_eq(w.value_len && !w.value, 0);
		if (w.value) {
			ck_assert(w.value + w.value_len <= at);
			n += (size_t)snprintf(buf + n, len - n, ":%.*s", (int)w.value_len,
					      w.value);
		}
		n += (size_t)snprintf(buf + n, len - n, ">");
		ck_assert_uint_lt(n, len);
	}
}

START_TEST(word_is_taken_apart_otherwise_than_by_linux)
{
	/* on the heap, so that a sanitizer sees a look past the end */
	char *line = strdup(lines[_i].line), words[128];

	render(line, words, sizeof(words));
	ck_assert_str_eq(words, lines[_i].words);
	free(line);
}
END_TEST

START_TEST(no_line_has_words)
{
	struct kernel_word w;

	ck_assert_ptr_null(kernel_line_next(NULL, &w));
	ck_assert(!kernel_line_has(NULL, "a"));
	ck_assert(!kernel_line_says(NULL, "a", "b"));
	ck_assert(!kernel_line_value(NULL, "a", &w));
}
END_TEST

START_TEST(name_is_found_in_part_or_beside)
{
	ck_assert(kernel_line_has("a no-apic=1 b", "no_apic"));
	ck_assert(kernel_line_has("a no_apic b", "no-apic"));
	ck_assert(!kernel_line_has("noapic", "no-apic"));
	ck_assert(!kernel_line_has("noapic2 xnoapic Noapic a=noapic", "noapic"));
	ck_assert(!kernel_line_has("run=\"a noapic b\" -- noapic", "noapic"));
	ck_assert(!kernel_line_has("a", ""));
}
END_TEST

START_TEST(value_is_found_in_part_or_beside)
{
	ck_assert(kernel_line_says("acpi=off", "acpi", "off"));
	ck_assert(kernel_line_says("acpi=off acpi=strict", "acpi", "off"));
	ck_assert(!kernel_line_says("acpi=off2 acpi=xoff acpi off acpi=", "acpi", "off"));
	ck_assert(!kernel_line_says("acpi=OFF xacpi=off", "acpi", "off"));
	ck_assert(!kernel_line_says("a_b=c-d", "a-b", "c_d"));
	ck_assert(kernel_line_says("a=", "a", ""));
	ck_assert(!kernel_line_says("a", "a", ""));
}
END_TEST

START_TEST(last_word_has_not_the_last_say)
{
	struct kernel_word w;

	ck_assert(kernel_line_value("panic=1 a panic=\"-1\" b", "panic", &w));
	ck_assert(kernel_word_says(&w, "-1"));
	ck_assert(kernel_line_value("panic=1 panic", "panic", &w));
	ck_assert_ptr_null(w.value);
	ck_assert(!kernel_line_value("panic2=1", "panic", &w));
}
END_TEST

START_TEST(list_is_searched_past_its_ends)
{
	struct kernel_word w;

	ck_assert(kernel_line_value("pci=conf1,noearly,,x y", "pci", &w));
	ck_assert(kernel_word_lists(&w, "conf1"));
	ck_assert(kernel_word_lists(&w, "noearly"));
	ck_assert(kernel_word_lists(&w, ""));
	ck_assert(kernel_word_lists(&w, "x"));
	ck_assert(!kernel_word_lists(&w, "y"));
	ck_assert(!kernel_word_lists(&w, "conf"));
	ck_assert(!kernel_word_lists(&w, "conf1,noearly"));
	ck_assert(kernel_line_value("pci", "pci", &w));
	ck_assert(!kernel_word_lists(&w, ""));
}
END_TEST

UNIT_MAIN("kernel_line", NULL, NULL, t)
{
	tcase_add_loop_test(t, word_is_taken_apart_otherwise_than_by_linux, 0,
			    ARRAY_SIZE(lines));
	tcase_add_test(t, no_line_has_words);
	tcase_add_test(t, name_is_found_in_part_or_beside);
	tcase_add_test(t, value_is_found_in_part_or_beside);
	tcase_add_test(t, last_word_has_not_the_last_say);
	tcase_add_test(t, list_is_searched_past_its_ends);
}

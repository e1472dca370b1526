/* SPDX-License-Identifier: Apache-2.0 */
/* test_witness - what a kernel's last words are, however they come. */
#include "vmm/machine/witness.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"
#include "vmm/core/util.h"

static struct witness w;

static bool print(const char *text)
{
	return witness_output(&w, (const uint8_t *)text, strlen(text));
}

static void setup(void)
{
	memset(&w, 0, sizeof(w));
}

static const struct {
	const char *text;
	enum witness_said said;
	bool still, panicked, knows;
} lines[] = {
	{"[    1.234567] reboot: Restarting system\r\n", SAID_RESTARTING, false, false,
	 true},
	{"reboot: Restarting system with command 'now'\n", SAID_RESTARTING, false, false,
	 true},
	{"[    1.2][    T1] Kernel panic - not syncing: sysrq triggered crash\n",
	 SAID_PANIC, false, true, true},
	{"a prompt # [    1.2] Kernel panic - not syncing: No init\n", SAID_PANIC, false,
	 true, true},
	{"---[ end Kernel panic - not syncing: No init ]---\n", SAID_PANIC_OVER, true,
	 true, true},
	{"[    1.2] reboot: System halted\n", SAID_HALTED, true, false, false},
	{"[    1.2] reboot: Power down\n", SAID_NOTHING, false, false, false},
	{"Kernel panic - not sync\n", SAID_NOTHING, false, false, false},
	{"[    1.2] reboot: System halted", SAID_NOTHING, false, false, false}, /* yet */
	{"\n\n\n", SAID_NOTHING, false, false, false},
	/* the newest counts, within one write as well */
	{"Kernel panic - not syncing: x\nreboot: Restarting system\n", SAID_RESTARTING,
	 false, false, true},
	{"reboot: Restarting system\nKernel panic - not syncing: x\n", SAID_PANIC, false,
	 true, true},
};

START_TEST(line_means)
{
	ck_assert_int_eq(print(lines[_i].text), lines[_i].still);
	ck_assert_int_eq(w.said, lines[_i].said);
	ck_assert_int_eq(witness_panicked(&w), lines[_i].panicked);
	ck_assert_int_eq(witness_knows(&w), lines[_i].knows);
}
END_TEST

START_TEST(byte_by_byte_it_means_the_same)
{
	const char *text = lines[_i].text;
	bool still = false;

	for (size_t i = 0; text[i]; i++)
		still |= witness_output(&w, (const uint8_t *)&text[i], 1);
	ck_assert_int_eq(still, lines[_i].still);
	ck_assert_int_eq(w.said, lines[_i].said);
}
END_TEST

/* Whatever came before on the line, and however much: the end is looked at */
START_TEST(long_line_is_no_hiding_place)
{
	static char text[4096];
	const char *words = "reboot: Restarting system\n";

	memset(text, 'x', sizeof(text));
	for (size_t before = 0; before < 3 * WITNESS_LINE_MAX; before++) {
		setup();
		witness_output(&w, (const uint8_t *)text, before);
		print(words);
		ck_assert_int_eq(w.said, SAID_RESTARTING);
		setup();
		memcpy(text + before, words, strlen(words));
		witness_output(&w, (const uint8_t *)text, before + strlen(words));
		ck_assert_int_eq(w.said, SAID_RESTARTING);
		memset(text, 'x', sizeof(text));
	}
}
END_TEST

START_TEST(zero_byte_hides_nothing)
{
	static const uint8_t text[] = "ab\0reboot: Restarting system\n";

	witness_output(&w, text, sizeof(text) - 1);
	ck_assert_int_eq(w.said, SAID_RESTARTING);
}
END_TEST

START_TEST(device_outweighs_words)
{
	print("reboot: Restarting system\n");
	w.crashed = true;
	ck_assert(witness_panicked(&w));
	w.crashed = false;
	w.panicked = true;
	ck_assert(witness_panicked(&w));
}
END_TEST

START_TEST(a_root_that_was_not_found_is_told_from_other_panics)
{
	print("Kernel panic - not syncing: No init\n");
	print("VFS: Unable to mount root fs on unknown-block(0,0)\n"); /* a log that is shown */
	ck_assert(!w.rootless);
	print("[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs on "
	      "unknown-block(0,0)\n");
	ck_assert(w.rootless);
	ck_assert_int_eq(w.said, SAID_PANIC);
}
END_TEST

UNIT_MAIN("witness", setup, NULL, t)
{
	tcase_add_loop_test(t, line_means, 0, ARRAY_SIZE(lines));
	tcase_add_loop_test(t, byte_by_byte_it_means_the_same, 0, ARRAY_SIZE(lines));
	tcase_add_test(t, long_line_is_no_hiding_place);
	tcase_add_test(t, zero_byte_hides_nothing);
	tcase_add_test(t, device_outweighs_words);
	tcase_add_test(t, a_root_that_was_not_found_is_told_from_other_panics);
}

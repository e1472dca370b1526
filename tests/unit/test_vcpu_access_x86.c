/* SPDX-License-Identifier: Apache-2.0 */
/* test_vcpu_access_x86 - what of a guest's accesses reaches the buses. */
#include "tests/unit/fake_vcpu_x86.h"

#include "tests/lib/unit.h"

static unsigned int mmio_len;
static bool mmio_write;

static int run_touches_register(struct kvm_run *run)
{
	static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	(void)run_reads_register(run);
	run->mmio.len = mmio_len;
	run->mmio.is_write = mmio_write;
	memcpy(run->mmio.data, data, sizeof(data));
	return 0;
}

START_TEST(accesses_of_no_registers_width_reach_nobody)
{
	static int (*const steps[])(struct kvm_run *) = {run_touches_register, run_ends};
	bool whole = _i == 1 || _i == 2 || _i == 4 || _i == 8;
	uint64_t ones = UINT64_MAX, got = 0;

	mmio_len = (unsigned int)_i;
	for (unsigned int w = 0; w < 2; w++) {
		mmio_write = w;
		nended = nseen = 0;
		ck_assert_int_eq(run(steps, 2), VCPU_TRIPLE_FAULT);
		ck_assert_uint_eq(nseen, whole);
		ck_assert(!whole || (seen[0].size == mmio_len && seen[0].write == w));
		memcpy(&got, area.run.mmio.data, mmio_len);
		if (!w && !whole)
			ck_assert_mem_eq(&got, &ones, mmio_len);
	}
}
END_TEST

static struct {
	uint16_t port;
	uint8_t size, direction;
	uint32_t count;
} io;

static int run_touches_port(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.port = io.port;
	run->io.size = io.size;
	run->io.direction = io.direction;
	run->io.count = io.count;
	run->io.data_offset = 4096;
	return 0;
}

static void touch_port(uint16_t port, uint8_t size, uint8_t direction, uint32_t count)
{
	static int (*const steps[])(struct kvm_run *) = {run_touches_port, run_ends};

	io.port = port;
	io.size = size;
	io.direction = direction;
	io.count = count;
	nended = nseen = 0;
	ck_assert_int_eq(run(steps, 2), VCPU_TRIPLE_FAULT);
}

START_TEST(string_output_is_an_access_for_each_item)
{
	static const uint8_t text[] = {1, 2, 3, 4, 5, 6, 7, 8};

	memcpy(area.bytes + 4096, text, sizeof(text));
	touch_port(PORT + 1, 1, KVM_EXIT_IO_OUT, 8);
	ck_assert_uint_eq(nseen, 8);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert(seen[i].write && seen[i].off == 1 && seen[i].size == 1 &&
			  seen[i].val == text[i]);
	touch_port(PORT, 4, KVM_EXIT_IO_OUT, 2);
	ck_assert_uint_eq(nseen, 2);
	ck_assert_uint_eq(seen[1].val, 0x08070605);
}
END_TEST

START_TEST(string_input_fills_each_item)
{
	static const uint8_t want[] = {0x89, 0x77, 0x8a, 0x77, 0x8b, 0x77, 0xee, 0xee};

	memset(area.bytes + 4096, 0xee, 64);
	touch_port(PORT, 2, KVM_EXIT_IO_IN, 3);
	ck_assert_uint_eq(nseen, 3);
	ck_assert_mem_eq(area.bytes + 4096, want, sizeof(want));
}
END_TEST

/* So does each of its items */
START_TEST(string_across_the_end_of_a_window_reaches_nobody)
{
	memset(area.bytes + 4096, 0, 64);
	touch_port(PORT + LEN - 1, 2, KVM_EXIT_IO_IN, 4);
	ck_assert_uint_eq(nseen, 0);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(area.bytes[4096 + i], 0xff);
	touch_port(PORT + LEN - 2, 4, KVM_EXIT_IO_OUT, 4);
	ck_assert_uint_eq(nseen, 0);
	touch_port(UINT16_MAX, 4, KVM_EXIT_IO_OUT, 1);
	ck_assert_uint_eq(nseen, 0);
}
END_TEST

UNIT_MAIN("vcpu_access_x86", setup, NULL, t)
{
	fake_kvm = on_ioctl;
	tcase_add_loop_test(t, accesses_of_no_registers_width_reach_nobody, 1, 9);
	tcase_add_test(t, string_output_is_an_access_for_each_item);
	tcase_add_test(t, string_input_fills_each_item);
	tcase_add_test(t, string_across_the_end_of_a_window_reaches_nobody);
}

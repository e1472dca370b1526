/* SPDX-License-Identifier: Apache-2.0 */
/* test_serial_state - reset, snapshots, and a guest that writes anything. */
#include "devices/legacy/legacy.h"

#include "tests/lib/unit.h"
#include "tests/unit/serial_fixture.h"
#include "tests/unit/state_fixture.h"

START_TEST(reset_forgets_all_and_asks_for_input)
{
	tty.room = 0;
	out(UART_SCR, 1);
	out(UART_TX, 'x');
	type("a");
	client->input_room(client);
	dev->ops->reset(dev);
	ck_assert_uint_eq(in(UART_SCR), 0);
	ck_assert_uint_eq(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	ck_assert_uint_eq(tty.wanted, 1);
}
END_TEST

START_TEST(state_comes_back_with_what_was_held)
{
	struct state_image im;

	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_IER, UART_IER_RDI | UART_IER_THRI);
	out(UART_LCR, UART_LCR_WLEN8);
	out(UART_SCR, 0x77);
	tty.room = 1;
	out(UART_TX, 'a');
	out(UART_TX, 'b');
	out(UART_TX, 'c');
	type("in");
	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	expect_out("bc");
	ck_assert_uint_eq(pulses(), 1);
	ck_assert_uint_eq(in(UART_SCR), 0x77);
	ck_assert_uint_eq(in(UART_LCR), UART_LCR_WLEN8);
	ck_assert_uint_eq(in(UART_RX), 'i');
	ck_assert_uint_eq(in(UART_RX), 'n');
	tty.room = 0; /* or what is loaded leaves at once */
	state_refuse_damaged(dev, &im);
	dev->ops->reset(dev);
	pulses();
	ck_assert_uint_eq(in(UART_SCR), 0);
	/* and the port goes on */
	tty.nout = 0;
	tty.room = SIZE_MAX;
	out(UART_TX, 'd');
	expect_out("d");
}
END_TEST

START_TEST(impossible_state_is_refused)
{
	static const unsigned int at[] = {0, 1, 3, 8, 9, 10};
	struct state_image im, bad;

	out(UART_SCR, 0x77);
	state_save(dev, &im);
	for (unsigned int i = 0; i < ARRAY_SIZE(at); i++) {
		bad = im;
		bad.byte[STATE_FIELDS + at[i]] = 0xee;
		state_refuse(dev, &bad, "e");
		ck_assert_uint_eq(in(UART_SCR), 0);
	}
}
END_TEST

/* Anything in any order: IIR always ends, nothing leaves by loopback, input room is true */
START_TEST(random_accesses_keep_the_port_sane)
{
	unsigned int seed = 7;

	for (unsigned int i = 0; i < 300000; i++) {
		unsigned int reg = (unsigned int)rand_r(&seed) % 9;
		unsigned int size = 1u << rand_r(&seed) % 4;
		uint64_t val = (uint64_t)rand_r(&seed) << 31 ^ (uint64_t)rand_r(&seed);
		size_t room;

		tty.room = (unsigned int)rand_r(&seed) % 4;
		tty.nout = 0;
		switch (rand_r(&seed) % 8) {
		case 0:
			room = client->input_room(client);
			ck_assert_uint_le(room, 16);
			client->input(client, (const uint8_t *)"0123456789abcdef", room);
			ck_assert_uint_eq(client->input_room(client), 0);
			break;
		case 1:
			client->output_room(client);
			break;
		case 2:
		case 3:
			bus_read(&bus, LAYOUT_COM1 + reg, size);
			break;
		default:
			bus_write(&bus, LAYOUT_COM1 + reg, size, val);
		}
		pulses();
		if (i % 64)
			continue;
		for (unsigned int n = 0; !(in(UART_IIR)&UART_IIR_NO_INT); n++) {
			ck_assert_uint_lt(n, 64);
			out(UART_LCR, 0);
			in(UART_LSR);
			in(UART_RX);
			in(UART_MSR);
		}
	}
}
END_TEST

UNIT_MAIN("serial_state", setup, teardown, t)
{
	tcase_add_test(t, reset_forgets_all_and_asks_for_input);
	tcase_add_test(t, state_comes_back_with_what_was_held);
	tcase_add_test(t, impossible_state_is_refused);
	tcase_add_test(t, random_accesses_keep_the_port_sane);
}

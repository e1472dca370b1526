/* SPDX-License-Identifier: Apache-2.0 */
/* test_serial - the 16550A as Linux's 8250 driver sees it. */
#include "devices/legacy/legacy.h"

#include "tests/lib/unit.h"
#include "tests/unit/serial_fixture.h"

START_TEST(is_detected_as_16550a)
{
	out(UART_IER, 0);
	ck_assert_uint_eq(in(UART_IER), 0);
	out(UART_IER, 0xff);
	ck_assert_uint_eq(in(UART_IER), 0x0f);
	out(UART_IER, 0);
	out(UART_SCR, 0x5a);
	ck_assert_uint_eq(in(UART_SCR), 0x5a);
	/* loopback: OUT2 comes back as DCD, RTS as CTS */
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	ck_assert_uint_eq(in(UART_MSR)&0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(UART_MCR, 0);
	/* no FIFO, then a FIFO, but neither a 16750's, a 16650's nor an XScale's */
	out(UART_FCR, 0);
	ck_assert_uint_eq(in(UART_IIR) >> 6, 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(in(UART_IIR) >> 6, 3);
	out(UART_LCR, UART_LCR_CONF_MODE_A);
	ck_assert_uint_ne(in(UART_EFR), 0);
	out(UART_LCR, UART_LCR_CONF_MODE_B);
	ck_assert_uint_ne(in(UART_EFR), 0);
	out(UART_LCR, 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	ck_assert_uint_eq(in(UART_IIR)&0x20, 0);
	ck_assert_uint_eq(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}
END_TEST

START_TEST(divisor_is_behind_dlab)
{
	out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	ck_assert_uint_eq(in(UART_DLL), 1);
	ck_assert_uint_eq(in(UART_DLM), 0);
	out(UART_DLL, 0x34);
	out(UART_DLM, 0x12);
	ck_assert_uint_eq(in(UART_DLL), 0x34);
	ck_assert_uint_eq(in(UART_DLM), 0x12);
	out(UART_LCR, UART_LCR_WLEN8);
	ck_assert_uint_eq(in(UART_IER), 0);
	ck_assert_uint_eq(tty.nout, 0);
}
END_TEST

START_TEST(transmitter_interrupt_is_raised_each_time_it_is_enabled)
{
	/* Linux's test for UART_BUG_THRE and UART_BUG_TXEN */
	for (int i = 0; i < 2; i++) {
		out(UART_IER, UART_IER_THRI);
		ck_assert_uint_eq(pulses(), 1);
		ck_assert_uint_eq(in(UART_IIR), UART_IIR_THRI);
		ck_assert_uint_eq(in(UART_IIR), UART_IIR_NO_INT);
		out(UART_IER, 0);
	}
	ck_assert_uint_eq(pulses(), 0);
}
END_TEST

START_TEST(transmitted_byte_raises_one_pulse_once_the_last_was_taken)
{
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_IER, UART_IER_THRI);
	ck_assert_uint_eq(in(UART_IIR)&0xf, UART_IIR_THRI);
	ck_assert_uint_eq(pulses(), 1);
	for (int i = 0; i < 16; i++)
		out(UART_TX, 'x');
	ck_assert_uint_eq(pulses(), 1);
	ck_assert_uint_eq(in(UART_IIR)&0xf, UART_IIR_THRI);
	out(UART_TX, 'y');
	ck_assert_uint_eq(pulses(), 1);
	expect_out("xxxxxxxxxxxxxxxxy");
}
END_TEST

START_TEST(full_tty_holds_the_guest_back_and_loses_nothing)
{
	char want[4097];
	unsigned int n = 0;

	tty.room = 5;
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_IER, UART_IER_THRI);
	while (n < sizeof(want) - 1) {
		if (in(UART_LSR)&UART_LSR_THRE) {
			for (int i = 0; i < 16 && n < sizeof(want) - 1; i++, n++) {
				want[n] = (char)('a' + n % 26);
				out(UART_TX, (uint8_t)want[n]);
			}
			continue;
		}
		ck_assert_uint_eq(in(UART_LSR)&UART_LSR_TEMT, 0);
		ck_assert(tty.took_less);
		in(UART_IIR);
		pulses();
		tty.room = 7;
		client->output_room(client);
		ck_assert_uint_eq(pulses(), in(UART_LSR)&UART_LSR_THRE ? 1 : 0);
	}
	tty.room = SIZE_MAX;
	client->output_room(client);
	want[n] = 0;
	expect_out(want);
}
END_TEST

START_TEST(driver_that_does_not_wait_loses_only_its_own_bytes)
{
	tty.room = 0;
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	for (int i = 0; i < 1000; i++)
		out(UART_TX, i < 16 ? 'k' : 'l');
	tty.room = SIZE_MAX;
	client->output_room(client);
	expect_out("kkkkkkkkkkkkkkkk");
}
END_TEST

START_TEST(transmit_fifo_can_be_cleared)
{
	tty.room = 0;
	out(UART_IER, UART_IER_THRI);
	in(UART_IIR);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_TX, 'x');
	ck_assert_uint_eq(in(UART_LSR), 0);
	pulses();
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_XMIT);
	ck_assert_uint_eq(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	ck_assert_uint_eq(pulses(), 1);
	tty.room = 10;
	client->output_room(client);
	ck_assert_uint_eq(tty.nout, 0);
}
END_TEST

START_TEST(input_arrives_with_one_pulse_each_time_the_fifo_was_empty)
{
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_IER, UART_IER_RDI);
	ck_assert_uint_eq(pulses(), 0);
	type("ab");
	type("c");
	ck_assert_uint_eq(pulses(), 1);
	ck_assert_uint_eq(in(UART_IIR)&0xf, UART_IIR_RDI);
	ck_assert_uint_eq(in(UART_RX), 'a');
	ck_assert_uint_eq(in(UART_RX), 'b');
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_DR, UART_LSR_DR);
	ck_assert_uint_eq(in(UART_RX), 'c');
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_DR, 0);
	ck_assert_uint_eq(in(UART_IIR)&0xf, UART_IIR_NO_INT);
	ck_assert_uint_eq(in(UART_RX), 0);
	type("d");
	ck_assert_uint_eq(pulses(), 1);
}
END_TEST

START_TEST(input_before_its_interrupt_is_enabled_is_told_then)
{
	type("a");
	ck_assert_uint_eq(pulses(), 0);
	out(UART_IER, UART_IER_RDI);
	ck_assert_uint_eq(pulses(), 1);
	ck_assert_uint_eq(in(UART_IIR), UART_IIR_RDI);
}
END_TEST

START_TEST(input_never_overruns)
{
	ck_assert_uint_eq(client->input_room(client), 1);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(client->input_room(client), 16);
	type("0123456789abcdef");
	ck_assert_uint_eq(client->input_room(client), 0);
	type("lost");
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_OE, 0);
	for (int i = 0; i < 15; i++)
		in(UART_RX);
	ck_assert_uint_eq(tty.wanted, 0);
	ck_assert_uint_eq(in(UART_RX), 'f');
	ck_assert_uint_eq(tty.wanted, 1);
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_DR, 0);
	in(UART_RX);
	ck_assert_uint_eq(tty.wanted, 1);
}
END_TEST

START_TEST(clearing_the_receiver_asks_for_more_input)
{
	type("a");
	ck_assert_uint_eq(client->input_room(client), 0);
	out(UART_FCR, UART_FCR_CLEAR_RCVR);
	ck_assert_uint_eq(tty.wanted, 1);
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_DR, 0);
}
END_TEST

START_TEST(loopback_comes_back_and_stays_inside)
{
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_IER, UART_IER_RLSI | UART_IER_RDI);
	ck_assert_uint_eq(client->input_room(client), 0);
	for (int i = 0; i < 17; i++)
		out(UART_TX, (uint8_t)i);
	ck_assert_uint_eq(tty.nout, 0);
	ck_assert_uint_eq(pulses(), 2);
	ck_assert_uint_eq(in(UART_IIR)&0xf, UART_IIR_RLSI);
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_OE, UART_LSR_OE);
	ck_assert_uint_eq(in(UART_LSR)&UART_LSR_OE, 0);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(in(UART_RX), i);
	ck_assert_uint_eq(tty.wanted, 0);
	out(UART_MCR, 0);
	ck_assert_uint_eq(tty.wanted, 1);
}
END_TEST

START_TEST(modem_changes_are_told_once)
{
	in(UART_MSR);
	out(UART_IER, UART_IER_MSI);
	ck_assert_uint_eq(in(UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	ck_assert_uint_eq(pulses(), 1);
	ck_assert_uint_eq(in(UART_IIR), UART_IIR_MSI);
	ck_assert_uint_eq(in(UART_MSR),
			  UART_MSR_RI | UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
	ck_assert_uint_eq(in(UART_MSR), UART_MSR_RI);
	ck_assert_uint_eq(in(UART_IIR), UART_IIR_NO_INT);
	out(UART_MCR, UART_MCR_LOOP);
	ck_assert_uint_eq(in(UART_MSR), UART_MSR_TERI);
}
END_TEST

START_TEST(wide_access_is_as_many_narrow_ones)
{
	bus_write(&bus, LAYOUT_COM1 + UART_MCR, 4, 0x5a000000);
	ck_assert_uint_eq(in(UART_SCR), 0x5a);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_COM1 + UART_LSR, 2),
			  0xb000 | UART_LSR_THRE | UART_LSR_TEMT);
	ck_assert_uint_eq(bus_read(&bus, LAYOUT_COM1 + UART_SCR, 2), 0xffff);
}
END_TEST

START_TEST(without_a_tty_output_goes_nowhere)
{
	teardown();
	dev = make(NULL);
	client = serial_client(dev);
	for (int i = 0; i < 100; i++)
		out(UART_TX, 'x');
	ck_assert_uint_eq(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	dev->ops->reset(dev);
}
END_TEST

UNIT_MAIN("serial", setup, teardown, t)
{
	tcase_add_test(t, is_detected_as_16550a);
	tcase_add_test(t, divisor_is_behind_dlab);
	tcase_add_test(t, transmitter_interrupt_is_raised_each_time_it_is_enabled);
	tcase_add_test(t, transmitted_byte_raises_one_pulse_once_the_last_was_taken);
	tcase_add_test(t, full_tty_holds_the_guest_back_and_loses_nothing);
	tcase_add_test(t, driver_that_does_not_wait_loses_only_its_own_bytes);
	tcase_add_test(t, transmit_fifo_can_be_cleared);
	tcase_add_test(t, input_arrives_with_one_pulse_each_time_the_fifo_was_empty);
	tcase_add_test(t, input_before_its_interrupt_is_enabled_is_told_then);
	tcase_add_test(t, input_never_overruns);
	tcase_add_test(t, clearing_the_receiver_asks_for_more_input);
	tcase_add_test(t, loopback_comes_back_and_stays_inside);
	tcase_add_test(t, modem_changes_are_told_once);
	tcase_add_test(t, wide_access_is_as_many_narrow_ones);
	tcase_add_test(t, without_a_tty_output_goes_nowhere);
}

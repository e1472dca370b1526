/* SPDX-License-Identifier: Apache-2.0 */
/* test_exit_port - how a test guest says its number, and how an operator asks for the port */
#include "devices/legacy/legacy.h"

#include <check.h>

#include "tests/lib/setting.h"
#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"
#include "vmm/core/arch.h"
#include "vmm/core/bus.h"

#define AT 0xf4

static struct bus bus;
static struct device *dev;
static unsigned int ends;
static uint32_t value;

static void exits(struct power *p, uint32_t v)
{
	(void)p;
	ends++;
	value = v;
}

static void setup(void)
{
	static struct power power = {.exit = exits};
	struct err why = {0};

	setting_setup();
	bus = (struct bus){.name = "port"};
	dev = exit_port_create(AT, &power);
	ck_assert_ptr_nonnull(dev);
	ck_assert_int_eq(bus_add(&bus, dev, &why), 0);
	ends = 0;
}

static void teardown(void)
{
	dev->ops->destroy(dev);
	setting_teardown();
}

static const struct {
	uint64_t port;
	unsigned int size;
	uint64_t val;
	unsigned int ends;
	uint32_t value;
} writes[] = {
	{AT, 4, 0, 1, 0},
	{AT, 4, 0x10, 1, 0x10},
	{AT, 4, 0xffffffff, 1, 0xffffffff},
	{AT, 2, 0x1234, 1, 0x1234},
	{AT, 1, 0x1ff, 1, 0xff},
	{AT + 3, 1, 7, 1, 7},
	/* beside it, and across its end */
	{AT - 1, 1, 1, 0, 0},
	{AT + 4, 1, 1, 0, 0},
	{AT + 2, 4, 1, 0, 0},
};

START_TEST(write_is_another_end)
{
	value = 0;
	bus_write(&bus, writes[_i].port, writes[_i].size, writes[_i].val);
	ck_assert_uint_eq(ends, writes[_i].ends);
	ck_assert_uint_eq(value, writes[_i].value);
}
END_TEST

START_TEST(read_is_an_end)
{
	ck_assert_uint_eq(bus_read(&bus, AT, 4), 0);
	ck_assert_uint_eq(bus_read(&bus, AT + 3, 1), 0);
	ck_assert_uint_eq(ends, 0);
}
END_TEST

START_TEST(state_goes_to_another_device)
{
	struct state_image im;

	state_save(dev, &im);
	teardown();
	setup();
	ck_assert_str_eq(state_load(dev, &im), "");
	state_refuse_damaged(dev, &im);
	bus_write(&bus, AT, 4, 3);
	ck_assert_uint_eq(value, 3);
}
END_TEST

static int option(const char *text)
{
	return setting_option("--exit-port", text);
}

START_TEST(option_is_another_port)
{
	const struct config_exit_port *p = &cfg.exit_port;

	if (strcmp(arch_name, "x86-64") != 0)
		return;
	ck_assert(!p->on);
	ck_assert_int_eq(option("0xf4"), 0);
	ck_assert(p->on && p->port == 0xf4 && !p->has_good);
	ck_assert_int_eq(option("none"), 0);
	ck_assert(!p->on);
	setting_teardown();
	setting_setup();
	ck_assert_int_eq(
		setting_json("{\"exit-port\": {\"port\": 244, \"good\": \"0x10\"}}"), 0);
	ck_assert(p->on && p->port == 0xf4 && p->has_good && p->good == 0x10);
}
END_TEST

static const struct setting_wrong wrong[] = {
	{option, "", "--exit-port: the value is empty", "N[,...]"},
	{option, "good=1", "--exit-port: there is no port", "0xf4"},
	{option, "0xfffd", "--exit-port: port: \"0xfffd\" is no port", "0xfffc"},
	{option, "0x", "--exit-port: port: \"0x\" is no port", "0xf4"},
	{option, "0x-1", "--exit-port: port: \"0x-1\" is no port", "0xf4"},
	{option, "0xf4z", "--exit-port: port: \"0xf4z\" is no port", "0xf4"},
	{option, "0xf4,good=0x100000000", "good: \"0x100000000\" is no number", "0x10"},
	{option, "0xf4,size=4", "\"size\" is not known here", "N[,...]"},
};

START_TEST(wrong_value_is_told)
{
	if (strcmp(arch_name, "x86-64") == 0)
		setting_is_refused(&wrong[_i]);
}
END_TEST

UNIT_MAIN("exit_port", setup, teardown, t)
{
	tcase_add_loop_test(t, write_is_another_end, 0, (int)ARRAY_SIZE(writes));
	tcase_add_test(t, read_is_an_end);
	tcase_add_test(t, state_goes_to_another_device);
	tcase_add_test(t, option_is_another_port);
	tcase_add_loop_test(t, wrong_value_is_told, 0, (int)ARRAY_SIZE(wrong));
}

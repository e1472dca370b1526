/* SPDX-License-Identifier: Apache-2.0 */
/* test_genid - the generation id is another one in each machine, and its guest is told so. */
#include "devices/legacy/genid.h"

#include <check.h>

#include "tests/lib/unit.h"
#include "tests/unit/state_fixture.h"

#define AT  0xcfff0000u
#define GSI 10

static struct device *dev;

static void setup(void)
{
	dev = genid_create(AT, GSI);
	ck_assert_ptr_nonnull(dev);
}

static void teardown(void)
{
	dev->ops->destroy(dev);
}

START_TEST(each_has_another)
{
	uint8_t one[GENID_LEN];

	ck_assert_uint_eq(dev->irq.gsi, GSI);
	memcpy(one, genid_page(dev), GENID_LEN);
	ck_assert(!irq_kept(&dev->irq));
	teardown();
	setup();
	ck_assert_mem_ne(one, genid_page(dev), GENID_LEN);
}
END_TEST

START_TEST(a_loader_gets_another_one_and_is_told)
{
	uint8_t one[GENID_LEN], two[GENID_LEN];
	struct state_image im;

	memcpy(one, genid_page(dev), GENID_LEN);
	state_save(dev, &im);
	ck_assert_mem_eq(one, genid_page(dev), GENID_LEN);
	ck_assert(!irq_kept(&dev->irq));
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert(irq_kept(&dev->irq));
	memcpy(two, genid_page(dev), GENID_LEN);
	ck_assert_mem_ne(one, two, GENID_LEN);
	ck_assert_str_eq(state_load(dev, &im), "");
	ck_assert_mem_ne(two, genid_page(dev), GENID_LEN);
	state_refuse_damaged(dev, &im);
}
END_TEST

UNIT_MAIN("genid", setup, teardown, t)
{
	tcase_add_test(t, each_has_another);
	tcase_add_test(t, a_loader_gets_another_one_and_is_told);
}

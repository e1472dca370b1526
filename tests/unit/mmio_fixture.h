/* SPDX-License-Identifier: Apache-2.0 */
/* mmio_fixture - a driver, and the fake device that it finds.  For one .c file a program. */
#ifndef MICROVM_TESTS_MMIO_FIXTURE_H
#define MICROVM_TESTS_MMIO_FIXTURE_H

#include "tests/lib/driver.h"
#include "tests/lib/fake.h"
#include "vmm/core/util.h"

static struct driver d;
static struct fake *f;

static inline void plug(void)
{
	f = fake_create(&d.env);
	driver_plug(&d, &f->v);
}

static inline void setup(void)
{
	driver_init(&d, MIB);
	plug();
}

static inline void teardown(void)
{
	driver_fini(&d);
}

#endif

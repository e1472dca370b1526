/* SPDX-License-Identifier: Apache-2.0 */
/* loop_fixture - a loop, a device and sources that a test rings.  For one .c file a program. */
#ifndef MICROVM_TESTS_LOOP_FIXTURE_H
#define MICROVM_TESTS_LOOP_FIXTURE_H

#include <check.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "tests/lib/nop_device.h"
#include "vmm/core/loop.h"

static struct loop *loop;
static struct device dev;

static inline void source_init(struct loop_source *s,
			       void (*fn)(struct loop_source *, uint32_t))
{
	*s = (struct loop_source){
		.fd = eventfd(0, EFD_NONBLOCK), .events = EPOLLIN, .dev = &dev, .fn = fn};
	ck_assert_int_ge(s->fd, 0);
}

static inline void ring(struct loop_source *s)
{
	ck_assert_int_eq(eventfd_write(s->fd, 1), 0);
}

static inline void loop_setup(void)
{
	loop = loop_create();
	ck_assert_ptr_nonnull(loop);
	device_init(&dev, &nop_ops, DEVICE_SERIAL, "dev", 0, 1);
}

static inline void loop_teardown(void)
{
	loop_destroy(loop);
	device_fini(&dev);
}

#endif

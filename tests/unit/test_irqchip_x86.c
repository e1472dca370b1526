/* SPDX-License-Identifier: Apache-2.0 */
/* test_irqchip_x86 - which routes and irqfds KVM is told of when a pin changes. */
#include "tests/lib/unit.h"
#include "tests/unit/fake_kvm.h"

#include "vmm/core/util.h"
#include "vmm/kvm/irqchip.h"

#define GSI 17

static struct kvm kvm = {.dev_fd = FAKE_KVM_FD, .vm_fd = FAKE_KVM_FD};
static struct irqchip chip;
static struct irq_line line;
static struct config cfg;
static struct err err;

/* ---- what KVM was told ---- */

static unsigned int nbound, nlet_go, nroutes; /* calls */
static bool bound;                            /* GSI's line */
static struct kvm_irq_routing_entry route;    /* GSI's; type 0: none */
static unsigned long fails;                   /* a request; 0: none */

static void on_irqfd(const struct kvm_irqfd *io)
{
	bool off = io->flags & KVM_IRQFD_FLAG_DEASSIGN;

	ck_assert_uint_eq(io->gsi, GSI);
	ck_assert_int_eq((int)io->fd, line.fd);
	ck_assert_uint_eq(io->flags, off ? KVM_IRQFD_FLAG_DEASSIGN : 0);
	ck_assert_int_ne(bound, !off); /* or KVM would refuse it */
	bound = !off;
	nbound += !off;
	nlet_go += off;
}

static void on_routes(const struct kvm_irq_routing *table)
{
	nroutes++;
	route = (struct kvm_irq_routing_entry){0};
	for (unsigned int i = 0; i < table->nr; i++)
		if (table->entries[i].gsi == GSI)
			route = table->entries[i];
}

static int on_ioctl(unsigned long request, void *arg)
{
	if (request == fails) {
		errno = EINVAL;
		return -1;
	}
	if (request == KVM_IRQFD)
		on_irqfd(arg);
	if (request == KVM_SET_GSI_ROUTING)
		on_routes(arg);
	return 0;
}

/* ---- a machine with one line ---- */

static void setup_with(bool acpi)
{
	nbound = nlet_go = nroutes = 0;
	bound = false;
	fails = 0;
	route = (struct kvm_irq_routing_entry){0};
	cfg.acpi = acpi;
	chip = (struct irqchip){0};
	ck_assert_int_eq(irq_init(&line, GSI), 0);
	ck_assert_int_eq(irqchip_init(&chip, &kvm, &cfg, &err), 0);
	ck_assert_int_eq(irqchip_add(&chip, &line, &err), 0);
}

static void setup(void)
{
	setup_with(true);
}

static void teardown(void)
{
	irqchip_fini(&chip);
	irq_fini(&line);
}

static void unmask(uint32_t data)
{
	const struct msi_msg msg = {.address = 0x1fee01004, .data = data};

	chip.router.route(&chip.router, GSI, &msg);
}

static void mask(void)
{
	chip.router.route(&chip.router, GSI, NULL);
}

START_TEST(line_is_bound_while_its_pin_is_not_masked)
{
	ck_assert_uint_eq(nbound, 0); /* the pin starts masked */
	unmask(33);
	ck_assert(bound);
	mask();
	ck_assert(!bound);
	mask();
	ck_assert_uint_eq(nlet_go, 1);
	unmask(33);
	ck_assert(bound);
	ck_assert_uint_eq(nbound, 2);
}
END_TEST

START_TEST(message_is_the_route)
{
	unmask(33);
	ck_assert_uint_eq(route.type, KVM_IRQ_ROUTING_MSI);
	ck_assert_uint_eq(route.u.msi.address_lo, 0xfee01004);
	ck_assert_uint_eq(route.u.msi.address_hi, 1);
	ck_assert_uint_eq(route.u.msi.data, 33);
	unmask(34);
	ck_assert_uint_eq(route.u.msi.data, 34);
	ck_assert_uint_eq(nbound, 1); /* it stayed bound */
	mask();
	unmask(34);
	ck_assert_uint_eq(nroutes, 2); /* the route was right */
}
END_TEST

START_TEST(all_routes_at_once_are_one_call)
{
	const struct msi_msg a = {.address = 0xfee00000, .data = 40};
	const struct msi_msg *msg[IRQCHIP_GSIS];

	for (unsigned int i = 0; i < IRQCHIP_GSIS; i++)
		msg[i] = &a;
	chip.router.route_all(&chip.router, IRQCHIP_GSIS, msg);
	ck_assert_uint_eq(nroutes, 1);
	ck_assert(bound);
	ck_assert_uint_eq(nbound, 1);
	ck_assert_uint_eq(route.u.msi.data, 40);
	chip.router.route_all(&chip.router, IRQCHIP_GSIS, msg);
	ck_assert_uint_eq(nroutes, 1); /* as before */
	msg[GSI] = NULL;
	chip.router.route_all(&chip.router, IRQCHIP_GSIS, msg);
	ck_assert(!bound);
}
END_TEST

START_TEST(edge_of_a_masked_pin_is_found_and_stays)
{
	uint64_t n = 0;

	ck_assert(!chip.router.kept(&chip.router, GSI));
	ck_assert(!chip.router.kept(&chip.router, GSI + 1)); /* no line */
	chip.router.push(&chip.router, GSI);
	chip.router.push(&chip.router, GSI + 1);
	ck_assert(chip.router.kept(&chip.router, GSI));
	ck_assert(chip.router.kept(&chip.router, GSI));
	ck_assert_int_eq(read(line.fd, &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 1);
	ck_assert(!chip.router.kept(&chip.router, GSI));
}
END_TEST

START_TEST(settling_lets_go_of_what_is_bound_for_a_moment)
{
	irqchip_settle(&chip);
	ck_assert_uint_eq(nbound + nlet_go, 0); /* a masked pin has nothing under way */
	unmask(33);
	irqchip_settle(&chip);
	ck_assert_uint_eq(nlet_go, 1);
	ck_assert(bound);
}
END_TEST

START_TEST(pin_without_a_line_costs_nothing)
{
	const struct msi_msg msg = {.address = 0xfee00000, .data = 40};

	chip.router.route(&chip.router, GSI + 1, &msg);
	chip.router.route(&chip.router, GSI + 1, NULL);
	ck_assert_uint_eq(nroutes + nbound + nlet_go, 0);
}
END_TEST

START_TEST(refused_bind_is_tried_again)
{
	fails = KVM_IRQFD;
	unmask(33);
	ck_assert(!bound);
	fails = 0;
	unmask(33);
	ck_assert(bound);
}
END_TEST

START_TEST(line_given_twice_is_refused)
{
	struct irq_line same = line, beyond = {.gsi = IRQCHIP_GSIS, .fd = line.fd};

	ck_assert_int_eq(irqchip_add(&chip, &same, &err), -ENOSPC);
	ck_assert_int_eq(irqchip_add(&chip, &beyond, &err), -ENOSPC);
}
END_TEST

START_TEST(kvms_own_chips_have_the_line_at_once)
{
	teardown();
	setup_with(false);
	ck_assert(bound);
	ck_assert_uint_eq(nroutes, 0);
	irqchip_settle(&chip);
	ck_assert_uint_eq(nlet_go, 1);
	ck_assert(bound);
}
END_TEST

UNIT_MAIN("irqchip_x86", setup, teardown, t)
{
	fake_kvm = on_ioctl;
	tcase_add_test(t, line_is_bound_while_its_pin_is_not_masked);
	tcase_add_test(t, message_is_the_route);
	tcase_add_test(t, all_routes_at_once_are_one_call);
	tcase_add_test(t, edge_of_a_masked_pin_is_found_and_stays);
	tcase_add_test(t, settling_lets_go_of_what_is_bound_for_a_moment);
	tcase_add_test(t, pin_without_a_line_costs_nothing);
	tcase_add_test(t, refused_bind_is_tried_again);
	tcase_add_test(t, line_given_twice_is_refused);
	tcase_add_test(t, kvms_own_chips_have_the_line_at_once);
}

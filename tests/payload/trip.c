/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trip - run a guest in one machine, have it rest, save what KVM and memory have of it, load
 * that into another machine, and let the guest look in both whether anything has changed.
 *
 * usage: trip
 *
 * Prints what went wrong.  Exit status: 0; 1: something; 77: this host's KVM cannot run it.
 */
#include "tests/payload/trip.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/core/gmem_data.h"
#include "vmm/core/util.h"
#include "vmm/kvm/kvm_state.h"
#include "vmm/kvm/vcpu_arch.h"

#define STORED_SECONDS 2      /* between the machines */
#define PATIENCE_MS    20000  /* for a guest that says nothing */
#define HALTING_US     300000 /* until a guest that said so has come to its HLT */
#define SKIPPED        77

static bool failed;

void trip_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)printf("\n");
	failed = true;
}

static _Noreturn void give_up(const struct err *e)
{
	(void)printf("%s\n", e->msg);
	exit(1);
}

/* The port: vCPU 0's thread says what the guest said, and all come to rest */
static void port_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	struct trip *t = container_of(d, struct trip, port);

	(void)off;
	(void)size;
	t->said = (uint32_t)val;
	for (unsigned int i = 0; i < t->nvcpu && !t->halts; i++)
		vcpu_rest(&t->vcpu[i]);
	(void)eventfd_write(t->heard, 1);
}

static const struct device_ops port_ops = {
	.read = device_nop_read,
	.write = port_write,
	.reset = device_nop_reset,
	.state = device_nop_state,
};

static void on_end(struct vcpu_host *h, enum vcpu_end why, const char *detail)
{
	struct trip *t = container_of(h, struct trip, host);

	(void)snprintf(t->ended, sizeof(t->ended), "the guest ended (%d) %s", (int)why,
		       detail);
	(void)eventfd_write(t->heard, 1);
}

static void add_device(struct bus *b, struct device *d)
{
	struct err e = {0};

	if (bus_add(b, d, &e) < 0)
		give_up(&e);
}

static int trip_connect(struct trip *t, struct err *e)
{
	int rc = irqchip_complete(&t->chip, e);

	if (rc == 0)
		rc = irqchip_add(&t->chip, &t->lined.irq, e);
	for (unsigned int i = 0; rc == 0 && i < TRIP_VCPUS; i++)
		rc = vcpu_finish(&t->vcpu[i], &t->kvm, e);
	return rc;
}

/* As machine_build() does it */
void trip_make(struct trip *t, bool acpi)
{
	struct err e = {0};
	int rc;

	memset(t, 0, sizeof(*t));
	t->cfg.acpi = acpi;
	t->cfg.ncpu = TRIP_VCPUS;
	t->heard = eventfd(0, EFD_CLOEXEC);
	t->host = (struct vcpu_host){
		.mmio = &t->mmio, .pio = &t->pio, .mem = &t->mem, .ended = on_end};
	device_init(&t->port, &port_ops, DEVICE_PVPANIC, "port", trip_port, 4);
	device_init(&t->lined, &port_ops, DEVICE_SERIAL, "lined", 0, 1);
	(void)irq_init(&t->lined.irq, trip_gsi);
	rc = kvm_open(&t->kvm, &e);
	if (rc < 0) {
		(void)printf("%s\n", e.msg);
		exit(SKIPPED);
	}
	gmem_init(&t->mem, false);
	rc = gmem_add(&t->mem, trip_ram, TRIP_MEMORY, &e);
	if (rc == 0)
		rc = kvm_add_memory(&t->kvm, &t->mem, &e);
	if (rc == 0)
		rc = irqchip_init(&t->chip, &t->kvm, &t->cfg, &e);
	for (; rc == 0 && t->nvcpu < TRIP_VCPUS; t->nvcpu++)
		rc = vcpu_create(&t->vcpu[t->nvcpu], &t->kvm, t->nvcpu, TRIP_VCPUS,
				 &t->host, &e);
	if (rc == 0)
		rc = trip_connect(t, &e);
	if (rc < 0)
		give_up(&e);
	add_device(trip_port_is_mmio ? &t->mmio : &t->pio, &t->port);
	trip_arch_parts(t);
	if (t->more)
		add_device(&t->mmio, t->more);
}

void trip_end(struct trip *t)
{
	for (unsigned int i = 0; i < t->nvcpu; i++) {
		vcpu_stop(&t->vcpu[i]);
		vcpu_join(&t->vcpu[i]);
		vcpu_destroy(&t->vcpu[i]);
	}
	irqchip_fini(&t->chip);
	kvm_close(&t->kvm);
	gmem_fini(&t->mem);
	if (t->more)
		t->more->ops->destroy(t->more);
	device_fini(&t->port);
	device_fini(&t->lined);
	close(t->heard);
}

static void trip_go(struct trip *t)
{
	struct err e = {0};

	for (unsigned int i = 0; i < t->nvcpu; i++) {
		if (!t->vcpu[i].started && vcpu_start(&t->vcpu[i], &e) < 0)
			give_up(&e);
		vcpu_resume(&t->vcpu[i]);
	}
}

static void trip_rest(struct trip *t)
{
	for (unsigned int i = 0; i < t->nvcpu; i++)
		vcpu_rest(&t->vcpu[i]);
	for (unsigned int i = 0; i < t->nvcpu; i++)
		while (!vcpu_rests(&t->vcpu[i]))
			(void)usleep(1000);
}

/* Run it, or let it go on.  Return: did the guest say @what?  Then its vCPUs rest */
static bool trip_run(struct trip *t, uint32_t what)
{
	struct pollfd p = {.fd = t->heard, .events = POLLIN};
	char where[160];
	eventfd_t n;
	bool heard;

	trip_go(t);
	heard = poll(&p, 1, PATIENCE_MS) == 1 && eventfd_read(t->heard, &n) == 0;
	if (t->halts)
		(void)usleep(HALTING_US);
	trip_rest(t);
	vcpu_arch_where(&t->vcpu[0], where, sizeof(where));
	if (t->ended[0])
		trip_fail("%s", t->ended);
	else if (!heard)
		trip_fail("the guest says nothing, at %s", where);
	else if (t->said != what)
		trip_fail("the guest says %u, not %u, at %s", t->said, what, where);
	return heard && t->said == what;
}

static void trip_state(struct trip *t, struct state *s)
{
	gmem_state(&t->mem, s);
	irqchip_state(&t->chip, t->vcpu, t->nvcpu, s);
	for (unsigned int i = 0; i < t->nvcpu; i++)
		vcpu_state(&t->vcpu[i], &t->kvm, s);
	if (t->more)
		t->more->ops->state(t->more, s);
	kvm_clock_state(&t->kvm, s);
}

static void trip_load(struct trip *t, const struct state *saved, size_t len)
{
	struct state s;

	state_loader(&s, saved->buf, len);
	trip_state(t, &s);
	if (len == saved->pos && !state_ok(&s))
		trip_fail("%s", s.why);
	if (len < saved->pos && (state_ok(&s) || !strchr(s.why, ':')))
		trip_fail("%zu of %zu bytes are loaded: %s", len, saved->pos,
			  s.why ? s.why : "without a word");
}

/* States that end too early are refused, wherever */
static void trip_cut(const struct state *saved)
{
	struct trip t;

	trip_make(&t, true);
	for (size_t len = 0; len < saved->pos; len += 1 + saved->pos / 29)
		trip_load(&t, saved, len);
	trip_end(&t);
}

static void save_chips(struct trip *t, struct state *s)
{
	state_collector(s);
	irqchip_state(&t->chip, t->vcpu, t->nvcpu, s);
	if (!state_ok(s))
		trip_fail("%s", s->why);
}

void trip_move_chips(struct trip *from, struct trip *to, const char *why, bool exact)
{
	struct state save, load, again;

	save_chips(from, &save);
	state_loader(&load, save.buf, save.pos);
	irqchip_state(&to->chip, to->vcpu, to->nvcpu, &load);
	if (!why && !state_ok(&load))
		trip_fail("%s", load.why);
	if (why && (state_ok(&load) || !strstr(load.why, why)))
		trip_fail("no '%s' in: %s", why, load.why ? load.why : "");
	save_chips(to, &again);
	if (exact &&
	    (save.pos != again.pos || memcmp(save.buf, again.buf, save.pos) != 0))
		trip_fail("the interrupt chip is not the same after loading");
	state_free(&save);
	state_free(&again);
}

/* The whole way.  @s has the state afterwards */
static void trip_guest_trip(struct state *s, bool halts)
{
	struct trip t;
	struct err e = {0};
	uint64_t saved;

	state_collector(s);
	trip_make(&t, true);
	t.halts = halts;
	if (!trip_arch_load(&t)) {
		trip_end(&t);
		return;
	}
	trip_arch_enter(&t, &e);
	if (trip_run(&t, trip_ready))
		trip_arch_stopped(&t);
	trip_state(&t, s);
	saved = monotonic_ns();
	if (!state_ok(s))
		trip_fail("%s", s->why);
	if (!failed && trip_run(&t, trip_done)) /* it goes on as if nothing had been */
		trip_arch_check(&t);
	trip_end(&t);
	if (failed)
		return;
	(void)sleep(STORED_SECONDS);
	trip_make(&t, true); /* its clocks go on by that */
	t.halts = halts;
	t.stored = (monotonic_ns() - saved) / 1000000;
	trip_load(&t, s, s->pos);
	trip_arch_compare(&t);
	trip_end(&t);
	trip_make(&t, true); /* and these stood still */
	t.halts = halts;
	t.kvm.keep_time = true;
	trip_load(&t, s, s->pos);
	trip_arch_compare(&t);
	if (!failed) {
		(void)trip_run(&t, trip_done);
		trip_arch_check(&t);
	}
	trip_end(&t);
}

int main(void)
{
	struct state s;

	vcpu_init_signals();
	trip_guest_trip(&s, false);
	if (!failed && s.pos)
		trip_cut(&s);
	state_free(&s);
	if (!failed && trip_can_halt) {
		trip_guest_trip(&s, true);
		state_free(&s);
	}
	if (!failed)
		trip_arch_extra();
	return failed;
}

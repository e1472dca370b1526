/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_legacy - any accesses to the PC's old devices, with a tty that takes and gives as it
 * likes: whatever state a guest reaches can be saved and loaded again, input room and the
 * interrupt routes are always true.
 */
#include "devices/legacy/ioapic.h"
#include "devices/legacy/legacy.h"

#include "tests/unit/fake_tty.h"
#include "vmm/core/bus.h"
#include "vmm/core/layout_x86.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum fuzz_what {
	FUZZ_WRITE,
	FUZZ_READ,
	FUZZ_INPUT,
	FUZZ_OUTPUT,
	FUZZ_RESET,
	FUZZ_STATE,
	FUZZ_WHATS
};

/* One step of the input */
struct fuzz_step {
	uint8_t what, where, size;
	uint8_t val[5];
};

enum {
	FUZZ_SERIAL,
	FUZZ_I8042,
	FUZZ_CMOS,
	FUZZ_PM,
	FUZZ_IOAPIC,
	FUZZ_EXIT_PORT,
	FUZZ_DEVICES
};

struct fuzz {
	struct msi_router router;
	bool routed[LAYOUT_IOAPIC_PINS], kept[LAYOUT_IOAPIC_PINS];
	struct tty tty;
	struct bus bus; /* of all: their windows do not meet */
	struct device *dev[FUZZ_DEVICES];
};

static void fuzz_power(struct power *p, enum power_event ev)
{
	(void)p;
	BUG_ON(ev != POWER_OFF && ev != POWER_RESET);
}

static void fuzz_exit(struct power *p, uint32_t value)
{
	(void)p;
	(void)value;
}

static struct power power = {fuzz_power, fuzz_exit};

static void fuzz_route(struct msi_router *r, unsigned int gsi, const struct msi_msg *msg)
{
	struct fuzz *f = container_of(r, struct fuzz, router);

	BUG_ON(gsi >= LAYOUT_IOAPIC_PINS);
	BUG_ON(!msg && !f->routed[gsi]);
	BUG_ON(msg && (msg->address & 0xfff00000) != 0xfee00000);
	f->routed[gsi] = msg != NULL;
}

static void fuzz_route_all(struct msi_router *r, unsigned int n,
			   const struct msi_msg *const msg[])
{
	struct fuzz *f = container_of(r, struct fuzz, router);

	BUG_ON(n != LAYOUT_IOAPIC_PINS);
	for (unsigned int i = 0; i < n; i++) {
		f->routed[i] = false;
		if (msg[i])
			fuzz_route(r, i, msg[i]);
	}
}

static bool fuzz_kept(struct msi_router *r, unsigned int gsi)
{
	return container_of(r, struct fuzz, router)->kept[gsi];
}

static void fuzz_push(struct msi_router *r, unsigned int gsi)
{
	container_of(r, struct fuzz, router)->kept[gsi] = true;
}

static void fuzz_make(struct fuzz *f)
{
	struct err e = {0};

	f->router = (struct msi_router){.route = fuzz_route,
					.route_all = fuzz_route_all,
					.kept = fuzz_kept,
					.push = fuzz_push};
	f->dev[FUZZ_SERIAL] =
		serial_create("serial0", LAYOUT_COM1, LAYOUT_GSI_COM1, &f->tty);
	f->dev[FUZZ_I8042] = i8042_create(&power);
	f->dev[FUZZ_CMOS] = cmos_create(3 * GIB, GIB);
	f->dev[FUZZ_PM] = acpi_pm_create(LAYOUT_ACPI_PM, 0, &power);
	f->dev[FUZZ_IOAPIC] =
		ioapic_create(LAYOUT_IOAPIC, LAYOUT_IOAPIC_PINS, &f->router);
	f->dev[FUZZ_EXIT_PORT] = exit_port_create(0xf4, &power);
	for (unsigned int i = 0; i < FUZZ_DEVICES; i++)
		BUG_ON(!f->dev[i] || bus_add(&f->bus, f->dev[i], &e));
}

static void fuzz_input(struct fuzz *f, const struct fuzz_step *s)
{
	struct tty_client *c = serial_client(f->dev[FUZZ_SERIAL]);
	uint8_t bytes[16] = {0};
	size_t room = c->input_room(c), n = MIN(room, s->val[0]);

	BUG_ON(room > sizeof(bytes));
	memcpy(bytes, s->val, sizeof(s->val));
	c->input(c, bytes, n);
	BUG_ON(c->input_room(c) != room - n);
}

/* What refuses a state is as after a reset. */
static void fuzz_is_reset(struct device *d)
{
	uint8_t one[1024], two[1024];
	struct state st;
	size_t len;

	state_saver(&st, one, sizeof(one));
	d->ops->state(d, &st);
	len = st.pos;
	d->ops->reset(d);
	state_saver(&st, two, sizeof(two));
	d->ops->state(d, &st);
	BUG_ON(st.why || st.pos != len || memcmp(one, two, len) != 0);
}

/* What was saved is loaded and comes back the same, but for what the tty took in between */
static void fuzz_state(struct fuzz *f, const struct fuzz_step *s)
{
	struct device *d = f->dev[s->where % FUZZ_DEVICES];
	uint8_t one[1024], two[1024];
	struct state st;
	size_t len;

	f->tty.room = 0;
	state_saver(&st, one, sizeof(one));
	d->ops->state(d, &st);
	BUG_ON(st.why);
	len = st.pos;
	state_loader(&st, one, len);
	d->ops->state(d, &st);
	BUG_ON(st.why || st.pos != len);
	state_saver(&st, two, sizeof(two));
	d->ops->state(d, &st);
	BUG_ON(st.pos != len || memcmp(one, two, len) != 0);
	/* now a damaged one: refused or not, what is left has to work */
	one[s->val[0] % len] ^= s->val[1];
	state_loader(&st, one, s->val[2] ? len : s->val[3] % len);
	d->ops->state(d, &st);
	if (st.why)
		fuzz_is_reset(d);
}

static void fuzz_step(struct fuzz *f, const struct fuzz_step *s)
{
	struct device *d = f->dev[s->where % FUZZ_DEVICES];
	struct tty_client *c = serial_client(f->dev[FUZZ_SERIAL]);
	uint64_t addr = d->base + (s->where / FUZZ_DEVICES) % (d->len < 64 ? d->len : 68);
	unsigned int size = 1u << s->size % 4;
	uint64_t val = 0;

	memcpy(&val, s->val, sizeof(s->val));
	f->tty.nout = 0;
	switch ((enum fuzz_what)(s->what % FUZZ_WHATS)) {
	case FUZZ_WRITE:
		bus_write(&f->bus, addr, size, val);
		break;
	case FUZZ_READ:
		val = bus_read(&f->bus, addr, size);
		BUG_ON(size < 8 && val >> (8 * size));
		break;
	case FUZZ_INPUT:
		fuzz_input(f, s);
		break;
	case FUZZ_OUTPUT:
		f->tty.room = s->val[0] % 20;
		c->output_room(c);
		break;
	case FUZZ_RESET:
		d->ops->reset(d);
		break;
	case FUZZ_STATE:
	case FUZZ_WHATS:
		fuzz_state(f, s);
		break;
	}
}

static void fuzz_check_routes(struct fuzz *f)
{
	for (unsigned int i = 0; i < LAYOUT_IOAPIC_PINS; i++) {
		uint64_t low;

		bus_write(&f->bus, LAYOUT_IOAPIC, 4, 0x10 + 2 * i);
		low = bus_read(&f->bus, LAYOUT_IOAPIC + 0x10, 4);
		BUG_ON(low & ~UINT64_C(0x1afff));
		BUG_ON(f->routed[i] && low & 0x10000);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	struct fuzz_step s;

	memset(&f, 0, sizeof(f));
	fuzz_make(&f);
	for (; size >= sizeof(s); data += sizeof(s), size -= sizeof(s)) {
		memcpy(&s, data, sizeof(s));
		fuzz_step(&f, &s);
	}
	fuzz_check_routes(&f);
	for (unsigned int i = 0; i < FUZZ_DEVICES; i++)
		f.dev[i]->ops->destroy(f.dev[i]);
	return 0;
}

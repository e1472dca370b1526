/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioapic - the registers of the 82093AA (Intel 290566-001), version 0x20 with its EOI
 * register.
 *
 * All our lines are edges, so an entry programmed as level-triggered is kept as written
 * but sends one edge message a pulse: nothing is ever in service, Remote IRR always reads 0,
 * and a write to the EOI register finds nothing to end.  Polarity is kept and ignored.
 *
 * An entry that no local APIC would take (vector below 16, reserved delivery mode, ExtINT
 * without an 8259) routes nowhere, as if it were masked.
 */
#include "devices/legacy/ioapic.h"

#include <stdlib.h>

#include "vmm/core/util.h"

/* Offsets in the window */
enum ioapic_mmio { IOAPIC_REGSEL = 0x00, IOAPIC_WIN = 0x10 };

/* What IOREGSEL selects; entry n is two registers, low half first */
enum ioapic_reg {
	IOAPIC_REG_ID = 0,
	IOAPIC_REG_VERSION = 1,
	IOAPIC_REG_ARBITRATION = 2,
	IOAPIC_REG_TABLE = 0x10,
};

#define IOAPIC_VERSION 0x20u
#define IOAPIC_ID_MASK 0xff000000u /* eight bits, as the xAPIC's; the 82093AA had four */

/* Redirection table entry */
#define RTE_VECTOR   UINT64_C(0xff)
#define RTE_MODE     (UINT64_C(7) << 8)
#define RTE_LOGICAL  (UINT64_C(1) << 11)
#define RTE_MASKED   (UINT64_C(1) << 16)
#define RTE_POLARITY (UINT64_C(1) << 13)
#define RTE_LEVEL    (UINT64_C(1) << 15)
#define RTE_EXT_DEST (UINT64_C(0x7f) << 49) /* KVM_FEATURE_MSI_EXT_DEST_ID */
#define RTE_DEST     (UINT64_C(0xff) << 56)
/* The rest is reserved or, like delivery status (12) and remote IRR (14), read-only and 0 */
#define RTE_WRITABLE                                                                   \
	(RTE_VECTOR | RTE_MODE | RTE_LOGICAL | RTE_POLARITY | RTE_LEVEL | RTE_MASKED | \
	 RTE_EXT_DEST | RTE_DEST)

enum ioapic_mode {
	IOAPIC_FIXED = 0,
	IOAPIC_LOWEST = 1,
	IOAPIC_SMI = 2,
	IOAPIC_NMI = 4,
	IOAPIC_INIT = 5,
};

struct ioapic_pin {
	uint64_t rte;
	bool routed; /* and @msg is what the router was told */
	struct msi_msg msg;
};

struct ioapic {
	struct device dev;
	struct msi_router *router;
	uint8_t regsel;
	uint32_t id;
	unsigned int npins;
	struct ioapic_pin pin[];
};

#define MSI_BASE           UINT64_C(0xfee00000)
#define MSI_DEST_SHIFT     12
#define MSI_EXT_DEST_SHIFT 40 /* bits 14:8 of the destination */
#define MSI_LOGICAL        (1u << 2)
#define MSI_MODE_SHIFT     8
#define VECTOR_MIN         16 /* below are exceptions: a local APIC refuses them */

/* Return: does an edge on a pin with @rte send anything?  If so, @msg is what */
static bool ioapic_message(uint64_t rte, struct msi_msg *msg)
{
	uint32_t vector = (uint32_t)(rte & RTE_VECTOR);
	uint32_t mode = (uint32_t)(rte & RTE_MODE) >> 8;

	if (rte & RTE_MASKED)
		return false;
	switch (mode) {
	case IOAPIC_FIXED:
	case IOAPIC_LOWEST:
		if (vector < VECTOR_MIN)
			return false;
		break;
	case IOAPIC_SMI:
	case IOAPIC_NMI:
	case IOAPIC_INIT:
		break;
	default:
		return false;
	}
	msg->address = MSI_BASE | (rte & RTE_DEST) >> 56 << MSI_DEST_SHIFT |
		       (rte & RTE_EXT_DEST) >> 49 << MSI_EXT_DEST_SHIFT |
		       (rte & RTE_LOGICAL ? MSI_LOGICAL : 0);
	msg->data = mode << MSI_MODE_SHIFT | vector; /* trigger mode (bit 15) 0: edge */
	return true;
}

/* Would @rte for @pin send the same as the entry that it has? Else @msg, and @routed, are new */
static bool ioapic_same(const struct ioapic_pin *p, uint64_t rte, struct msi_msg *msg,
			bool *routed)
{
	*msg = (struct msi_msg){0};
	*routed = ioapic_message(rte & RTE_WRITABLE, msg);
	return *routed == p->routed && msg->address == p->msg.address &&
	       msg->data == p->msg.data;
}

static void ioapic_set_rte(struct ioapic *io, unsigned int pin, uint64_t rte)
{
	struct ioapic_pin *p = &io->pin[pin];
	struct msi_msg msg;
	bool routed;

	p->rte = rte & RTE_WRITABLE;
	if (ioapic_same(p, rte, &msg, &routed))
		return;
	p->routed = routed;
	p->msg = msg;
	io->router->route(io->router, pin, routed ? &msg : NULL);
}

static uint32_t ioapic_read_reg(const struct ioapic *io)
{
	unsigned int entry = io->regsel - IOAPIC_REG_TABLE;

	switch (io->regsel) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARBITRATION:
		return io->id;
	case IOAPIC_REG_VERSION:
		return IOAPIC_VERSION | (io->npins - 1) << 16;
	default:
		break;
	}
	if (io->regsel < IOAPIC_REG_TABLE || entry / 2 >= io->npins)
		return 0;
	return (uint32_t)(io->pin[entry / 2].rte >> (entry % 2 ? 32 : 0));
}

/* The pin whose entry IOREGSEL selects, and that entry with @val in the selected half; NULL: none */
static struct ioapic_pin *ioapic_entry(struct ioapic *io, uint32_t val, uint64_t *rte)
{
	unsigned int entry = io->regsel - IOAPIC_REG_TABLE;
	struct ioapic_pin *p;

	if (io->regsel < IOAPIC_REG_TABLE || entry / 2 >= io->npins)
		return NULL;
	p = &io->pin[entry / 2];
	if (entry % 2)
		*rte = (p->rte & UINT32_MAX) | (uint64_t)val << 32;
	else
		*rte = (p->rte & ~(uint64_t)UINT32_MAX) | val;
	return p;
}

static void ioapic_write_reg(struct ioapic *io, uint32_t val)
{
	uint64_t rte;
	const struct ioapic_pin *p = ioapic_entry(io, val, &rte);

	if (io->regsel == IOAPIC_REG_ID)
		io->id = val & IOAPIC_ID_MASK;
	if (p)
		ioapic_set_rte(io, (unsigned int)(p - io->pin), rte);
}

/* Only what KVM has to be told */
static bool ioapic_slow(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	struct ioapic *io = container_of(d, struct ioapic, dev);
	const struct ioapic_pin *p;
	struct msi_msg msg;
	uint64_t rte;
	bool routed;

	if (off != IOAPIC_WIN || size != 4)
		return false;
	p = ioapic_entry(io, (uint32_t)val, &rte);
	return p && !ioapic_same(p, rte, &msg, &routed);
}

/* The index is a byte and takes accesses of any width; the data window takes 32 bits only */
static uint64_t ioapic_read(struct device *d, uint64_t off, unsigned int size)
{
	struct ioapic *io = container_of(d, struct ioapic, dev);

	if (off == IOAPIC_REGSEL)
		return io->regsel;
	if (off == IOAPIC_WIN && size == 4)
		return ioapic_read_reg(io);
	return UINT64_MAX;
}

static void ioapic_write(struct device *d, uint64_t off, unsigned int size, uint64_t val)
{
	struct ioapic *io = container_of(d, struct ioapic, dev);

	if (off == IOAPIC_REGSEL)
		io->regsel = (uint8_t)val;
	else if (off == IOAPIC_WIN && size == 4)
		ioapic_write_reg(io, (uint32_t)val);
	/* so the EOI register (0x40) finds nothing in service */
}

static void ioapic_reset(struct device *d)
{
	struct ioapic *io = container_of(d, struct ioapic, dev);

	io->regsel = 0;
	io->id = 0;
	for (unsigned int i = 0; i < io->npins; i++)
		ioapic_set_rte(io, i, RTE_MASKED);
}

/* What is saved: the registers, and the edges that wait for a masked pin */
struct ioapic_image {
	uint8_t regsel;
	uint32_t id;
	uint64_t rte[IOAPIC_PINS_MAX];
	bool kept[IOAPIC_PINS_MAX];
};

static void ioapic_image_fill(struct ioapic_image *im, const struct ioapic *io)
{
	im->regsel = io->regsel;
	im->id = io->id;
	for (unsigned int i = 0; i < io->npins; i++) {
		im->rte[i] = io->pin[i].rte;
		im->kept[i] = io->router->kept(io->router, i);
	}
}

static void ioapic_image_state(struct ioapic_image *im, unsigned int npins,
			       struct state *s)
{
	state_same_u32(s, npins, "I/O APIC pins");
	state_u8(s, &im->regsel);
	state_u32(s, &im->id);
	if (im->id & ~IOAPIC_ID_MASK)
		state_fail(s, "the I/O APIC has no such id");
	for (unsigned int i = 0; i < npins; i++) {
		state_u64(s, &im->rte[i]);
		state_bool(s, &im->kept[i]);
		if (im->rte[i] & ~RTE_WRITABLE)
			state_fail(s, "a redirection table entry has reserved bits");
	}
}

/* The router gets the whole table at once, then the edges come again */
static void ioapic_image_use(const struct ioapic_image *im, struct ioapic *io)
{
	const struct msi_msg *msg[IOAPIC_PINS_MAX];

	io->regsel = im->regsel;
	io->id = im->id;
	for (unsigned int i = 0; i < io->npins; i++) {
		struct ioapic_pin *p = &io->pin[i];

		p->rte = im->rte[i];
		p->msg = (struct msi_msg){0};
		p->routed = ioapic_message(p->rte, &p->msg);
		msg[i] = p->routed ? &p->msg : NULL;
	}
	io->router->route_all(io->router, io->npins, msg);
	for (unsigned int i = 0; i < io->npins; i++)
		if (im->kept[i])
			io->router->push(io->router, i);
}

static void ioapic_state(struct device *d, struct state *s)
{
	struct ioapic *io = container_of(d, struct ioapic, dev);
	struct ioapic_image im = {0};

	if (!state_loading(s))
		ioapic_image_fill(&im, io);
	state_begin(s, d->name, 1);
	ioapic_image_state(&im, io->npins, s);
	state_end(s);
	if (state_refused(s))
		ioapic_reset(d);
	else if (state_loading(s))
		ioapic_image_use(&im, io);
}

static void ioapic_destroy(struct device *d)
{
	device_fini(d);
	free(container_of(d, struct ioapic, dev));
}

static const struct device_ops ioapic_ops = {
	.arm = device_nop_arm,
	.read = ioapic_read,
	.write = ioapic_write,
	.reset = ioapic_reset,
	.rest = device_nop_rest,
	.wake = device_nop_wake,
	.state = ioapic_state,
	.destroy = ioapic_destroy,
};

bool ioapic_routes(const struct device *d, unsigned int pin)
{
	const struct ioapic *io = container_of(d, struct ioapic, dev);

	return pin < io->npins && io->pin[pin].routed;
}

struct device *ioapic_create(uint64_t base, unsigned int pins, struct msi_router *r)
{
	struct ioapic *io = calloc(1, sizeof(*io) + pins * sizeof(io->pin[0]));

	BUG_ON(pins == 0 || pins > IOAPIC_PINS_MAX);
	if (!io)
		return NULL;
	device_init(&io->dev, &ioapic_ops, DEVICE_IOAPIC, "ioapic", base, IOAPIC_LEN);
	io->dev.slow = ioapic_slow;
	io->npins = pins;
	io->router = r;
	ioapic_reset(&io->dev);
	return &io->dev;
}

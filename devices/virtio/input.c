/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input - the power button of a machine without ACPI's: an input device with one key (virtio 1.2,
 * 5.8).
 *
 * A press is four events, each in a buffer of the driver's, and the driver gets all of them: an
 * event without a buffer stays owed until there is one. No second press is owed meanwhile, so a
 * driver that gives no buffers cannot make our memory grow.
 */
#include "devices/virtio/devices.h"

#include <endian.h>
#include <errno.h>
#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

#define INPUT_QUEUE_SIZE 64 /* as many buffers as Linux puts in */
#define INPUT_SELECTORS  offsetof(struct virtio_input_config, size)

enum { INPUT_EVENTS, INPUT_STATUS, INPUT_QUEUES };

static const char input_name[] = "microvm power button";

/* Down and up, each with the end of a report, without which Linux passes it to no program */
static const struct {
	uint16_t type, code;
	uint32_t value;
} input_press_events[] = {
	{EV_KEY, KEY_POWER, 1},
	{EV_SYN, SYN_REPORT, 0},
	{EV_KEY, KEY_POWER, 0},
	{EV_SYN, SYN_REPORT, 0},
};

struct input {
	struct virtio_dev v;
	struct virtq vq[INPUT_QUEUES];
	struct virtio_input_config config;
	uint8_t owed; /* events of the last press that the driver does not have yet */
};

static struct input *input_of(struct virtio_dev *v)
{
	return container_of(v, struct input, v);
}

/* The driver selects the subject of the rest of the configuration (5.8.5); 0 bytes: nothing */
static void input_answer(struct input *b)
{
	struct virtio_input_config *c = &b->config;

	memset((uint8_t *)c + INPUT_SELECTORS, 0, sizeof(*c) - INPUT_SELECTORS);
	switch (c->select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		c->size = sizeof(input_name) - 1;
		memcpy(c->u.string, input_name, c->size);
		break;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		c->size = sizeof(c->u.ids);
		c->u.ids.bustype = htole16(BUS_VIRTUAL);
		break;
	case VIRTIO_INPUT_CFG_EV_BITS:
		if (c->subsel != EV_KEY)
			break;
		c->size = KEY_POWER / 8 + 1;
		c->u.bitmap[KEY_POWER / 8] = 1u << KEY_POWER % 8;
		break;
	default:
		break;
	}
}

static void input_deliver(struct input *b)
{
	struct virtq *q = &b->vq[INPUT_EVENTS];
	struct virtq_chain c;

	while (b->owed && virtio_pop(&b->v, q, &c)) {
		size_t i = ARRAY_SIZE(input_press_events) - b->owed;
		struct virtio_input_event event = {
			.type = htole16(input_press_events[i].type),
			.code = htole16(input_press_events[i].code),
			.value = htole32(input_press_events[i].value)};

		if (!span_put(&c.to_driver, &event, sizeof(event))) {
			virtio_broken(&b->v, "a buffer is too small for an event");
			return;
		}
		virtq_push(q, c.head, sizeof(event));
		b->owed--;
		b->v.dev->io.requests++;
		b->v.dev->io.read_bytes += sizeof(event);
	}
	virtio_notify(&b->v, q);
}

/* Status events for lamps and sounds, which it lacks, are accepted and dropped */
static void input_take_status(struct virtio_dev *v)
{
	struct virtq *q = &v->vq[INPUT_STATUS];
	struct virtq_chain c;

	while (virtio_pop(v, q, &c))
		virtq_push(q, c.head, 0);
	virtio_notify(v, q);
}

static void input_kick(struct virtio_dev *v, unsigned int qi)
{
	if (qi == INPUT_EVENTS)
		input_deliver(input_of(v));
	else
		input_take_status(v);
}

bool input_press(struct virtio_dev *v)
{
	struct input *b = input_of(v);
	bool heard;

	if (!device_lock_soon(v->dev))
		return false;
	heard = v->active;
	if (heard && !b->owed) {
		b->owed = ARRAY_SIZE(input_press_events);
		input_deliver(b);
	}
	pthread_mutex_unlock(&v->dev->lock);
	return heard;
}

static void input_config_written(struct virtio_dev *v, unsigned int off, unsigned int len)
{
	(void)off;
	(void)len;
	input_answer(input_of(v));
}

static void input_reset(struct virtio_dev *v)
{
	struct input *b = input_of(v);

	b->owed = 0;
	b->config.select = b->config.subsel = 0;
	input_answer(b);
}

static void input_state(struct virtio_dev *v, struct state *s)
{
	struct input *b = input_of(v);

	state_u8(s, &b->config.select);
	state_u8(s, &b->config.subsel);
	state_u8(s, &b->owed);
	if (b->owed > ARRAY_SIZE(input_press_events))
		state_fail(s,
			   "the state owes more events than a press of the button has");
	if (state_loaded(s))
		input_answer(b);
}

static void input_destroy(struct virtio_dev *v)
{
	free(input_of(v));
}

static const struct virtio_ops input_ops = {
	.arm = virtio_nop_arm,
	.activate = virtio_nop_activate,
	.kick = input_kick,
	.config_written = input_config_written,
	.reset = input_reset,
	.rest = virtio_nop_rest,
	.wake = virtio_nop_wake,
	.state = input_state,
	.destroy = input_destroy,
};

struct virtio_dev *input_create(const struct virtio_env *env, unsigned int i,
				struct err *e)
{
	struct input *b = calloc(1, sizeof(*b));

	(void)i;
	if (!b) {
		err_set(e, ENOMEM, "button0: the host is out of memory");
		return NULL;
	}
	b->v = (struct virtio_dev){
		.ops = &input_ops,
		.name = "button0",
		.id = VIRTIO_ID_INPUT,
		.vq = b->vq,
		.nvq = INPUT_QUEUES,
		.config = &b->config,
		.config_len = sizeof(b->config),
		.config_writable = INPUT_SELECTORS,
		.env = env,
	};
	for (unsigned int qi = 0; qi < INPUT_QUEUES; qi++)
		virtq_init(&b->vq[qi], INPUT_QUEUE_SIZE);
	return &b->v;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fake - a virtio device that echoes and counts. */
#include "tests/lib/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/util.h"

static struct fake *fake_of(struct virtio_dev *v)
{
	return container_of(v, struct fake, v);
}

static int fake_arm(struct virtio_dev *v, struct err *e)
{
	(void)e;
	fake_of(v)->armed++;
	return 0;
}

static bool fake_rest(struct virtio_dev *v)
{
	fake_of(v)->rests++;
	return !fake_of(v)->restless;
}

static void fake_wake(struct virtio_dev *v)
{
	fake_of(v)->wakes++;
}

static int fake_activate(struct virtio_dev *v)
{
	fake_of(v)->activated++;
	return fake_of(v)->activate_rc;
}

/* Return: bytes echoed.  A few at a time: the chain may be long */
static uint32_t fake_echo(struct fake *f, struct virtq_chain *c)
{
	uint32_t done = 0;
	uint8_t buf[61];

	while (done < 4096) {
		size_t n = MIN(MIN(c->from_driver.len, c->to_driver.len), sizeof(buf));

		if (!n)
			break;
		BUG_ON(!span_get(&c->from_driver, buf, n));
		BUG_ON(!span_put(&c->to_driver, buf, n));
		for (size_t i = 0; i < n; i++)
			f->sum += buf[i];
		done += (uint32_t)n;
	}
	return done;
}

static void fake_kick(struct virtio_dev *v, unsigned int qi)
{
	struct fake *f = fake_of(v);
	struct virtq_chain c;

	f->kicks[qi]++;
	while (virtio_pop(v, &v->vq[qi], &c)) {
		uint32_t n = fake_echo(f, &c);

		virtq_push(&v->vq[qi], c.head, n);
		f->chains++;
		if (f->echoed)
			f->echoed(f);
	}
	virtio_notify(v, &v->vq[qi]);
}

static void fake_config_written(struct virtio_dev *v, unsigned int off, unsigned int len)
{
	struct fake *f = fake_of(v);

	f->written++;
	f->written_off = off;
	f->written_len = len;
}

static void fake_reset(struct virtio_dev *v)
{
	struct fake *f = fake_of(v);

	f->resets++;
	if (f->resetting)
		f->resetting(f);
}

static void fake_state(struct virtio_dev *v, struct state *s)
{
	state_u32(s, &fake_of(v)->sum);
}

static void fake_destroy(struct virtio_dev *v)
{
	free(fake_of(v));
}

static const struct virtio_ops fake_ops = {
	.arm = fake_arm,
	.activate = fake_activate,
	.kick = fake_kick,
	.config_written = fake_config_written,
	.reset = fake_reset,
	.rest = fake_rest,
	.wake = fake_wake,
	.state = fake_state,
	.destroy = fake_destroy,
};

struct fake *fake_create_wide(const struct virtio_env *env, unsigned int nvq)
{
	struct fake *f = calloc(1, sizeof(*f));

	BUG_ON(!f);
	for (unsigned int i = 0; i < nvq; i++)
		virtq_init(&f->vq[i], FAKE_QUEUE_SIZE);
	for (unsigned int i = 0; i < FAKE_CONFIG_LEN; i++)
		f->config[i] = (uint8_t)(0x10 + i);
	memset(f->after, 0xff, sizeof(f->after));
	f->v = (struct virtio_dev){
		.ops = &fake_ops,
		.name = "fake0",
		.id = FAKE_ID,
		.offered = FAKE_FEATURES,
		.vq = f->vq,
		.nvq = nvq,
		.config = f->config,
		.config_len = FAKE_CONFIG_LEN,
		.config_writable = FAKE_WRITABLE,
		.env = env,
	};
	return f;
}

struct fake *fake_create(const struct virtio_env *env)
{
	return fake_create_wide(env, FAKE_QUEUES);
}

bool fake_round(struct driver *d, unsigned int qi)
{
	gpa_t at = driver_alloc(d, 2, 1);
	uint8_t *p = driver_ptr(d, at, 2);
	uint32_t id, len;

	p[0] = 0x5a;
	driver_send(d, qi, (struct driver_buf[]){{at, 1, false}, {at + 1, 1, true}}, 2);
	return driver_wait(d, qi, &id, &len) && len == 1 && p[1] == 0x5a;
}

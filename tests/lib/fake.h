/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake - a virtio device that does what the transport's tests need: each chain's readable
 * bytes are echoed into its writable ones, and every call is counted.
 */
#ifndef MICROVM_TESTS_FAKE_H
#define MICROVM_TESTS_FAKE_H

#include "tests/lib/driver.h"

#define FAKE_ID         42
#define FAKE_QUEUES     3
#define FAKE_QUEUE_SIZE 16
#define FAKE_FEATURES   (1ULL << 0 | 1ULL << 5 | 1ULL << 40)
#define FAKE_CONFIG_LEN 13 /* not a multiple of anything */
#define FAKE_WRITABLE   6

struct fake {
	struct virtio_dev v;
	struct virtq vq[VIRTIO_QUEUES_MAX]; /* FAKE_QUEUES, unless a test asks for more */
	uint8_t config[FAKE_CONFIG_LEN];    /* 0x10, 0x11, ... */
	uint8_t after[3];                   /* 0xff: what no driver may see */
	int activate_rc;                    /* what activate() returns */
	void (*echoed)(struct fake *f);     /* NULL, or called after each chain */
	void (*resetting)(struct fake *f);  /* NULL, or called by each reset */
	bool restless;                      /* it does not come to rest */
	unsigned int armed, rests, wakes;
	unsigned int activated, resets, kicks[VIRTIO_QUEUES_MAX], chains, written;
	unsigned int written_off, written_len;
	uint32_t sum; /* of the bytes echoed: goes through state() */
};

/* fake_create() - never NULL; destroyed by its ops.  fake_create_wide(): with @nvq queues */
struct fake *fake_create(const struct virtio_env *env);
struct fake *fake_create_wide(const struct virtio_env *env, unsigned int nvq);
/* fake_round() - a byte through queue @qi of @d's fake.  Return: did it come back? */
bool fake_round(struct driver *d, unsigned int qi);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* rng - the entropy device fills what it says it fills, and never twice the same. */
#include "guest-images/payloads/rt/virtio.h"

#define BYTES 64

static bool rng_fill(struct vq *q, uint8_t *p, uint32_t len)
{
	uint32_t have = 0, n = 0;

	/* it may give fewer bytes than asked for, but not none and not more */
	while (have < len) {
		struct vbuf b = {p + have, len - have, true};

		if (!vq_request(q, &b, 1, &n) || !n || n > len - have)
			return false;
		have += n;
	}
	return true;
}

static bool rng_check(struct vq *q)
{
	static uint8_t a[2 * BYTES], b[BYTES], zero[BYTES];

	if (!rng_fill(q, a, BYTES) || !rng_fill(q, b, BYTES)) {
		print("FAIL: not filled\n");
		return false;
	}
	if (!memcmp(a, zero, BYTES) || !memcmp(a, b, BYTES)) {
		print("FAIL: not random\n");
		return false;
	}
	if (memcmp(a + BYTES, zero, BYTES)) {
		print("FAIL: wrote behind the buffer\n");
		return false;
	}
	return true;
}

int main(void)
{
	struct vq q = {0};
	struct vio v;

	if (!vio_find(&v, VIRTIO_ID_RNG, 0) || !vio_begin(&v, 0) ||
	    !vq_init(&q, &v, 0, 8)) {
		print("FAIL: no entropy device\n");
		return 1;
	}
	vio_driver_ok(&v);
	if (!rng_check(&q))
		return 1;
	print("PASS\n");
	return 0;
}

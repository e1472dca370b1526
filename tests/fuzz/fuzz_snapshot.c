/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_snapshot - a state of any bytes with right checksums, loaded into a machine without KVM that has every
 * device which can be saved; then each queue is kicked, and the machine is saved again.
 *
 * The input says what is changed of the state of a machine whose devices are alive (or as after a reset, or is
 * the sections themselves): so lengths and names are right for as long as it leaves them alone.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/lib/plain_machine.h"

#define FUZZ_MAX (1u << 20)

static struct state alive, at_reset;
static uint8_t file[SNAPSHOT_HEADER + FUZZ_MAX];

static void begin(void)
{
	plain_build();
	plain_collect(&at_reset);
	plain_live();
	plain_collect(&alive);
	BUG_ON(!state_ok(&alive) || !state_ok(&at_reset) || alive.pos > FUZZ_MAX);
	plain_reset();
}

/* ---- an input ---- */

static size_t sections(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in), *to = file + SNAPSHOT_HEADER;
	const struct state *base = how & 1 ? &at_reset : &alive;
	size_t len = base->pos;

	if (how & 2) {
		len = MIN(in->n, (size_t)FUZZ_MAX);
		fuzz_bytes(in, to, len);
		return len;
	}
	memcpy(to, base->buf, len);
	while (in->n) {
		size_t at = fuzz_u16(in) % len;
		uint8_t n = fuzz_u8(in);

		if (n & 0x80)
			memset(to + at, fuzz_u8(in), MIN((size_t)n & 0x7f, len - at));
		else
			fuzz_bytes(in, to + at, MIN((size_t)n % 9, len - at));
	}
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_in in = {p, n};
	struct snapshot s = {.load.memory = -1, .path = (char *)(uintptr_t) "snapshot"};
	struct state again;

	if (!m.loop)
		begin();
	s.file = file;
	s.len = SNAPSHOT_HEADER + sections(&in);
	snapshot_header(file, file + SNAPSHOT_HEADER, s.len - SNAPSHOT_HEADER);
	e.msg[0] = '\0';
	if (snapshot_take(&s, &e) == 0 && s.load.state(&s.load, &m, &e) == 0) {
		for (unsigned int i = 0; i < m.ndev; i++) {
			plain_wake(m.dev[i]);
			for (uint32_t q = 0; plain_is_virtio(i) && q < 8; q++)
				plain_reg(m.dev[i], VIRTIO_MMIO_QUEUE_NOTIFY, q);
		}
		plain_pump();
		plain_collect(&again);
		state_free(&again);
	}
	fuzz_check(n > 1 || *p & 2 || !e.msg[0]); /* what was saved is loaded */
	free(s.settings);
	plain_reset();
	plain_pump();
	return 0;
}

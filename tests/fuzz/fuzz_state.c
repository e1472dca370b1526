/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_state - a reader of any shape on a state of any bytes: sections nest as the reader says,
 * nothing is read beyond the section that is open, the sentence is printable; and what the same
 * reader saved is loaded whole.
 */
#include "tests/fuzz/fuzz.h"
#include "vmm/core/state.h"

#define FUZZ_STEPS 24

enum fuzz_what {
	FUZZ_BEGIN,
	FUZZ_END,
	FUZZ_U8,
	FUZZ_U16,
	FUZZ_U32,
	FUZZ_U64,
	FUZZ_BOOL,
	FUZZ_BYTES,
	FUZZ_SAME_U32,
	FUZZ_SAME_U64,
	FUZZ_SAME_BYTES,
	FUZZ_FAIL,
	FUZZ_WHATS
};

struct fuzz_step {
	uint8_t what, arg;
};

static void fuzz_begin(struct state *s, uint8_t arg)
{
	static const char *const name[] = {"", "blk0", "vcpu1", "fifteen-letters"};
	uint32_t version = arg / 4 % 3 + 1;

	if (s->depth == STATE_DEPTH)
		return;
	fuzz_check(state_begin(s, name[arg % 4], version) - 1 < version);
	if (s->depth > 1 && state_ok(s) && state_loading(s))
		fuzz_check(s->section[s->depth - 1].end <= s->section[s->depth - 2].end);
}

static void fuzz_step(struct state *s, const struct fuzz_step *step)
{
	uint8_t bytes[256] = {0};
	uint64_t v = step->arg;

	switch ((enum fuzz_what)(step->what % FUZZ_WHATS)) {
	case FUZZ_BEGIN:
		fuzz_begin(s, step->arg);
		break;
	case FUZZ_END:
		if (s->depth)
			state_end(s);
		break;
	case FUZZ_U8:
		state_u8(s, bytes);
		break;
	case FUZZ_U16:
		state_u16(s, &(uint16_t){0});
		break;
	case FUZZ_U32:
		state_u32(s, &(uint32_t){0});
		break;
	case FUZZ_U64:
		state_u64(s, &(uint64_t){0});
		break;
	case FUZZ_BOOL:
		state_bool(s, &(bool){true});
		break;
	case FUZZ_BYTES:
		state_bytes(s, bytes, step->arg);
		break;
	case FUZZ_SAME_U32:
		state_same_u32(s, step->arg, "queues");
		break;
	case FUZZ_SAME_U64:
		state_same_u64(s, v << 40, "sectors");
		break;
	case FUZZ_SAME_BYTES:
		memset(bytes, step->arg, sizeof(bytes));
		state_same_bytes(s, bytes, step->arg % 64, "serial number");
		break;
	case FUZZ_FAIL:
	case FUZZ_WHATS:
		if (step->arg == 0)
			state_fail(s, "this cannot be");
		break;
	}
}

static void fuzz_run(struct state *s, const struct fuzz_step *step)
{
	for (unsigned int i = 0; i < FUZZ_STEPS; i++) {
		fuzz_step(s, &step[i]);
		fuzz_check(s->pos <= s->cap);
		if (state_ok(s) && s->loading && s->depth)
			fuzz_check(s->pos <= s->section[s->depth - 1].end);
	}
	while (s->depth)
		state_end(s);
	for (const char *c = s->why; c && *c; c++)
		fuzz_check(*c >= ' ' && *c <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct fuzz_in in = {p, n};
	struct fuzz_step step[FUZZ_STEPS];
	struct state save, load;

	fuzz_bytes(&in, step, sizeof(step));
	state_collector(&save);
	fuzz_run(&save, step);
	if (state_ok(&save)) {
		state_loader(&load, save.buf, save.pos);
		fuzz_run(&load, step);
		fuzz_check(state_ok(&load) && load.pos == save.pos);
		/* the same with a few bytes of the input over it */
		for (; in.n >= 2 && save.pos; in.p += 2, in.n -= 2)
			save.buf[in.p[0] % save.pos] ^= in.p[1];
		state_loader(&load, save.buf, save.pos);
		fuzz_run(&load, step);
	}
	state_free(&save);
	state_loader(&load, p, n);
	fuzz_run(&load, step);
	return 0;
}

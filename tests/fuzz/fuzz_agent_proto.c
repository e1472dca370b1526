/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_agent_proto - frames from the other end of a job's port, in pieces of any size; and what the
 * network may answer to the agent
 */
#include "tests/fuzz/fuzz.h"

#include "guest-images/agent/net.h"
#include "guest-images/agent/proto.h"

static struct agent_reader r;
static struct agent_writer w;

/* Every accessor of what came keeps inside of it, and what is written again is the same */
static void look(const struct agent_frame *f)
{
	char sentence[AGENT_SENTENCE + 1];
	struct agent_hello hello;
	struct agent_exit e;
	size_t n;

	fuzz_check(f->len <= AGENT_PAYLOAD);
	fuzz_check(f->payload >= r.buf && f->payload + f->len <= r.buf + sizeof(r.buf));
	memset(&w, 0, 64);
	switch (f->type) {
	case AGENT_HELLO:
		agent_hello(f, &hello);
		fuzz_check(agent_put_hello(&w, r.from, &hello));
		break;
	case AGENT_EXIT:
		agent_exit(f, &e);
		fuzz_check(agent_status(&e) >= 0 && agent_status(&e) <= 255);
		return;
	case AGENT_FAIL:
		agent_fail(f, sentence);
		fuzz_check(strlen(sentence) == f->len);
		return;
	case AGENT_STARTED:
	case AGENT_CREDIT:
		fuzz_check(
			agent_put_u32(&w, f->type, f->session, f->stream, agent_u32(f)));
		break;
	case AGENT_MACHINE:
	case AGENT_JOB:
	case AGENT_START:
	case AGENT_SIGNAL:
	case AGENT_WINSIZE:
	case AGENT_MADE:
	case AGENT_DATA:
	case AGENT_EOF:
	case AGENT_READY:
	default:
		fuzz_check(agent_put(&w, f->type, f->session, f->stream, f->payload,
				     f->len));
		break;
	}
	fuzz_check(agent_unsent(&w, &n) && n == AGENT_HEAD + f->len);
	fuzz_check(!memcmp(w.buf, f->payload - AGENT_HEAD, n));
}

static void texts(const uint8_t *p, size_t n)
{
	const char *name, *value;
	size_t at = 0;
	char *text = malloc(n + 1);
	int rc;

	memcpy(text, p, n);
	while ((rc = agent_text_next(text, n, &at, &name, &value)) == 1)
		fuzz_check(name + strlen(name) + 1 == value &&
			   value + strlen(value) < text + n);
	fuzz_check(rc == -1 || at == n);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct agent_frame f;
	int rc = 0;

	texts(data, size);
	if (size > 8) {
		struct dhcp d = {0};

		memcpy(&d.xid, data + 4, sizeof(d.xid));
		(void)dhcp_take(data, size, &d, DHCP_OFFER);
	}
	r.begin = r.end = 0;
	r.from = fuzz_u8(&in) & 1 ? AGENT_GUEST : AGENT_HOST;
	while (in.n && rc >= 0) {
		uint8_t *p;
		size_t room = agent_room(&r, &p), n = 1 + fuzz_u8(&in) * 8U;

		fuzz_check(room > 0);
		n = n < room ? n : room;
		n = n < in.n ? n : in.n;
		fuzz_bytes(&in, p, n);
		agent_got(&r, n);
		while ((rc = agent_next(&r, &f)) == 1)
			look(&f);
	}
	return 0;
}

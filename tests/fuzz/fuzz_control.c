/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_control - any bytes on the control socket: each line is a request or is refused, and the answer
 * is one line of JSON that says which.
 */
#include <errno.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/control/control_request.h"
#include "vmm/core/util.h"

/* One line of JSON in an object, and its "ok" is @ok */
static void fuzz_answer(char *line, size_t len, bool ok)
{
	json_t *o;

	BUG_ON(!line || !len || line[len - 1] != '\n' || strlen(line) != len);
	BUG_ON(memchr(line, '\n', len) != line + len - 1);
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	BUG_ON(!json_is_object(o) || json_is_true(json_object_get(o, "ok")) != ok);
	BUG_ON(ok != json_is_object(json_object_get(o, "result")));
	BUG_ON(json_integer_value(json_object_get(o, "protocol")) != CONTROL_PROTOCOL);
	json_decref(o);
	free(line);
}

static void fuzz_line(const char *line, size_t len)
{
	struct control_request r;
	struct err e = {0};
	size_t n = 0;
	int rc = control_request_read(&r, line, len, &e);
	char *answer;

	if (rc == 0) {
		BUG_ON(r.command >= CONTROL_COMMANDS || strlen(r.disk) > CONFIG_ID_MAX);
		BUG_ON((r.command == CONTROL_RESIZE_DISK) != (r.disk[0] != '\0'));
		BUG_ON(r.command == CONTROL_BALLOON && !r.has_bytes);
		BUG_ON(r.bytes > INT64_MAX);
		answer = control_reply(&r, json_pack("{ss}", "disk", r.disk), &n);
	} else {
		BUG_ON(rc != -EINVAL && rc != -EBADMSG);
		BUG_ON(!e.msg[0] || e.code != -rc);
		answer = control_refusal(&r, &e, &n);
	}
	fuzz_answer(answer, n, rc == 0);
	answer = control_reply_text(&r, "{\"a\":1}", 7, &n);
	fuzz_answer(answer, n, true);
	control_request_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;

	json_object_seed(1); /* the same in each run */
	for (size_t n; size; p += n, size -= n) {
		const char *end = memchr(p, '\n', size);

		n = end ? (size_t)(end - p) + 1 : size;
		fuzz_line(p, n);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* control_reply - the lines of the control socket, written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control/control_request.h"
#include "vmm/core/util.h"

/* A kind of failure, for programs; the sentence is for people */
static const char *refusal_code(int code)
{
	switch (code) {
	case EBADMSG:
		return "syntax";
	case EINVAL:
		return "argument";
	case ENOENT:
		return "absent";
	case ENOTSUP:
	case EROFS:
		return "unsupported";
	case EBUSY:
		return "busy";
	case ETIMEDOUT:
		return "timeout";
	case ECANCELED:
		return "cancelled";
	default:
		return "host";
	}
}

/* @o, which is let go of, as a line */
static char *reply_line(json_t *o, const struct control_request *r, size_t *len)
{
	char *text = NULL, *line;

	if (o && (!r->id || json_object_set(o, "id", r->id) == 0))
		text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (!text)
		return NULL;
	*len = strlen(text) + 1;
	line = realloc(text, *len + 1);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + *len - 1, "\n", 2);
	return line;
}

char *control_reply(const struct control_request *r, json_t *result, size_t *len)
{
	return reply_line(json_pack("{si sb so}", "protocol", CONTROL_PROTOCOL, "ok", 1,
				    "result", result),
			  r, len);
}

char *control_reply_text(const struct control_request *r, const char *result, size_t n,
			 size_t *len)
{
	static const char head[] = ",\"result\":";
	char *line = reply_line(
		json_pack("{si sb}", "protocol", CONTROL_PROTOCOL, "ok", 1), r, len);
	size_t at = line ? *len - 2 : 0; /* of its "}\n" */
	char *whole = line ? malloc(at + sizeof(head) + n + 3) : NULL;

	if (whole)
		*len = (size_t)sprintf(whole, "%.*s%s%.*s}\n", (int)at, line, head,
				       (int)n, result);
	free(line);
	return whole;
}

char *control_refusal(const struct control_request *r, const struct err *e, size_t *len)
{
	json_t *why = json_string(e->msg);

	if (!why) /* a sentence may hold a path, which need not be UTF-8 */
		why = json_string(strerror(e->code));
	return reply_line(json_pack("{si sb s{ss so}}", "protocol", CONTROL_PROTOCOL,
				    "ok", 0, "error", "code", refusal_code(e->code),
				    "message", why),
			  r, len);
}

static json_t *status_disks(const struct machine_status *s)
{
	json_t *o = json_object();

	for (unsigned int i = 0; i < s->ndisk; i++) {
		const struct machine_disk *d = &s->disk[i];

		json_object_set_new(o, d->id,
				    d->bytes ? json_integer((json_int_t)d->bytes)
					     : json_null());
	}
	return o;
}

json_t *control_status(const struct machine_status *s, int pid)
{
	json_t *balloon = json_null();

	if (s->has_balloon)
		balloon = json_pack("{sI sI}", "asked_bytes",
				    (json_int_t)s->balloon_asked, "given_bytes",
				    (json_int_t)s->balloon_has);
	return json_pack("{ss ss ss si sI si sI so so}", "version", MICROVM_VERSION, /* */
			 "name", s->name, "state", s->state, "pid", pid,             /* */
			 "uptime_ns", (json_int_t)s->uptime_ns, "cpus", (int)s->cpus,
			 "memory_bytes", (json_int_t)s->memory, "balloon", balloon, /* */
			 "disks", status_disks(s));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_request - what a client of the control socket asks, and how an answer is written:
 * docs/control.md, field by field.
 */
#ifndef MICROVM_CONTROL_REQUEST_H
#define MICROVM_CONTROL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/machine/machine_ops.h"

#define CONTROL_PROTOCOL 1
#define CONTROL_LINE_MAX 16384 /* bytes of a request, its line feed included */
#define CONTROL_ID_MAX   64    /* bytes of a text that is an id */

enum control_command {
	CONTROL_STATUS,
	CONTROL_PAUSE,
	CONTROL_RESUME,
	CONTROL_BALLOON,
	CONTROL_RESIZE_DISK,
	CONTROL_REPORT,
	CONTROL_SAVE,
	CONTROL_COMMANDS
};

struct control_request {
	json_t *id; /* to be said back; control_request_fini() lets go of it. NULL: none */
	enum control_command command;
	bool has_bytes;
	uint64_t bytes;
	char disk[CONFIG_ID_MAX + 1];
};

/* control_request_read() - the request in the @len bytes at @line, which may be any. Return: 0; -EINVAL
 * with a sentence in @e: there is none; -EBADMSG likewise: these bytes are not even an object of JSON,
 * so what follows them cannot be trusted to be a line. control_request_fini() in any case
 */
int control_request_read(struct control_request *r, const char *line, size_t len,
			 struct err *e);
void control_request_fini(struct control_request *r);
/* control_command_name() - "resize-disk"; a constant */
const char *control_command_name(enum control_command c);

/* All below: a line with its line feed, @len bytes, the caller's to free; NULL: out of memory.
 *
 * control_reply() - it is done; @result, which is let go of, says what. NULL: out of memory as well
 */
char *control_reply(const struct control_request *r, json_t *result, size_t *len);
/* control_reply_text() - likewise, with a result that is JSON already */
char *control_reply_text(const struct control_request *r, const char *result, size_t n,
			 size_t *len);
/* control_refusal() - it is not done; why is in @e */
char *control_refusal(const struct control_request *r, const struct err *e, size_t *len);
/* control_status() - @s as a result.  NULL: out of memory */
json_t *control_status(const struct machine_status *s, int pid);

#endif

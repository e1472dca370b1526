/* SPDX-License-Identifier: Apache-2.0 */
/* control_request - the lines of the control socket, read. */
#include "vmm/control/control_request.h"

#include <errno.h>
#include <string.h>

#include "vmm/core/util.h"

/* An object may hold values that are arrays or objects, but no request does: what is deeper would
 * only cost the reader's stack
 */
#define REQUEST_DEPTH_MAX 2

enum request_argument { ARGUMENT_NO, ARGUMENT_MAY, ARGUMENT_MUST };

static const struct {
	const char *name;
	enum request_argument bytes, disk;
} commands[CONTROL_COMMANDS] = {
	[CONTROL_STATUS] = {"status", ARGUMENT_NO, ARGUMENT_NO},
	[CONTROL_PAUSE] = {"pause", ARGUMENT_NO, ARGUMENT_NO},
	[CONTROL_RESUME] = {"resume", ARGUMENT_NO, ARGUMENT_NO},
	[CONTROL_BALLOON] = {"balloon", ARGUMENT_MUST, ARGUMENT_NO},
	[CONTROL_RESIZE_DISK] = {"resize-disk", ARGUMENT_MAY, ARGUMENT_MUST},
	[CONTROL_REPORT] = {"report", ARGUMENT_NO, ARGUMENT_NO},
	[CONTROL_SAVE] = {"save", ARGUMENT_NO, ARGUMENT_NO},
};

const char *control_command_name(enum control_command c)
{
	return commands[c].name;
}

/* How deep arrays and objects are nested at most, whatever else the text is */
static unsigned int request_depth(const char *p, size_t len)
{
	unsigned int depth = 0, most = 0;
	bool text = false;

	for (size_t i = 0; i < len; i++) {
		if (text && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			text = !text;
		else if (!text && (p[i] == '{' || p[i] == '[')) {
			depth++;
			most = MAX(most, depth);
		} else if (!text && (p[i] == '}' || p[i] == ']') && depth)
			depth--;
	}
	return most;
}

static int read_protocol(const json_t *v, struct err *e)
{
	if (json_is_integer(v) && json_integer_value(v) == CONTROL_PROTOCOL)
		return 0;
	return err_set(e, EINVAL, "\"protocol\" is not %d, the only one that there is",
		       CONTROL_PROTOCOL);
}

static int read_id(struct control_request *r, json_t *v, struct err *e)
{
	if (!json_is_integer(v) &&
	    !(json_is_string(v) && json_string_length(v) <= CONTROL_ID_MAX))
		return err_set(
			e, EINVAL,
			"\"id\" is neither a whole number nor a text of %d bytes at "
			"most",
			CONTROL_ID_MAX);
	r->id = json_incref(v);
	return 0;
}

static int read_command(struct control_request *r, const json_t *v, struct err *e)
{
	const char *name = json_string_value(v);

	for (unsigned int i = 0; name && i < CONTROL_COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0) {
			r->command = (enum control_command)i;
			return 0;
		}
	return err_set(e, EINVAL,
		       "\"command\" is not status, pause, resume, balloon, resize-disk, "
		       "report or save");
}

static int read_bytes(struct control_request *r, const json_t *v, struct err *e)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return err_set(e, EINVAL, "\"bytes\" is not a whole number from 0 on");
	r->has_bytes = true;
	r->bytes = (uint64_t)json_integer_value(v);
	return 0;
}

static int read_disk(struct control_request *r, const json_t *v, struct err *e)
{
	size_t n = json_string_length(v);

	if (!n || n > CONFIG_ID_MAX)
		return err_set(e, EINVAL,
			       "\"disk\" is not the name of a disk, like \"blk0\"");
	memcpy(r->disk, json_string_value(v), n + 1);
	return 0;
}

static int read_member(struct control_request *r, const char *key, json_t *v,
		       struct err *e)
{
	if (strcmp(key, "command") == 0)
		return read_command(r, v, e);
	if (strcmp(key, "id") == 0)
		return 0; /* it was read first */
	if (strcmp(key, "protocol") == 0)
		return read_protocol(v, e);
	if (strcmp(key, "bytes") == 0)
		return read_bytes(r, v, e);
	if (strcmp(key, "disk") == 0)
		return read_disk(r, v, e);
	return err_set(e, EINVAL, "\"%.40s\" is no member of a request", key);
}

static int check_argument(const char *command, const char *name,
			  enum request_argument want, bool is, struct err *e)
{
	if (want == ARGUMENT_NO && is)
		return err_set(e, EINVAL, "%s has no \"%s\"; leave it out", command,
			       name);
	if (want == ARGUMENT_MUST && !is)
		return err_set(e, EINVAL, "%s needs \"%s\"", command, name);
	return 0;
}

static int read_members(struct control_request *r, json_t *o, struct err *e)
{
	json_t *id = json_object_get(o, "id"), *v;
	const char *key, *name;
	int rc = id ? read_id(r, id, e) : 0; /* so that a refusal has it */

	json_object_foreach(o, key, v)
	{
		if (rc == 0)
			rc = read_member(r, key, v, e);
	}
	if (rc == 0 && !json_object_get(o, "command"))
		rc = read_command(r, NULL, e);
	if (rc < 0)
		return rc;
	name = commands[r->command].name;
	rc = check_argument(name, "bytes", commands[r->command].bytes, r->has_bytes, e);
	if (rc == 0)
		rc = check_argument(name, "disk", commands[r->command].disk,
				    r->disk[0] != '\0', e);
	return rc;
}

int control_request_read(struct control_request *r, const char *line, size_t len,
			 struct err *e)
{
	json_error_t why;
	json_t *o;
	int rc;

	*r = (struct control_request){.id = NULL};
	if (request_depth(line, len) > REQUEST_DEPTH_MAX)
		return err_set(e, EBADMSG, "a request is not nested so deeply");
	o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, EBADMSG,
			       "that is no object of JSON on one line%s%.120s",
			       o ? "" : ": ", o ? "" : why.text);
	}
	rc = read_members(r, o, e);
	json_decref(o);
	return rc;
}

void control_request_fini(struct control_request *r)
{
	json_decref(r->id);
	r->id = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* setting_console - the parts of --console and --port: the device and its end on the host. */
#include "vmm/settings/setting_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define FILE_SIZE_MIN     (64 * KIB)
#define CONSOLE_FILE_SIZE (256 * MIB) /* enough for all that a kernel prints */
#define SOCKET_PATH_MAX   (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* ---- the end on the host, the same for both ---- */

static int end_set(struct config_end *end, enum config_end_kind kind, struct err *e)
{
	if (end->kind != END_UNSET && end->kind != kind)
		return err_usage(e, "it already goes somewhere else; give one of stdio, "
				    "pty, unix, file and fd");
	end->kind = kind;
	return 0;
}

static int end_set_switch(struct config_end *end, enum config_end_kind kind,
			  const char *value, struct err *e)
{
	bool on;

	if (parts_switch(&on, value, e) < 0)
		return -e->code;
	return on ? end_set(end, kind, e) : 0;
}

static int end_set_unix(struct config_end *end, const char *value, struct err *e)
{
	if (end_set(end, END_UNIX, e) < 0)
		return -e->code;
	return parts_socket(&end->path, value, SOCKET_PATH_MAX, "", e);
}

static int end_set_fd(struct config_end *end, const char *value, struct err *e)
{
	if (end_set(end, END_FD, e) < 0)
		return -e->code;
	return parts_fd(&end->fd, value, e);
}

static int end_set_file(struct config_end *end, const char *value, struct err *e)
{
	if (end_set(end, END_FILE, e) < 0)
		return -e->code;
	return config_string(&end->path, value, e);
}

static int end_set_file_size(struct config_end *end, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_size(value, &n) < 0 || (n && (n < FILE_SIZE_MIN || n > INT64_MAX)))
		return err_usage(
			e,
			"\"%.60s\" is no size for a file; give 64K or more, like 16M, "
			"or 0 for no limit",
			value);
	end->file_size = n;
	end->has_file_size = true;
	return 0;
}

/* All parts are there */
static int end_check(const struct config_end *end, struct err *e)
{
	if (end->has_file_size && end->kind != END_FILE)
		return err_usage(e,
				 "there is no file whose size could have a limit; give "
				 "file=PATH as well");
	return 0;
}

/* ---- --console ---- */

static int console_begin(struct config *cfg, struct err *e)
{
	(void)e;
	cfg->console = CONSOLE_SERIAL;
	config_end_clear(&cfg->console_end);
	return 0;
}

/* The first word: a device, or the usual device's end */
static int console_set_device(struct config *cfg, const char *value, struct err *e)
{
	static const char *const names[] = {
		[CONSOLE_SERIAL] = "serial",
		[CONSOLE_VIRTIO] = "virtio",
		[CONSOLE_NONE] = "none",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		cfg->console = (enum config_console)i;
		return 0;
	}
	if (strcmp(value, "pty") == 0)
		return end_set(&cfg->console_end, END_PTY, e);
	if (strcmp(value, "stdio") == 0)
		return end_set(&cfg->console_end, END_STDIO, e);
	return parts_no_word(
		value, "is not a console", "serial virtio none pty stdio",
		"give serial, virtio or none, and pty, unix=PATH, file=PATH or fd=N if it "
		"is not for this terminal",
		e);
}

static int console_set_stdio(struct config *cfg, const char *value, struct err *e)
{
	return end_set_switch(&cfg->console_end, END_STDIO, value, e);
}

static int console_set_pty(struct config *cfg, const char *value, struct err *e)
{
	return end_set_switch(&cfg->console_end, END_PTY, value, e);
}

static int console_set_unix(struct config *cfg, const char *value, struct err *e)
{
	return end_set_unix(&cfg->console_end, value, e);
}

static int console_set_fd(struct config *cfg, const char *value, struct err *e)
{
	return end_set_fd(&cfg->console_end, value, e);
}

static int console_set_file(struct config *cfg, const char *value, struct err *e)
{
	return end_set_file(&cfg->console_end, value, e);
}

static int console_set_file_size(struct config *cfg, const char *value, struct err *e)
{
	return end_set_file_size(&cfg->console_end, value, e);
}

static int console_end(struct config *cfg, struct err *e)
{
	struct config_end *end = &cfg->console_end;

	if (cfg->console == CONSOLE_NONE && cfg->console_end.kind != END_UNSET)
		return err_usage(e, "there is no console that could go anywhere; give "
				    "serial or virtio instead of none");
	if (end->kind == END_FILE && !end->has_file_size)
		end->file_size = CONSOLE_FILE_SIZE;
	if (end_check(end, e) < 0)
		return -e->code;
	if (end->kind == END_UNSET)
		end->kind = END_STDIO;
	return 0;
}

static const struct setting_part console_parts[] = {
	{"device", NULL, SETTING_TEXT, console_set_device, "serial|virtio|none",
	 "which device: ttyS0, hvc0 or no console"},
	{"stdio", NULL, SETTING_SWITCH, console_set_stdio, NULL,
	 "the terminal, or stdin and stdout; the default"},
	{"pty", NULL, SETTING_SWITCH, console_set_pty, NULL,
	 "a pseudo terminal, whose path is printed on stderr"},
	{"unix", NULL, SETTING_SOCKET, console_set_unix, "SOCKET",
	 "a unix socket that microvm makes"},
	{"file", NULL, SETTING_PATH, console_set_file, "FILE",
	 "the output is appended to this file"},
	{"fd", NULL, SETTING_NUMBER, console_set_fd, "N",
	 "a socket, pipe or terminal that microvm inherits, 3 or more"},
	{"file-size", NULL, SETTING_QUANTITY, console_set_file_size, "SIZE",
	 "the file becomes FILE.1 when it is so large; 0: no limit"},
};

const struct setting_parts setting_console = {
	.part = console_parts,
	.n = ARRAY_SIZE(console_parts),
	.bare = true,
	.begin = console_begin,
	.end = console_end,
};

/* ---- --port: the parts fill port[nport], which port_end() then counts ---- */

static int port_begin(struct config *cfg, struct err *e)
{
	if (cfg->nport == CONFIG_PORTS_MAX)
		return err_usage(e,
				 "this is one too many; a machine has at most %d ports",
				 CONFIG_PORTS_MAX);
	config_port_clear(&cfg->port[cfg->nport]);
	return 0;
}

/* What can stand in a file name under /dev/virtio-ports, and in any udev rule */
static int port_set_name(struct config *cfg, const char *value, struct err *e)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789._-";

	if (strlen(value) > CONFIG_PORT_NAME_MAX || value[strspn(value, ok)] ||
	    strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return err_usage(e,
				 "\"%.70s\" cannot name a port; give at most %d letters, "
				 "digits, dots, dashes and underscores",
				 value, CONFIG_PORT_NAME_MAX);
	return config_string(&cfg->port[cfg->nport].name, value, e);
}

static int port_set_stdio(struct config *cfg, const char *value, struct err *e)
{
	return end_set_switch(&cfg->port[cfg->nport].end, END_STDIO, value, e);
}

static int port_set_pty(struct config *cfg, const char *value, struct err *e)
{
	return end_set_switch(&cfg->port[cfg->nport].end, END_PTY, value, e);
}

static int port_set_unix(struct config *cfg, const char *value, struct err *e)
{
	return end_set_unix(&cfg->port[cfg->nport].end, value, e);
}

static int port_set_fd(struct config *cfg, const char *value, struct err *e)
{
	return end_set_fd(&cfg->port[cfg->nport].end, value, e);
}

static int port_set_file(struct config *cfg, const char *value, struct err *e)
{
	return end_set_file(&cfg->port[cfg->nport].end, value, e);
}

static int port_set_file_size(struct config *cfg, const char *value, struct err *e)
{
	return end_set_file_size(&cfg->port[cfg->nport].end, value, e);
}

static int port_end(struct config *cfg, struct err *e)
{
	const struct config_port *p = &cfg->port[cfg->nport];

	if (!p->name)
		return err_usage(e, "there is no name; give one, like agent, first");
	if (p->end.kind == END_UNSET)
		return err_usage(e,
				 "port \"%s\" goes nowhere; give unix=PATH, pty, "
				 "file=PATH, fd=N or stdio",
				 p->name);
	if (end_check(&p->end, e) < 0)
		return -e->code;
	cfg->nport++;
	return 0;
}

static const struct setting_part port_parts[] = {
	{"name", NULL, SETTING_TEXT, port_set_name, "NAME",
	 "the name under /dev/virtio-ports in the guest"},
	{"stdio", NULL, SETTING_SWITCH, port_set_stdio, NULL,
	 "the terminal, or stdin and stdout"},
	{"pty", NULL, SETTING_SWITCH, port_set_pty, NULL,
	 "a pseudo terminal, whose path is printed on stderr"},
	{"unix", NULL, SETTING_SOCKET, port_set_unix, "SOCKET",
	 "a unix socket that microvm makes"},
	{"file", NULL, SETTING_PATH, port_set_file, "FILE",
	 "the output is appended to this file"},
	{"fd", NULL, SETTING_NUMBER, port_set_fd, "N",
	 "a socket, pipe or terminal that microvm inherits, 3 or more"},
	{"file-size", NULL, SETTING_QUANTITY, port_set_file_size, "SIZE",
	 "the file becomes FILE.1 when it is so large; 0: no limit"},
};

const struct setting_parts setting_port = {
	.part = port_parts,
	.n = ARRAY_SIZE(port_parts),
	.bare = true,
	.begin = port_begin,
	.end = port_end,
};

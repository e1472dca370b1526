/* SPDX-License-Identifier: Apache-2.0 */
/* machine_console - where the console and the ports go, made, started and unmade. */
#include "vmm/machine/machine_parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/util.h"

/* The operator typed Ctrl-A x.  Loop thread. */
static void machine_on_quit(void *ctx)
{
	machine_end(ctx, CAUSE_QUIT, "%s", "");
}

static struct tty *machine_make_file(struct machine *m, const char *label,
				     const struct config_end *end, struct err *e)
{
	struct tty *t = tty_create_file(m->loop, label, end->path, e);

	if (!t || !end->file_size || tty_file_limit(t, end->path, end->file_size, e) == 0)
		return t;
	tty_destroy(t);
	return NULL;
}

static struct tty *machine_make_tty(struct machine *m, const char *label,
				    const struct config_end *end, struct err *e)
{
	switch (end->kind) {
	case END_PTY:
		return tty_create_pty(m->loop, label, e);
	case END_UNIX:
		return tty_create_unix(m->loop, label, end->path, e);
	case END_FD:
		return tty_create_inherited(m->loop, label, end->fd, e);
	case END_FILE:
		return machine_make_file(m, label, end, e);
	case END_STDIO:
	case END_UNSET:
	default:
		return tty_create(m->loop, STDIN_FILENO, STDOUT_FILENO, machine_on_quit,
				  m, e);
	}
}

/* Without a console the terminal still takes Ctrl-A x, unless a port uses it */
static bool machine_wants_console_tty(const struct config *cfg)
{
	for (unsigned int i = 0; i < cfg->nport; i++)
		if (cfg->console == CONSOLE_NONE && cfg->port[i].end.kind == END_STDIO)
			return false;
	return true;
}

int machine_build_ttys(struct machine *m, struct err *e)
{
	const struct config *cfg = m->cfg;

	if (machine_wants_console_tty(cfg)) {
		m->tty = machine_make_tty(m, "--console", &cfg->console_end, e);
		if (!m->tty)
			return -e->code;
	}
	for (unsigned int i = 0; i < cfg->nport; i++) {
		char label[16 + CONFIG_PORT_NAME_MAX];

		(void)snprintf(label, sizeof(label), "--port %s", cfg->port[i].name);
		m->port_tty[i] = machine_make_tty(m, label, &cfg->port[i].end, e);
		if (!m->port_tty[i])
			return -e->code;
	}
	return 0;
}

/* The operator cannot find a pseudo terminal without this line, so no log level hides it. */
static void machine_say_path(const char *what, const char *name, const struct tty *t)
{
	char line[256];
	int n;

	if (!t || !tty_path(t))
		return;
	n = snprintf(line, sizeof(line), "%s: %s%s is %s\n", log_prefix(), what, name,
		     tty_path(t));
	(void)write_unless_stuck(STDERR_FILENO, line, (size_t)n, 0);
}

int machine_start_ttys(struct machine *m, struct err *e)
{
	int rc = 0;

	machine_say_path("the console", "", m->tty);
	if (m->tty)
		rc = tty_start(m->tty, m->console, e);
	for (unsigned int i = 0; rc == 0 && i < m->cfg->nport; i++) {
		machine_say_path("port ", m->cfg->port[i].name, m->port_tty[i]);
		rc = tty_start(m->port_tty[i], m->port[i], e);
	}
	return rc;
}

void machine_push_console(struct machine *m)
{
	if (m->stuck || !m->tty || !m->console) /* stuck: a thread may hold the lock */
		return;
	pthread_mutex_lock(&m->console->dev->lock);
	tty_rest(m->tty);
	tty_wake(m->tty);
	pthread_mutex_unlock(&m->console->dev->lock);
}

void machine_destroy_ttys(struct machine *m)
{
	for (unsigned int i = CONFIG_PORTS_MAX; i-- > 0;)
		tty_destroy(m->port_tty[i]);
	tty_destroy(m->tty);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tty_rest - a console's host side while the machine rests: its sources sleep, and the events
 * that they wait for are remembered.
 *
 * The terminal is still read, since Ctrl-A x must end a machine at rest; and the terminal's
 * signals (stopped, resized) are still handled.
 */
#include "devices/backend/tty_impl.h"

#include <sys/epoll.h>

#include "vmm/core/util.h"

void tty_sources(struct tty *t, struct loop_source *all[TTY_SOURCES])
{
	struct loop_source *s[TTY_SOURCES] = {
		&t->in_source,    &t->out_source,  &t->turn_source,    &t->wake_source,
		&t->again_source, &t->hold_source, &t->listener.source};

	for (unsigned int i = 0; i < TTY_SOURCES; i++)
		all[i] = s[i];
}

static bool tty_heard_at_rest(const struct tty *t, const struct loop_source *s)
{
	return s == &t->wake_source || (s == &t->in_source && t->term >= 0);
}

void tty_want(struct tty *t, struct loop_source *s, uint32_t events)
{
	struct loop_source *all[TTY_SOURCES];

	if (!t->resting || tty_heard_at_rest(t, s)) {
		loop_want(t->loop, s, events);
		return;
	}
	tty_sources(t, all);
	for (unsigned int i = 0; i < TTY_SOURCES; i++)
		if (all[i] == s)
			t->later[i] = events;
}

void tty_rest(struct tty *t)
{
	struct loop_source *all[TTY_SOURCES];

	if (!t || t->resting)
		return;
	tty_do_left(t);
	tty_out_push(t);
	tty_sources(t, all);
	for (unsigned int i = 0; i < TTY_SOURCES; i++) {
		t->later[i] = all[i]->events;
		if (!tty_heard_at_rest(t, all[i]))
			loop_want(t->loop, all[i], 0);
	}
	t->resting = true;
}

/* Timers that expired meanwhile fire now */
void tty_wake(struct tty *t)
{
	struct loop_source *all[TTY_SOURCES];
	uint16_t cols, rows;

	if (!t || !t->resting)
		return;
	t->resting = false;
	tty_sources(t, all);
	for (unsigned int i = 0; i < TTY_SOURCES; i++)
		if (!tty_heard_at_rest(t, all[i]))
			loop_want(t->loop, all[i], t->later[i]);
	if (t->nheld)
		tty_input_wanted(t);
	tty_winsize(t, &cols, &rows);
	if (t->client)
		t->client->resized(t->client, cols, rows);
}

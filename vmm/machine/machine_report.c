/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_report - what a machine reports of itself, when it is over and, at SIGUSR1 or for an asker,
 * while it runs.
 *
 * A live report takes up to three steps: ask the guest for its memory figures, and give it a
 * second; then a worker reads the devices, whose locks may be held for long, and writes the file,
 * which may be slow; the loop learns the result.
 */
#include "vmm/machine/machine_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

#define LIVE_ANSWER_NS UINT64_C(1000000000) /* for a guest to tell its memory figures */

static void report_exits(const struct machine *m, struct report *r)
{
	for (unsigned int k = 0; k < VCPU_EXIT_REASONS && r->nexit < REPORT_EXITS_MAX;
	     k++) {
		uint64_t sum = 0;

		for (unsigned int i = 0; i < m->nvcpu; i++)
			sum += m->vcpu[i].exits[k];
		if (sum && vcpu_exit_name(k))
			r->exit[r->nexit++] = (struct report_figure){
				.name = vcpu_exit_name(k), .value = sum};
	}
}

static void report_devices(const struct machine *m, struct report *r)
{
	for (unsigned int i = 0; i < m->ndev && r->ndev < REPORT_DEVICES_MAX; i++) {
		struct report_device *d = &r->dev[r->ndev++];

		memcpy(d->name, m->dev[i]->name, sizeof(d->name));
		pthread_mutex_lock(&m->dev[i]->lock);
		d->io = m->dev[i]->io;
		d->engine = m->dev[i]->engine;
		pthread_mutex_unlock(&m->dev[i]->lock);
	}
}

static void report_guest_memory(const struct machine *m, struct report *r)
{
	struct balloon_stats s;

	_Static_assert(BALLOON_STATS <= REPORT_MEMORY_MAX, "room for each");
	if (!m->balloon)
		return;
	pthread_mutex_lock(&m->balloon->dev->lock);
	s = *balloon_last_stats(m->balloon);
	pthread_mutex_unlock(&m->balloon->dev->lock);
	r->memory_ns = s.at_ns;
	for (unsigned int i = 0; i < BALLOON_STATS; i++)
		if (s.known >> i & 1)
			r->memory[r->nmemory++] = (struct report_figure){
				.name = balloon_stats_name(i), .value = s.value[i]};
}

void machine_report(const struct machine *m, struct report *r)
{
	r->first_run_ns = m->vcpu_host.first_run_ns;
	r->nexit = r->ndev = r->nmemory = 0;
	report_exits(m, r);
	if (m->stuck) /* whose threads hold locks of devices */
		return;
	report_devices(m, r);
	report_guest_memory(m, r);
}

/* Worker thread */
static void live_run(struct work *w)
{
	struct machine_live *l = container_of(w, struct machine_live, work);
	const struct machine *m = container_of(l, struct machine, live);

	machine_report(m, &l->report);
	l->report.end_ns = monotonic_ns();
	l->failure.code = 0;
	if (l->for_askers)
		l->text = report_text(&l->report, &l->len);
	if (l->for_file)
		(void)report_refresh(l->file, &l->report, &l->failure);
}

static void live_write(struct machine_live *l)
{
	struct machine *m = container_of(l, struct machine, live);

	l->state = LIVE_WRITING;
	l->for_file = l->file_wanted;
	l->file_wanted = false;
	l->waits = l->wants;
	l->wants = NULL;
	l->for_askers = l->waits != NULL;
	l->text = NULL;
	work_submit(m->pool, &l->work);
}

/* The guest's answer, or the end of LIVE_ANSWER_NS */
static void live_on_timer(struct loop_source *s, uint32_t events)
{
	struct machine_live *l = container_of(s, struct machine_live, timer);

	(void)events;
	if (loop_timer_rang(s) && l->state == LIVE_ASKED)
		live_write(l);
}

/* The balloon's lock is held, and the report takes all locks: so the loop starts it */
static void live_on_told(struct balloon_asker *a)
{
	struct machine_live *l = container_of(a, struct machine_live, asker);

	if (l->state == LIVE_ASKED)
		loop_timer_set(&l->timer, 1);
}

/* Return: 0 or -errno */
static int live_open_timer(struct machine_live *l)
{
	const struct machine *m = container_of(l, struct machine, live);

	if (l->timer.fd >= 0)
		return 0;
	l->timer.fn = live_on_timer;
	return loop_timer_open(m->loop, &l->timer);
}

int machine_report_arm(struct machine *m, struct err *e)
{
	bool may = m->cfg->report || m->cfg->control;
	int rc = may && m->balloon ? live_open_timer(&m->live) : 0;

	return rc < 0 ? err_set(e, -rc, "no timer for a report: %s", strerror(-rc)) : 0;
}

/* Return: will there be an answer, or the end of the timer? */
static bool live_ask(struct machine_live *l)
{
	const struct machine *m = container_of(l, struct machine, live);
	bool asked;

	if (!m->balloon || live_open_timer(l) < 0)
		return false;
	l->state = LIVE_ASKED;
	loop_timer_set(&l->timer, LIVE_ANSWER_NS);
	pthread_mutex_lock(&m->balloon->dev->lock);
	asked = balloon_ask(m->balloon, &l->asker);
	pthread_mutex_unlock(&m->balloon->dev->lock);
	if (!asked)
		loop_timer_set(&l->timer, 0);
	return asked;
}

static void live_begin(struct machine_live *l)
{
	if (!live_ask(l))
		live_write(l);
}

/* Those that ask again meanwhile get the next one */
static void live_tell(struct machine_live *l)
{
	struct err e = {0};

	if (l->for_askers && !l->text)
		err_set(&e, ENOMEM, "no memory for the report");
	while (l->waits) {
		struct machine_asker *a = l->waits;

		l->waits = a->next;
		a->told(a, e.code ? &e : NULL, l->text, l->len);
	}
	free(l->text);
	l->text = NULL;
}

static void live_done(struct work *w)
{
	struct machine_live *l = container_of(w, struct machine_live, work);

	if (l->failure.code)
		log_error("%s", l->failure.msg);
	live_tell(l);
	l->state = LIVE_IDLE;
	if (l->file_wanted || l->wants)
		live_begin(l);
}

void machine_report_now(struct machine *m)
{
	struct machine_live *l = &m->live;

	if (l->file->fd < 0) {
		if (!l->told)
			log_warn(
				"SIGUSR1 asks for a report, and there is no file for it; "
				"start with --report FILE");
		l->told = true;
		return;
	}
	l->file_wanted = true;
	if (l->state == LIVE_IDLE)
		live_begin(l);
}

void machine_report_ask(struct machine *m, struct machine_asker *a)
{
	struct machine_live *l = &m->live;

	a->next = l->wants;
	l->wants = a;
	if (l->state == LIVE_IDLE)
		live_begin(l);
}

static void live_forget(struct machine_asker **at, const struct machine_asker *a)
{
	while (*at && *at != a)
		at = &(*at)->next;
	if (*at)
		*at = a->next;
}

void machine_report_forget(struct machine *m, const struct machine_asker *a)
{
	live_forget(&m->live.wants, a);
	live_forget(&m->live.waits, a);
}

void machine_report_live(struct machine *m, struct report_file *f, uint64_t start_ns)
{
	struct machine_live *l = &m->live;

	l->file = f;
	l->report = (struct report){
		.name = m->cfg->name, .running = true, .start_ns = start_ns};
	l->asker.told = live_on_told;
	l->work.run = live_run;
	l->work.done = live_done;
}

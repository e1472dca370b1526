/* SPDX-License-Identifier: Apache-2.0 */
/* control - the control socket: it accepts clients, and decides when the loop serves each. */
#include "vmm/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control/control_parts.h"
#include "vmm/core/log.h"
#include "vmm/core/loop_timer.h"
#include "vmm/core/util.h"

/* A request takes the loop 10 to 50 us. So clients that ask for ever have a tenth of its time */
#define CONTROL_INTERVAL_NS UINT64_C(10000000)
#define CONTROL_REQUESTS    32 /* in an interval */
/* After accept() failed: no descriptors, no memory */
#define CONTROL_AGAIN_NS UINT64_C(500000000)

void control_hold(struct control *c, uint64_t ns)
{
	c->holds = true;
	loop_want(c->loop, &c->listener, 0);
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		client_update(&c->client[i]);
	loop_timer_set(&c->timer, ns);
}

bool control_spend(struct control *c)
{
	uint64_t now = monotonic_ns();

	if (c->holds)
		return false;
	if (now - c->since_ns >= CONTROL_INTERVAL_NS) {
		c->since_ns = now;
		c->used = 0;
	}
	if (c->used++ < CONTROL_REQUESTS)
		return true;
	control_hold(c, c->since_ns + CONTROL_INTERVAL_NS - now);
	return false;
}

static void control_on_timer(struct loop_source *s, uint32_t events)
{
	struct control *c = container_of(s, struct control, timer);

	(void)events;
	if (!loop_timer_rang(s))
		return;
	c->holds = false;
	loop_want(c->loop, &c->listener, EPOLLIN);
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		client_update(&c->client[i]);
}

/* A request of each client that has one, and then the loop's other sources have their turn */
static void control_go_on(struct loop_task *t)
{
	struct control *c = container_of(t, struct control, go_on);

	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		if (client_ready(&c->client[i]) && control_spend(c))
			client_serve(&c->client[i]);
}

/* A place for one more: a free one, or that of the client that was answered longest ago and asks for
 * nothing, or else of the one that waits longest
 */
static struct control_client *control_place(struct control *c)
{
	struct control_client *worst = NULL;

	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++) {
		struct control_client *cl = &c->client[i];

		if (cl->source.fd < 0)
			return cl;
		if (!worst ||
		    (cl->busy == worst->busy ? cl->turn < worst->turn : worst->busy))
			worst = cl;
	}
	client_end(worst);
	return worst;
}

static void control_on_client(struct loop_source *s, uint32_t events)
{
	struct control *c = container_of(s, struct control, listener);
	int fd;

	(void)events;
	if (!control_spend(c))
		return;
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		client_begin(control_place(c), fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		log_warn("--control: cannot take a connection now: %s", strerror(errno));
		control_hold(c, CONTROL_AGAIN_NS);
	}
}

static int control_watch(struct control *c, struct err *e)
{
	int rc;

	c->timer.fn = control_on_timer;
	c->listener = (struct loop_source){
		.fd = c->at.fd, .events = EPOLLIN, .fn = control_on_client};
	rc = loop_timer_open(c->loop, &c->timer);
	if (rc == 0)
		rc = loop_add(c->loop, &c->listener);
	return rc < 0 ? err_set(e, -rc, "--control: the socket cannot be watched: %s",
				strerror(-rc))
		      : 0;
}

int control_open(struct control **c, const char *path, const struct machine_ops *ops,
		 struct loop *loop, int pid, struct err *e)
{
	struct control *new = *c = calloc(1, sizeof(*new));
	int rc;

	if (!new)
		return err_set(e, ENOMEM, "--control: no memory; raise ulimit -d");
	json_object_seed(0); /* which opens a file; later that may be forbidden */
	new->ops = ops;
	new->loop = loop;
	new->pid = pid;
	new->timer.fd = -1;
	new->go_on.fn = control_go_on;
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++) {
		new->client[i].control = new;
		new->client[i].source.fd = -1;
	}
	rc = unix_listen(&new->at, "--control", path, e);
	if (rc == 0)
		rc = control_watch(new, e);
	if (rc < 0) {
		control_close(new);
		*c = NULL;
	}
	return rc;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	for (unsigned int i = 0; i < CONTROL_CLIENTS; i++)
		client_end(&c->client[i]);
	loop_unpost(c->loop, &c->go_on);
	if (c->at.fd >= 0)
		loop_del(c->loop, &c->listener);
	loop_timer_close(c->loop, &c->timer);
	unix_unlisten(&c->at);
	free(c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* control_parts - what the files of the control socket share. */
#ifndef MICROVM_CONTROL_PARTS_H
#define MICROVM_CONTROL_PARTS_H

#include "devices/backend/unix_listen.h"
#include "vmm/control/control.h"
#include "vmm/control/control_request.h"

struct control_client {
	struct loop_source source; /* fd -1: there is no client */
	struct control *control;
	int fd[MACHINE_SAVE_FDS]; /* that came along, of the next request */
	unsigned int nfd;
	size_t n;  /* bytes of lines in @in */
	bool eof;  /* it sends nothing more */
	bool busy; /* the machine has @asker, and the answer goes to @request */
	bool last; /* it is let go once it has the answer */
	char *out; /* an answer that it has not taken yet: bytes [@sent, @out_len) */
	size_t sent, out_len;
	uint64_t turn; /* when it was answered last, or came: of control->turn */
	struct machine_asker asker;
	struct control_request request;
	char in[CONTROL_LINE_MAX + 1]; /* a NUL is behind them */
};

struct control {
	const struct machine_ops *ops;
	struct loop *loop;
	int pid;
	struct unix_listener at;
	struct loop_source listener, timer;
	struct loop_task go_on; /* there are lines that were read already */
	uint64_t turn;
	uint64_t since_ns; /* of the interval in which @used requests were served */
	unsigned int used;
	bool holds; /* until the timer rings nothing is read and nobody comes in */
	struct control_client client[CONTROL_CLIENTS];
};

/* control_spend() - a request, or a client that comes. Return: not now, and the loop comes back to it */
bool control_spend(struct control *c);
/* control_hold() - for @ns nobody is heard */
void control_hold(struct control *c, uint64_t ns);

/* client_begin() - a client came, by the non-blocking socket @fd, which is ours from now on */
void client_begin(struct control_client *cl, int fd);
/* client_end() - let go of it.  One that is not there is left alone */
void client_end(struct control_client *cl);
/* client_update() - wait for what it needs now */
void client_update(struct control_client *cl);
/* client_ready() - has it a request that can be served now? client_serve(): serve that one */
bool client_ready(const struct control_client *cl);
void client_serve(struct control_client *cl);

#endif

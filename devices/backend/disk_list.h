/* SPDX-License-Identifier: Apache-2.0 */
/* disk_list - a queue of requests, first in first out; linked through the requests. */
#ifndef MICROVM_BACKEND_DISK_LIST_H
#define MICROVM_BACKEND_DISK_LIST_H

#include "devices/backend/disk.h"

struct disk_list {
	struct disk_req *head, *tail;
	unsigned int n;
};

static inline void disk_list_add(struct disk_list *l, struct disk_req *r)
{
	r->next = NULL;
	if (l->tail)
		l->tail->next = r;
	else
		l->head = r;
	l->tail = r;
	l->n++;
}

/* disk_list_push() - put it first */
static inline void disk_list_push(struct disk_list *l, struct disk_req *r)
{
	r->next = l->head;
	l->head = r;
	if (!l->tail)
		l->tail = r;
	l->n++;
}

static inline struct disk_req *disk_list_pop(struct disk_list *l)
{
	struct disk_req *r = l->head;

	if (!r)
		return NULL;
	l->head = r->next;
	if (!l->head)
		l->tail = NULL;
	l->n--;
	r->next = NULL;
	return r;
}

static inline void disk_list_move(struct disk_list *to, struct disk_list *from)
{
	struct disk_req *r;

	while ((r = disk_list_pop(from)))
		disk_list_add(to, r);
}

#endif

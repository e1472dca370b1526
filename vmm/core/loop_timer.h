/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop_timer - a source of the loop that is a timer of the host's monotonic clock.
 *
 * Its owner sets fn, and dev if it has one; fn() begins with loop_timer_rang().  Any thread may set
 * it, with dev's lock held if it has one.
 */
#ifndef MICROVM_CORE_LOOP_TIMER_H
#define MICROVM_CORE_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/loop.h"

/* loop_timer_make() - make s->fd, a timer that stands still and that @l does not watch yet.
 * Return: 0, or -errno with s->fd -1
 */
int loop_timer_make(struct loop_source *s);
/* loop_timer_open() - the same, and have @l watch it */
int loop_timer_open(struct loop *l, struct loop_source *s);
/* loop_timer_close() - end both; one that was not made (s->fd is -1) is left alone */
void loop_timer_close(struct loop *l, struct loop_source *s);

/* loop_timer_set() - it rings once, in @ns, which takes the place of what it was set to before; 0: it
 * does not ring.  loop_timer_every(): and then every @ns again
 */
void loop_timer_set(const struct loop_source *s, uint64_t ns);
void loop_timer_every(const struct loop_source *s, uint64_t ns);

/* loop_timer_rang() - has it, since the last call?  Not if it was set anew since the loop saw it */
bool loop_timer_rang(const struct loop_source *s);

#endif

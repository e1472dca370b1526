/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine_ops - what can be asked of a machine while it runs, by whichever interface: the control
 * socket today.
 *
 * A table of functions, so that an interface can be tested without a machine. All are for the loop's
 * thread, while the loop runs; none waits. A failure's sentence in @e begins with what it is about and
 * ends with a cure; @e->code is of these: EINVAL, the argument; ENOENT, no such device; ENOTSUP, that
 * device cannot; EROFS; EBUSY, something else is under way; or the host's error.
 */
#ifndef MICROVM_MACHINE_OPS_H
#define MICROVM_MACHINE_OPS_H

#include "vmm/core/config.h"
#include "vmm/core/err.h"
#include "vmm/machine/machine.h"

#define MACHINE_SAVE_FDS 2

struct machine_disk {
	const char *id;
	uint64_t bytes; /* 0: another process serves it and knows */
};

struct machine_status {
	const char *name;
	/* a constant: "starting" (no instruction was executed yet), "running", "pausing", "paused",
	 * "ending" (it is asked to shut down, or its kernel has panicked)
	 */
	const char *state;
	uint64_t uptime_ns; /* since its process began */
	unsigned int cpus;
	uint64_t memory;                     /* bytes of RAM */
	bool has_balloon;                    /* then bytes that the guest is asked for, */
	uint64_t balloon_asked, balloon_has; /* and has given, by its own word */
	unsigned int ndisk;
	struct machine_disk disk[CONFIG_DISKS_MAX];
};

struct machine_ops {
	void *machine;
	/* What it points to is constant while the machine is there */
	void (*status)(void *machine, struct machine_status *s);
	/* At rest, as machine_pause() says it: @a is told then, perhaps at once, or after five seconds
	 * why not. One that is paused already is well. Return: 0; -errno in @e, and @a is not told
	 */
	int (*pause)(void *machine, struct machine_asker *a, struct err *e);
	/* It goes on; one that runs already is well. An asker that waits for a pause is told that there is
	 * none. Return: 0; -EBUSY in @e: it has to stay at rest for now (machine_hold())
	 */
	int (*resume)(void *machine, struct err *e);
	/* Ask the guest for so much memory; in @s what is known of it then. Return: 0 or -errno in @e */
	int (*balloon)(void *machine, uint64_t bytes, struct err *e);
	/* A disk's file becomes @bytes long, or with 0 whatever it is now counts, and the guest is told;
	 * in @now what it sees. Return: likewise
	 */
	int (*resize_disk)(void *machine, const char *id, uint64_t bytes, uint64_t *now,
			   struct err *e);
	/* @a is told the report as it stands (docs/report.md), after a second at most if the balloon's
	 * guest does not answer; devices that wait for the host delay it
	 */
	void (*report)(void *machine, struct machine_asker *a);
	/* Save it (vmm/snapshot): @fd[0] gets the state, @fd[1] the memory; both are the callee's from now on.
	 * NULL: it cannot be. Return: as pause()
	 */
	int (*save)(void *saver, const int fd[MACHINE_SAVE_FDS], struct machine_asker *a,
		    struct err *e);
	/* and @a is not told any more */
	void (*forget_save)(void *saver, struct machine_asker *a);
	void *saver;
	/* @a is not told any more; what it asked for is done nevertheless */
	void (*forget)(void *machine, struct machine_asker *a);
};

/* machine_ops() - those of @m */
struct machine_ops machine_ops(struct machine *m);
/* machine_ops_resume() - for one whose end has come: it goes on, as soon as it may */
void machine_ops_resume(struct machine *m);
/* machine_hold() - @m, which is paused, stays so whatever is asked. machine_let_go(): until now, and it goes
 * on if @resume, or if that was wanted meanwhile. Loop thread
 */
void machine_hold(struct machine *m);
void machine_let_go(struct machine *m, bool resume);

#endif

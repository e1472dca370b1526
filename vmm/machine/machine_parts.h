/* SPDX-License-Identifier: Apache-2.0 */
/* machine_parts - the steps of machine_build(), one file each. */
#ifndef MICROVM_MACHINE_PARTS_H
#define MICROVM_MACHINE_PARTS_H

#include "vmm/machine/machine.h"

/* All: Return 0, or -errno with a sentence in @e; what was made is in @m */

/* machine_arch_memory() - RAM around this architecture's holes (machine_<arch>.c) */
int machine_arch_memory(struct machine *m, struct err *e);
/* machine_arch_devices() - the devices that are not virtio (machine_<arch>.c) */
int machine_arch_devices(struct machine *m, struct err *e);
/* machine_arch_platform() - this architecture's own parts, for boot/ to describe.  In a dry run,
 * which has no KVM, what a good host would have
 */
void machine_arch_platform(const struct machine *m, struct platform *p);
/* machine_arch_virtio_slot() - window and line of the @i-th virtio device; -ENOSPC: none */
int machine_arch_virtio_slot(const struct machine *m, unsigned int i, uint64_t *base,
			     unsigned int *gsi, struct err *e);

/* machine_arch_pmem() - [*@start, *@end): where files can be in guest memory, above RAM */
void machine_arch_pmem(const struct machine *m, gpa_t *start, gpa_t *end);

/* machine_add_device() - put @d on @b; the machine owns it from now on, also on failure */
int machine_add_device(struct machine *m, struct bus *b, struct device *d, struct err *e);
/* machine_virtio_count() - how many virtio devices the config asks for */
unsigned int machine_virtio_count(const struct config *cfg);
/* machine_virtio_shares() - does another process serve one of them, in the guest's memory? */
bool machine_virtio_shares(const struct config *cfg);
/* machine_virtio_devices() - every virtio device that the config asks for */
int machine_virtio_devices(struct machine *m, struct err *e);

/* machine_reserve_fds() - after the start has opened all it needs: how many of the other
 * descriptors guests and peers may use, so that later opens of the machine still succeed
 */
int machine_reserve_fds(struct machine *m, struct err *e);

/* machine_add_pmem() - the files of the pmem devices as KVM slots; before the vCPUs */
int machine_add_pmem(struct machine *m, struct err *e);

/* machine_build_ttys() - the host ends of the console and the ports. machine_start_ttys(): after
 * devices and loop are made; tells the operator where pseudo terminals are
 */
int machine_build_ttys(struct machine *m, struct err *e);
int machine_start_ttys(struct machine *m, struct err *e);
void machine_destroy_ttys(struct machine *m);

/* machine_rest() - after the loop: wait until all vCPUs have left and no worker is busy.  Return:
 * false, calls to the host do not return, and nothing that these threads use may be freed
 */
bool machine_rest(struct machine *m);

/* machine_watch_life() - let machine_pause() look again, on the loop */
int machine_watch_life(struct machine *m, struct err *e);
/* machine_suspend() - SIGTSTP came: pause, then stop the process.  Loop thread */
void machine_suspend(struct machine *m);

/* machine_report_arm() - open now what a live report needs.  Return: 0, or -errno in @e */
int machine_report_arm(struct machine *m, struct err *e);
/* machine_report_now() - SIGUSR1 came.  Loop thread */
void machine_report_now(struct machine *m);
/* machine_report_ask() - tell @a the report as it stands. machine_report_forget(): or not.  Loop thread */
void machine_report_ask(struct machine *m, struct machine_asker *a);
void machine_report_forget(struct machine *m, const struct machine_asker *a);

/* machine_add_genid() - a machine that can be saved has a generation id, at @base, line @gsi.
 * machine_map_genid(): as memory, once there is a VM
 */
int machine_add_genid(struct machine *m, uint64_t base, unsigned int gsi, struct err *e);
int machine_map_genid(struct machine *m, struct err *e);

/* How a reset was asked for.  machine_arch_reset() (machine_<arch>.c): by what is in memory */
enum machine_reset {
	MACHINE_RESET_UNSAID, /* the guest chose no way to reset, or an unknown one */
	MACHINE_RESET_COLD,
	MACHINE_RESET_WARM,
};
enum machine_reset machine_arch_reset(const struct machine *m);

/* machine_arch_button() - is the power button a virtio device?  If not, it is ACPI's
 * (machine_<arch>.c)
 */
bool machine_arch_button(const struct config *cfg);
/* machine_arch_press() - press the guest's power button once (machine_<arch>.c).  Loop thread.
 * Return: does its kernel listen?  If not, nothing has happened
 */
bool machine_arch_press(struct machine *m);

/* machine_stop() - SIGTERM came: press the power button and wait.  Loop thread.
 * Return: false, it does not wait: no button, no time, or this is the second call
 */
bool machine_stop(struct machine *m);
/* machine_end_own() - the guest ended by itself, as @cause says, asked by us or not.  Any thread
 */
void machine_end_own(struct machine *m, enum exit_cause cause);
/* machine_watch_stop() - --stop-timeout, on the loop */
int machine_watch_stop(struct machine *m, struct err *e);

/* machine_ends_init() - make devices and vCPUs tell machine_ends.c that the guest ends.
 * machine_watch_ends(): and from now on of an end that only the console tells
 */
void machine_ends_init(struct machine *m);
int machine_watch_ends(struct machine *m, struct err *e);

/* machine_watch_events() - signals and --timeout, on the loop */
int machine_watch_events(struct machine *m, struct err *e);
void machine_unwatch_events(struct machine *m);

#endif

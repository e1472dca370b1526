/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor - `microvm doctor`: can a stock kernel boot on this host, and what would help?
 *
 * Each finding is a line: a mark, the thing, what was found, the cure. The checks of one
 * architecture are in doctor_<arch>.c.
 */
#ifndef MICROVM_DOCTOR_H
#define MICROVM_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/kvm/kvm.h"

enum doctor_mark {
	DOCTOR_OK,   /* "ok": as it should be */
	DOCTOR_NO,   /* "no": no stock kernel boots like this */
	DOCTOR_NOTE, /* "--": worth mentioning, or an optional part is missing */
};

struct doctor {
	FILE *out;
	const char *obstacle; /* the first obstacle for a kernel; NULL: none */
};

/* A capability of KVM that we use */
struct doctor_cap {
	int cap;
	const char *name;
	enum doctor_mark missing; /* the mark if it is missing */
	const char *use;          /* what we need it for */
};

/* doctor_run() - the whole examination, on @out.  Return: an exit status: 0 if a stock
 * kernel can boot on this host, else 1
 */
int doctor_run(FILE *out);

/* doctor_say() - one line about @what, a constant */
void doctor_say(struct doctor *d, enum doctor_mark mark, const char *what,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* doctor_host() - what a machine can use besides KVM: taps, huge pages, limits */
void doctor_host(struct doctor *d);

/* doctor_jail() - what stands between a guest and this host, a line for each layer */
void doctor_jail(struct doctor *d);

/* doctor_set_alarm() - from now on, or no longer, interrupt a KVM_RUN that does not end: it fails
 * with EINTR after about 0.4 s. Main thread; uses SIGALRM
 */
void doctor_set_alarm(bool on);

/* Of the architecture: the capabilities that only it has, and a trial run of privileged
 * code in @k, a fresh VM
 */
extern const struct doctor_cap doctor_arch_caps[];
extern const unsigned int doctor_arch_ncaps;
void doctor_arch_trial(struct doctor *d, struct kvm *k);

#endif

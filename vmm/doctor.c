/* SPDX-License-Identifier: Apache-2.0 */
/* doctor - what this host's KVM is and has. */
#include "vmm/doctor.h"

#include <dirent.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/time.h>

#include "vmm/core/util.h"

#define DOCTOR_LIMIT 400000 /* us, for one KVM_RUN, give or take */

static const struct doctor_cap doctor_caps[] = {
	{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", DOCTOR_NO, "guest RAM"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", DOCTOR_NO, "stopping a vCPU"},
	{KVM_CAP_IRQFD, "KVM_CAP_IRQFD", DOCTOR_NO, "device interrupts"},
	{KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD", DOCTOR_NO, "kicks without an exit"},
	{KVM_CAP_READONLY_MEM, "KVM_CAP_READONLY_MEM", DOCTOR_NOTE,
	 "register reads without an exit"},
};

void doctor_say(struct doctor *d, enum doctor_mark mark, const char *what,
		const char *fmt, ...)
{
	static const char *const marks[] = {
		[DOCTOR_OK] = "ok",
		[DOCTOR_NO] = "no",
		[DOCTOR_NOTE] = "--",
	};
	va_list ap;

	if (mark == DOCTOR_NO && !d->obstacle)
		d->obstacle = what;
	(void)fprintf(d->out, "%s  %-30s ", marks[mark], what);
	va_start(ap, fmt);
	(void)vfprintf(d->out, fmt, ap);
	va_end(ap);
	(void)fputc('\n', d->out);
}

static void doctor_on_alarm(int sig)
{
	(void)sig; /* it only has to interrupt KVM_RUN */
}

/* Repeatedly, in case it was not in KVM_RUN */
void doctor_set_alarm(bool on)
{
	struct sigaction sa = {.sa_handler = doctor_on_alarm};
	struct itimerval it = {
		.it_interval.tv_usec = on ? DOCTOR_LIMIT : 0,
		.it_value.tv_usec = on ? DOCTOR_LIMIT : 0,
	};

	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &it, NULL);
}

/* Which KVM it is: the trial run says more, but people ask. @works: we can use /dev/kvm */
static void doctor_module(struct doctor *d, bool works)
{
	DIR *dir = opendir("/sys/module");
	char names[128] = "";
	struct dirent *de;
	size_t n = 0;

	while (dir && (de = readdir(dir))) {
		size_t len = strlen(de->d_name);

		if (strncmp(de->d_name, "kvm_", 4) != 0 || n + len + 2 > sizeof(names))
			continue;
		if (n)
			names[n++] = ' ';
		memcpy(names + n, de->d_name, len + 1);
		n += len;
	}
	if (dir)
		closedir(dir);
	if (n && works)
		doctor_say(d, DOCTOR_OK, "kind of KVM", "%s", names);
	else if (n)
		doctor_say(d, DOCTOR_NOTE, "kind of KVM",
			   "%s is loaded, which alone helps nobody", names);
	else
		doctor_say(d, DOCTOR_NOTE, "kind of KVM",
			   "not told: built into the kernel, or /sys is not mounted");
}

static void doctor_check_caps(struct doctor *d, const struct kvm *k,
			      const struct doctor_cap *caps, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (kvm_has(k, caps[i].cap) > 0)
			doctor_say(d, DOCTOR_OK, caps[i].name, "for %s", caps[i].use);
		else
			doctor_say(d, caps[i].missing, caps[i].name,
				   "missing, for %s: a newer host kernel has it",
				   caps[i].use);
	}
}

static void doctor_kvm(struct doctor *d)
{
	struct err e = {0};
	struct kvm k;

	if (kvm_open(&k, &e) == 0) {
		doctor_say(d, DOCTOR_OK, "/dev/kvm",
			   "permitted, API version %d, makes virtual machines",
			   KVM_API_VERSION);
		doctor_module(d, true);
		doctor_check_caps(d, &k, doctor_caps, ARRAY_SIZE(doctor_caps));
		doctor_check_caps(d, &k, doctor_arch_caps, doctor_arch_ncaps);
		doctor_say(d, DOCTOR_OK, "vCPUs in a machine", "at most %u",
			   kvm_max_vcpus(&k));
		doctor_arch_trial(d, &k);
	} else {
		doctor_say(d, DOCTOR_NO, "/dev/kvm", "%s", e.msg);
		doctor_module(d, false);
	}
	kvm_close(&k);
}

int doctor_run(FILE *out)
{
	struct doctor d = {.out = out};

	doctor_kvm(&d);
	doctor_host(&d);
	doctor_jail(&d);
	if (!d.obstacle) {
		(void)fputs("A stock kernel can boot here.\n", out);
		return 0;
	}
	(void)fprintf(
		out,
		"A stock kernel cannot boot here, because of: %s.  Cure that, or use a "
		"host with hardware\nKVM, or the nested host, which runs anywhere: "
		"guest-images/nested MICROVM OPTION...\n",
		d.obstacle);
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_host - what a machine can use of the host besides KVM; none of it is needed. */
#include "vmm/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vmm/core/fds.h"
#include "vmm/core/util.h"

#define DOCTOR_TUN        "/dev/net/tun"
#define DOCTOR_THP        "/sys/kernel/mm/transparent_hugepage/enabled"
#define DOCTOR_SHMEM      "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define DOCTOR_MEMORY_KIB (256 * KIB) /* the default machine */

static void doctor_tap(struct doctor *d)
{
	cleanup_close int fd = open(DOCTOR_TUN, O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		doctor_say(d, DOCTOR_NOTE, "tap",
			   DOCTOR_TUN ": no permission: sudo chmod 0666 " DOCTOR_TUN
				      ", or pass an open tap with --net fd=N");
	else if (fd < 0)
		doctor_say(d, DOCTOR_NOTE, "tap",
			   DOCTOR_TUN ": %s: sudo modprobe tun, or give the container "
				      "--device " DOCTOR_TUN,
			   strerror(errno));
	else if (ioctl(fd, TUNSETIFF, &ifr) == 0) /* closing @fd removes it */
		doctor_say(d, DOCTOR_OK, "tap", "interfaces can be made");
	else if (errno == EPERM)
		doctor_say(
			d, DOCTOR_NOTE, "tap",
			"none can be made without CAP_NET_ADMIN: sudo ip tuntap add tap0 "
			"mode tap user $USER, then --net tap=tap0");
	else
		doctor_say(d, DOCTOR_NOTE, "tap", "none can be made: %s",
			   strerror(errno));
}

/* The number after "@key:" in /proc/meminfo; -1: not there */
static long long doctor_meminfo(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoll(p + strlen(key), NULL, 10) : -1;
}

/* All of a small file of the kernel's, as a string; "" if it cannot be read */
static void doctor_read(const char *path, char *text, size_t len)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? 0 : read_full(fd, text, len - 1);

	text[n > 0 ? n : 0] = '\0';
}

static void doctor_memory(struct doctor *d)
{
	char text[8192];
	long long available, pages;

	doctor_read("/proc/meminfo", text, sizeof(text));
	available = doctor_meminfo(text, "\nMemAvailable:");
	if (available < 0)
		doctor_say(d, DOCTOR_NOTE, "memory", "not told: mount /proc");
	else if ((uint64_t)available < DOCTOR_MEMORY_KIB)
		doctor_say(
			d, DOCTOR_NOTE, "memory",
			"%lld MiB available: the default machine takes up to 256; give "
			"--memory less, or the host more",
			available / 1024);
	else
		doctor_say(d, DOCTOR_OK, "memory", "%lld MiB available",
			   available / 1024);
	pages = doctor_meminfo(text, "\nHugePages_Free:");
	if (pages > 0 && doctor_meminfo(text, "\nHugepagesize:") == 2048)
		doctor_say(d, DOCTOR_OK, "huge pages",
			   "%lld of 2 MiB free, for --memory ...,hugepages=on", pages);
	else
		doctor_say(
			d, DOCTOR_NOTE, "huge pages",
			"no free ones of 2 MiB for --memory ...,hugepages=on: sudo sysctl "
			"vm.nr_hugepages=128 reserves 256 MiB");
}

/* Whether this kernel gives huge pages to a process that asks for them, as we do */
static void doctor_transparent(struct doctor *d, const char *what, const char *path,
			       const char *word, const char *without)
{
	char text[128];

	doctor_read(path, text, sizeof(text));
	if (!text[0] || strstr(text, "[never]") || strstr(text, "[deny]"))
		doctor_say(d, DOCTOR_NOTE, what, "%s: echo %s | sudo tee %s", without,
			   word, path);
	else
		doctor_say(d, DOCTOR_OK, what, "given to guests");
}

static void doctor_limits(struct doctor *d)
{
	struct rlimit files = {0};
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		doctor_say(d, DOCTOR_OK, "processors",
			   "%d for us; more vCPUs than that would share them",
			   CPU_COUNT(&set));
	/* a machine raises the soft limit itself */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < FDS_PAGE)
		doctor_say(d, DOCTOR_NOTE, "open files",
			   "at most %llu, too few for a jailed machine: ulimit -Hn %d",
			   (unsigned long long)files.rlim_max, FDS_PAGE);
	else
		doctor_say(d, DOCTOR_OK, "open files", "at most %llu",
			   (unsigned long long)files.rlim_max);
}

void doctor_host(struct doctor *d)
{
	doctor_tap(d);
	doctor_memory(d);
	doctor_transparent(d, "transparent huge pages", DOCTOR_THP, "madvise",
			   "not used for guest RAM");
	doctor_transparent(
		d, "shared huge pages", DOCTOR_SHMEM, "advise",
		"a guest with --share, or a directory as its root, starts slower");
	doctor_limits(d);
}

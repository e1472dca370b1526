/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting_habit - other programs' names for our settings.
 *
 * An operator who types "-m 512" or "--volume" comes from QEMU, docker or Firecracker. No edit
 * distance leads from there to our names, so each has a row.
 */
#include "vmm/settings/setting.h"

#include <stddef.h>
#include <string.h>

#include "vmm/core/util.h"

const struct setting_habit setting_habits[] = {
	{"m ram memory-size mem-size mem_size_mib", "memory",
	 "use --memory 512M; a size has a unit"},
	{"smp c vcpu vcpus vcpu_count vcpu-count cores machine-config", "cpus",
	 "use --cpus 2"},
	{"cpu", NULL,
	 "leave it out: the guest has the host's processor; how many vCPUs it has says "
	 "--cpus 2"},
	{"kernel-path kernel-image boot-source vmlinux bzimage", "kernel",
	 "use --kernel PATH"},
	{"initramfs ramdisk initrd-path initrd_path", "initrd", "use --initrd FILE"},
	{"params kernel-args kernel-params bootargs boot-args boot_args", "append",
	 "use --append WORDS"},
	{"e env environment", "append",
	 "use --append NAME=VALUE: the guest's init has it in its environment"},
	{"drive drives hda hdb hdc hdd cdrom blockdev image root rootfs rwdisk", "disk",
	 "use --disk FILE[,ro][,format=F]: the guest has it as /dev/vda"},
	{"snapshot", "disk",
	 "use --disk FILE,overlay=CHANGES: what the guest writes goes to CHANGES"},
	{"v volume volumes mount bind virtfs fsdev fs shared-dir", "share",
	 "use --share DIR[,ro], and in the guest: mount -t virtiofs share0 /mnt"},
	{"network networks netdev nic tap tap-name network-interfaces", "net",
	 "use --net user, or --net tap=NAME"},
	{"p publish port-forward hostfwd", "net", "use --net user,publish=8080:80"},
	{"serial chardev monitor", "console",
	 "use --console serial, which is the default, or --console virtio"},
	{"cid", "vsock", "use --vsock PATH,cid=N"},
	{"id vm-name", "name", "use --name NAME"},
	{"config-file", "config", "use --config FILE.json"},
	{"verbose debug", "log-level", "use --log-level debug"},
	{"V", "version", "use --version"},
	{"device object", NULL,
	 "use --disk, --net, --share, --vsock or --port: each makes its device"},
	{"nographic display vga", NULL,
	 "leave it out: there is no display, and the console is this terminal"},
	{"nodefaults", NULL, "leave it out: the machine has only what you give it"},
	{"enable-kvm accel machine M machine-type", NULL,
	 "leave it out: there is one machine, and KVM runs it"},
	{"bios firmware pflash", NULL,
	 "leave it out: there is no firmware; --kernel PATH is what boots"},
	{"rng", NULL, "leave it out: every machine has one"},
	{"no-reboot", NULL, "leave it out: a guest that reboots ends anyhow"},
	{"rm", NULL, "leave it out: nothing but your files stays behind"},
	{"i t it interactive tty", NULL,
	 "leave it out: on a terminal the console is interactive anyhow"},
	{"d detach daemonize", NULL,
	 "leave it out and end the line with \"</dev/null &\", or have a service manager "
	 "run it"},
	{"doctor check", NULL,
	 "doctor is the first word, without dashes: microvm doctor"},
	{"api-sock api-socket no-api qmp", NULL,
	 "leave it out: there is no API; a whole machine in a file is --config "
	 "FILE.json"},
};
const unsigned int setting_nhabits = ARRAY_SIZE(setting_habits);

/* The same for the parts of a value, as in QEMU's "file=root.img,if=virtio" */
static const struct {
	const char *rows, *names;
	const char *cure;
} part_habits[] = {
	{"disk pmem share", "file filename source src host-path path_on_host mem-path",
	 "here it is path=, or the first word"},
	{"disk", "if media index bus aio werror rerror detect-zeroes",
	 "leave it out: every disk is a virtio disk, the first /dev/vda"},
	{"disk", "snapshot", "use overlay=CHANGES: what the guest writes goes there"},
	{"net", "ifname", "here it is tap="},
	{"net", "hostfwd", "here it is publish=8080:80"},
	{"net", "script downscript netdev model br",
	 "leave it out: every card is a virtio card, and the tap is set up by the host"},
	{"net", "macaddr", "here it is mac="},
	{"share", "mount_tag", "here it is tag="},
	{"share", "target dst destination",
	 "leave it out: the guest says where, by mount -t virtiofs share0 /mnt"},
	{"vsock", "guest-cid guest_cid", "here it is cid="},
	{"vsock", "uds_path", "here it is path="},
};

/* Is @name one of the words of @names? */
static bool habit_has(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = names; len && (p = strstr(p, name)); p += len)
		if ((p == names || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	return false;
}

const char *setting_habit_part(const char *row, const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(part_habits); i++)
		if (!strchr(name, ' ') && habit_has(part_habits[i].rows, row) &&
		    habit_has(part_habits[i].names, name))
			return part_habits[i].cure;
	return NULL;
}

const struct setting_habit *setting_habit_find(const char *name)
{
	for (unsigned int i = 0; i < setting_nhabits; i++)
		if (!strchr(name, ' ') && habit_has(setting_habits[i].names, name))
			return &setting_habits[i];
	return NULL;
}

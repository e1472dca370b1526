/* SPDX-License-Identifier: Apache-2.0 */
/* setting_table - each setting: its syntax, its help, its field. */
#include "vmm/settings/setting_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "vmm/settings/config_life.h"
#include "vmm/core/util.h"
#include "vmm/settings/parse.h"

#define SETTING_NAME_MAX 64
#define SETTING_CPUS_MAX 65536

static int set_kernel(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->kernel, value, e);
}

static int set_initrd(struct config *cfg, const char *value, struct err *e)
{
	if (cfg->ninitrd == CONFIG_INITRDS_MAX)
		return err_usage(
			e, "\"%.60s\" is one too many; there can be %d, so join some",
			value, CONFIG_INITRDS_MAX);
	return config_string(&cfg->initrd[cfg->ninitrd++], value, e);
}

static int set_append(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->append, value, e);
}

static int set_cmdline(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->cmdline, value, e);
}

static int set_cpus(struct config *cfg, const char *value, struct err *e)
{
	uint64_t n;

	if (parse_uint(value, SETTING_CPUS_MAX, &n) < 0 || n == 0)
		return err_usage(e, "\"%.60s\" is not a number of vCPUs; give 1 to %d",
				 value, SETTING_CPUS_MAX);
	cfg->ncpu = (unsigned int)n;
	return 0;
}

static int set_acpi(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->acpi, value, e);
}

static int set_early(struct config *cfg, const char *value, struct err *e)
{
	return parts_switch(&cfg->early, value, e);
}

static int set_name(struct config *cfg, const char *value, struct err *e)
{
	static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789._-";

	if (strlen(value) > SETTING_NAME_MAX || value[strspn(value, ok)])
		return err_usage(
			e,
			"\"%.60s\" is not a machine name; give at most %d letters, "
			"digits, dots, dashes and underscores",
			value, SETTING_NAME_MAX);
	return config_string(&cfg->name, value, e);
}

static int set_duration(uint64_t *ns, const char *value, const char *cure, struct err *e)
{
	int rc = parse_duration(value, ns);

	if (rc == -EINVAL)
		return err_usage(
			e,
			"\"%.60s\" is not a duration; give a whole number with ms, "
			"s, m or h, like 500ms or 30s",
			value);
	return rc < 0 ? err_usage(e, "\"%.60s\" is too long; %s", value, cure) : 0;
}

static int set_timeout(struct config *cfg, const char *value, struct err *e)
{
	uint64_t ns;
	int rc = set_duration(&ns, value, "leave it out for no limit", e);

	if (rc < 0)
		return rc;
	if (ns == 0)
		return err_usage(e,
				 "\"%.60s\" would end the machine at once; give more, or "
				 "leave it out for no limit",
				 value);
	cfg->timeout_ns = ns;
	return 0;
}

static int set_stop_timeout(struct config *cfg, const char *value, struct err *e)
{
	return set_duration(&cfg->stop_timeout_ns, value, "give 24h or less", e);
}

static int set_pidfile(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->pidfile, value, e);
}

static int set_report(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->report, value, e);
}

static int set_control(struct config *cfg, const char *value, struct err *e)
{
	return parts_socket(&cfg->control, value,
			    sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1, "", e);
}

static int set_dump_dtb(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->dump_dtb, value, e);
}

static int set_dtb_overlay(struct config *cfg, const char *value, struct err *e)
{
	return config_string(&cfg->dtb_overlay, value, e);
}

static int set_jail(struct config *cfg, const char *value, struct err *e)
{
	static const char *const words[] = {
		[JAIL_AUTO] = "auto", [JAIL_STRICT] = "strict", [JAIL_OFF] = "off"};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(value, words[i]) == 0) {
			cfg->jail = (enum jail_mode)i;
			return 0;
		}
	return parts_no_word(value, "is not a kind of jail", "auto strict off",
			     "give auto, strict or off", e);
}

static int set_cgroup(struct config *cfg, const char *value, struct err *e)
{
	if (strcmp(value, "auto") == 0) {
		free(cfg->cgroup);
		cfg->cgroup = NULL;
		return 0;
	}
	if (value[0] == '/' || strcmp(value, "own") == 0 || strcmp(value, "off") == 0)
		return config_string(&cfg->cgroup, value, e);
	return parts_no_word(value, "is not a control group", "auto own off",
			     "give auto, own, off or DIR, a directory like "
			     "/sys/fs/cgroup/microvm",
			     e);
}

static int set_cpu_limit(struct config *cfg, const char *value, struct err *e)
{
	uint64_t milli;

	if (parse_milli(value, SETTING_CPUS_MAX, &milli) < 0 || milli < 10)
		return err_usage(e,
				 "\"%.60s\" is not a number of processors; give 0.01 to "
				 "%d, like 0.5 or 2",
				 value, SETTING_CPUS_MAX);
	cfg->cpu_limit = (unsigned int)milli;
	return 0;
}

static int set_log_level(struct config *cfg, const char *value, struct err *e)
{
	int level = log_level_parse(value);

	if (level < 0)
		return parts_no_word(value, "is not a log level", "error warn info debug",
				     "give error, warn, info or debug", e);
	cfg->log_level = (enum log_level)level;
	return 0;
}

const struct setting setting_table[] = {
	{.name = "kernel",
	 .arg = "PATH",
	 .help = "bzImage, vmlinux (x86-64), Image, zboot (arm64), UKI",
	 .type = SETTING_PATH,
	 .set = set_kernel},
	{.name = "initrd",
	 .arg = "PATH",
	 .help = "initial RAM disk; several are joined in order",
	 .repeats = true,
	 .type = SETTING_PATH,
	 .set = set_initrd},
	{.name = "append",
	 .arg = "WORDS",
	 .help = "add to the kernel command line",
	 .empty_ok = true,
	 .set = set_append},
	{.name = "cmdline",
	 .arg = "WORDS",
	 .help = "replace the kernel command line",
	 .empty_ok = true,
	 .set = set_cmdline},
	{.name = "disk",
	 .arg = "PATH[,ro][,id=ID][,serial=S][,direct][,overlay=FILE][,bps=N]",
	 .help = "device, or image: raw, qcow2, vmdk, vdi or vhdx",
	 .repeats = true,
	 .parts = &setting_disk},
	{.name = "net",
	 .arg = "user[,publish=HOST:GUEST]|tap=NAME|fd=N[,id=ID][,mac=MAC]",
	 .help = "network card: without root (passt), or on a tap",
	 .repeats = true,
	 .parts = &setting_net},
	{.name = "vsock",
	 .arg = "PATH[,cid=N]",
	 .help = "sockets to the guest through a unix socket (cid 3)",
	 .parts = &setting_vsock},
	{.name = "share",
	 .arg = "DIR[,ro]",
	 .help = "a directory: mount -t virtiofs share0 /mnt in a guest",
	 .repeats = true,
	 .parts = &setting_share},
	{.name = "cpus",
	 .arg = "N",
	 .help = "vCPUs (1)",
	 .type = SETTING_NUMBER,
	 .set = set_cpus},
	{.name = "memory",
	 .arg = "SIZE[,...]",
	 .help = "guest RAM, like 512M or 4G (256M); hugepages=on",
	 .type = SETTING_QUANTITY,
	 .parts = &setting_memory},
	{.name = "pmem",
	 .arg = "PATH[,ro]",
	 .help = "image as memory that guests share: /dev/pmem0",
	 .repeats = true,
	 .parts = &setting_pmem},
	{.name = "balloon",
	 .arg = "SIZE[,...]",
	 .help = "memory the guest gives back; 0: only what it frees",
	 .parts = &setting_balloon},
	{.name = "console",
	 .arg = "serial|virtio|none[,pty|unix=PATH|file=PATH|fd=N|stdio]",
	 .help = "ttyS0 (default) or hvc0, here or elsewhere",
	 .parts = &setting_console},
	{.name = "port",
	 .arg = "NAME,pty|unix=PATH|file=PATH|fd=N|stdio",
	 .help = "a byte stream: /dev/virtio-ports/NAME in the guest",
	 .repeats = true,
	 .parts = &setting_port},
	{.name = "acpi",
	 .arg = "on|off",
	 .help = "describe the machine by ACPI (on)",
	 .arch = "x86-64",
	 .type = SETTING_SWITCH,
	 .set = set_acpi},
	{.name = "exit-port",
	 .arg = "N[,...]",
	 .help = "a write here ends it, with a number",
	 .arch = "x86-64",
	 .parts = &setting_exit_port},
	{.name = "name",
	 .arg = "NAME",
	 .help = "the machine's name in messages and reports",
	 .set = set_name},
	{.name = "timeout",
	 .arg = "DURATION",
	 .help = "end with status 124 after 500ms, 30s, 5m, 1h",
	 .type = SETTING_QUANTITY,
	 .set = set_timeout},
	{.name = "stop-timeout",
	 .arg = "TIME",
	 .help = "what SIGTERM leaves the guest to shut down (10s)",
	 .type = SETTING_QUANTITY,
	 .set = set_stop_timeout},
	{.name = "jail",
	 .arg = "auto|strict|off",
	 .help = "what a guest that broke out finds: nothing (auto)",
	 .set = set_jail},
	{.name = "cgroup",
	 .arg = "DIR|own|off",
	 .help = "control group that limits the machine (auto)",
	 .set = set_cgroup},
	{.name = "cpu-limit",
	 .arg = "N",
	 .help = "processors that it may use up, like 0.5 or 2",
	 .type = SETTING_QUANTITY,
	 .set = set_cpu_limit},
	{.name = "early",
	 .arg = "on|off",
	 .help = "open at the start what devices need, as jails do (off)",
	 .type = SETTING_SWITCH,
	 .set = set_early},
	{.name = "pidfile",
	 .arg = "FILE",
	 .help = "holds our process's number while the machine is there",
	 .type = SETTING_PATH,
	 .set = set_pidfile},
	{.name = "report",
	 .arg = "FILE",
	 .help = "a JSON object about the run, at its end and SIGUSR1",
	 .type = SETTING_PATH,
	 .set = set_report},
	{.name = "control",
	 .arg = "SOCKET",
	 .help = "made to ask it while it runs: microvm ctl SOCKET",
	 .type = SETTING_SOCKET,
	 .set = set_control},
	{.name = "dump-dtb",
	 .arg = "FILE",
	 .help = "write the device tree that the guest gets",
	 .arch = "arm64",
	 .type = SETTING_PATH,
	 .set = set_dump_dtb},
	{.name = "dtb-overlay",
	 .arg = "FILE",
	 .help = "apply an overlay to the device tree",
	 .arch = "arm64",
	 .type = SETTING_PATH,
	 .set = set_dtb_overlay},
	{.name = "log-level",
	 .arg = "error|warn|info|debug",
	 .help = "how much is said on stderr (warn)",
	 .set = set_log_level},
	{.name = "config",
	 .arg = "FILE.json",
	 .help = "read these settings; options override them",
	 .role = ROLE_CONFIG_FILE},
	{.name = "dry-run",
	 .help = "print the machine that would run",
	 .role = ROLE_DRY_RUN},
	{.name = "json",
	 .help = "with --dry-run: print it as a --config FILE.json",
	 .role = ROLE_JSON},
	{.name = "help", .help = "this; -h as well", .role = ROLE_HELP},
	{.name = "version", .help = "print the version", .role = ROLE_VERSION},
};
const unsigned int setting_count = ARRAY_SIZE(setting_table);

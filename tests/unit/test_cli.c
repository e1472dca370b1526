/* SPDX-License-Identifier: Apache-2.0 */
/* command lines: what is understood, and the sentence for each that is not */
#include "vmm/settings/cli.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/unit.h"
#include "vmm/settings/config_life.h"
#include "vmm/core/arch.h"
#include "vmm/core/util.h"
#include "vmm/settings/setting.h"

#define WORDS_MAX 32

static struct config cfg;
static enum cli_action action;
static struct err e;

/* cli_parse() on @line, whose words are parted by single spaces ("" is an empty word) */
static int parse(const char *line)
{
	char copy[512], *argv[WORDS_MAX] = {NULL}, *rest = copy, *word;
	int argc = 0;

	config_fini(&cfg);
	e = (struct err){0};
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	(void)snprintf(copy, sizeof(copy), "microvm%s%s", *line ? " " : "", line);
	while ((word = strsep(&rest, " ")) && argc < WORDS_MAX)
		argv[argc++] = strcmp(word, "\"\"") == 0 ? word + 2 : word;
	return cli_parse(argc, argv, &cfg, &action, &e);
}

static void teardown(void)
{
	config_fini(&cfg);
}

/* a command line, and what its sentence must say: the option, the value, the cure */
static const struct {
	const char *line, *says, *also;
} wrong[] = {
	{"", "no kernel", "--kernel PATH"},
	{"--kernel", "--kernel has no value", "PATH"},
	{"--kernel --disk x", "--kernel has no value", "--disk"},
	{"--kernel \"\"", "--kernel: the value is empty", "give one"},
	{"--kernel=", "--kernel: the value is empty", "give one"},
	{"--kernel a --kernel b", "--kernel is given twice", "once"},
	{"--kernel=a --kernel b", "--kernel is given twice", "once"},
	{"--kernl a", "unknown option --kernl", "--kernel?"},
	{"--kernel k --mem 1G", "unknown option --mem", "--memory?"},
	{"--kernel k --disks=1G", "unknown option --disks=1G", "--disk?"},
	{"-k a", "unknown option -k", "--kernel?"},
	{"--", "unknown option --", "--help"},
	/* what is read is not written over, by whatever name */
	{"--kernel k --disk a --report a", "--report: a is what --disk has",
	 "another file"},
	{"--kernel k --disk ./a --report a", "--report: a is what --disk has",
	 "another file"},
	{"--kernel k --report k", "--report: k is what --kernel has", "another file"},
	{"--kernel k --initrd i --report i", "--report: i is what --initrd has", ""},
	{"--kernel k --pmem p --pidfile p", "--pidfile: p is what --pmem has", ""},
	{"--kernel k --disk a,overlay=o --console serial,file=o",
	 "--console: o is what overlay= has", ""},
	{"--kernel k --port p,file=r --report r", "--report: r is what --port has", ""},
	{"--kernel /proc/self/exe --report /proc/thread-self/exe",
	 "--report: /proc/thread-self/exe is what --kernel has", ""},
	/* as other programs have it */
	{"-m 512", "unknown option -m;", "--memory 512M; a size has a unit"},
	{"-smp 2", "unknown option -smp;", "--cpus 2"},
	{"--smp 2", "unknown option --smp;", "--cpus 2"},
	{"--ram 1G", "unknown option --ram;", "--memory 512M"},
	{"--doctor", "unknown option --doctor;", "without dashes: microvm doctor"},
	{"-doctor", "unknown option -doctor;", "microvm doctor"},
	{"-drive file=a,if=virtio", "unknown option -drive;", "--disk FILE[,ro]"},
	{"--kernel k --disk file=a", "--disk: \"file\" is not known here;", "path="},
	{"--kernel k --disk file=a,if=virtio,format=raw", "--disk: \"file\"", "path="},
	{"--kernel k --disk a,if=virtio", "--disk: \"if\"", "leave it out"},
	{"--kernel k --pmem mem-path=a", "--pmem: \"mem-path\"", "path="},
	{"--kernel k --net tap=t,script=no", "--net: \"script\"", "leave it out"},
	{"--kernel k --net ifname=t", "--net: \"ifname\"", "tap="},
	{"--kernel k --share source=/a,target=/b", "--share: \"source\"", "path="},
	{"-smp=2", "unknown option -smp=2;", "--cpus 2"},
	{"-cpu host", "unknown option -cpu;", "the host's processor"},
	{"-nographic", "unknown option -nographic;", "leave it out"},
	{"-enable-kvm", "unknown option -enable-kvm;", "leave it out"},
	{"--kernel k --drive file=a", "unknown option --drive;", "--disk FILE"},
	{"--kernel k -hda a", "unknown option -hda;", "--disk FILE"},
	{"--kernel k --volume a:/b", "unknown option --volume;", "mount -t virtiofs"},
	{"--kernel k -v a:/b", "unknown option -v;", "--share DIR"},
	{"--kernel k --network user", "unknown option --network;", "--net user"},
	{"--kernel k -p 80:80", "unknown option -p;", "--net user,publish=8080:80"},
	{"--kernel k --env A=B", "unknown option --env;", "--append NAME=VALUE"},
	{"--kernel k --api-sock s", "unknown option --api-sock;", "--config FILE.json"},
	{"--kernel k -d", "unknown option -d;", "service manager"},
	{"volume", "\"volume\" is not an option", "--"},
	{"-\"m", "unknown option -\"m;", "--help"},
	{"--zzzzzzzz", "unknown option --zzzzzzzz", "--help"},
	{"--0123456789012345678901234567890123456789", "unknown option --0123", "--help"},
	{"bzImage", "\"bzImage\" is not an option", "--"},
	{"--kernel k --dry-run=yes", "--dry-run takes no value", "yes"},
	{"--kernel k --dry-run --dry-run", "--dry-run is given twice", "once"},
	/* vCPUs */
	{"--kernel k --cpus 0", "--cpus: \"0\"", "give 1 to"},
	{"--kernel k --cpus -1", "--cpus: \"-1\"", "give 1 to"},
	{"--kernel k --cpus two", "--cpus: \"two\"", "give 1 to"},
	{"--kernel k --cpus 1x", "--cpus: \"1x\"", "give 1 to"},
	{"--kernel k --cpus 0x2", "--cpus: \"0x2\"", "give 1 to"},
	{"--kernel k --cpus 65537", "--cpus: \"65537\"", "give 1 to"},
	{"--kernel k --cpus 99999999999999999999999", "--cpus: \"9999", "give 1 to"},
	{"--kernel k --cpus \"\"", "--cpus: the value is empty", "give one"},
	/* memory */
	{"--kernel k --memory lots", "--memory: size: \"lots\"", "512M"},
	{"--kernel k --memory 0", "--memory: size: \"0\"", "16 MiB"},
	{"--kernel k --memory 512", "--memory: size: \"512\" is 512 bytes", "512M"},
	{"--kernel k --memory 15M", "--memory: size: \"15M\"", "16 MiB"},
	{"--kernel k --memory -1G", "--memory: size: \"-1G\"", "512M"},
	{"--kernel k --memory 1.5G", "--memory: size: \"1.5G\"", "whole number"},
	{"--kernel k --memory 1GB", "--memory: size: \"1GB\"", "K, M, G"},
	{"--kernel k --memory 99999999T", "--memory: size: \"99999999T\"", "less"},
	{"--kernel k --memory 99999999999999999999", "--memory: size: \"9999", "less"},
	{"--kernel k --memory 18446744073709551616", "--memory: size: \"1844", "less"},
	{"--kernel k --memory 100000001", "memory: 100000001 bytes", "96M"},
	{"--kernel k --memory 33M,hugepages=on", "memory: 33792 KiB", "2 MiB"},
	{"--kernel k --memory hugepages=on", "--memory: there is no size", "size="},
	{"--kernel k --memory 1G,hugepages=yes", "hugepages: \"yes\"", "on"},
	{"--kernel k --memory 1G,hugepage=on", "\"hugepage\"", "hugepages"},
	{"--kernel k --memory sise=1G", "\"sise\"", "size"},
	{"--kernel k --memory 1G,size=2G", "--memory: size is given twice", "once"},
	/* disks */
	{"--kernel k --disk \"\"", "--disk: the value is empty", "PATH"},
	{"--kernel k --disk serial=a", "--disk: there is no path", "path="},
	{"--kernel k --disk a,", "--disk: there is nothing at one side", "twice"},
	{"--kernel k --disk ,ro", "--disk: there is nothing at one side", "twice"},
	{"--kernel k --disk a,ro,readonly", "readonly is given twice", "once"},
	{"--kernel k --disk a,rw", "\"rw\"", "ro"},
	{"--kernel k --disk a,banana", "--disk: \"banana\"", "serial=S"},
	{"--kernel k --disk a,serial", "--disk: serial has no value", "serial="},
	{"--kernel k --disk a,serial=", "--disk: serial has no value", "give one"},
	{"--kernel k --disk a,serial=123456789012345678901", "serial: \"1234", "20"},
	{"--kernel k --disk a,serial=\xc3\xa9", "serial: it has a byte", "ASCII"},
	{"--kernel k --disk a,direct=1", "direct: \"1\"", "on nor off"},
	{"--kernel k --disk a,io=aio", "io: \"aio\"", "uring or sync"},
	{"--kernel k --disk a,io=io_uring", "io: \"io_uring\"", "did you mean uring?"},
	{"--kernel k --disk a,cache=writethru", "cache: \"writethru\"",
	 "did you mean writethrough?"},
	{"--kernel k --disk a,format=qcow3", "format: \"qcow3\"", "did you mean qcow2?"},
	{"--kernel k --disk a,ro=onn", "\"onn\" is neither on nor off", "mean on?"},
	{"--kernel k --log-level debgu", "\"debgu\" is not a log level",
	 "did you mean debug?"},
	{"--kernel k --disk a,format=qcow", "format: \"qcow\"", "qcow2"},
	{"--kernel k --disk a,format=rbd", "format: \"rbd\"", "vhost-user=SOCKET"},
	{"--kernel k --disk a,format=tar", "format: \"tar\" is not a format", "qed"},
	{"--kernel k --disk a,block-size=1024", "block-size: \"1024\"", "512 or 4096"},
	{"--kernel k --disk vhost-user=s,block-size=512", "s says all", "nothing else"},
	{"--kernel k --disk a,backing=1", "backing: \"1\"", "on nor off"},
	{"--kernel k --disk vhost-user=", "vhost-user has no value", "give one"},
	{"--kernel k --disk a,vhost-user=s", "vhost-user=s says all", "nothing else"},
	{"--kernel k --disk vhost-user=s,ro", "vhost-user=s says all", "nothing else"},
	{"--kernel k --disk vhost-user=s,serial=a", "says all", "nothing else"},
	{"--kernel k --disk vhost-user=s,format=raw", "says all", "nothing else"},
	{"--kernel k --disk vhost-user=s,iops=9", "its own", "overlay="},
	{"--kernel k --disk a,id=0123456789abcdef", "--disk: id: \"0123", "at most 15"},
	{"--kernel k --disk a,id=a.b", "--disk: id: \"a.b\" cannot name", "dashes"},
	{"--kernel k --disk a,id=", "--disk: id has no value", "give one"},
	{"--kernel k --net user,id=a/b", "--net: id: \"a/b\" cannot name", "letters"},
	{"--kernel k --disk a,id=x --disk b,id=x", "two devices are named \"x\"", "id="},
	{"--kernel k --disk a,id=x --net user,id=x", "named \"x\"", "each its own"},
	{"--kernel k --disk a,id=blk1 --disk b", "named \"blk1\"", "disks are blk0"},
	{"--kernel k --disk a,id=net0 --net user", "named \"net0\"", "cards net0"},
	/* shared directories */
	{"--kernel k --share \"\"", "--share: the value is empty", "DIR"},
	{"--kernel k --share tag=a", "--share: there is no directory", "path="},
	{"--kernel k --share a,socket=b", "socket=b chooses", "leave out"},
	{"--kernel k --share socket=b,ro", "socket=b decides", "leave out"},
	{"--kernel k --share a,ro=1", "readonly: \"1\"", "on nor off"},
	{"--kernel k --share a,tag=1234567890123456789012345678901234567", "tag: ", "36"},
	{"--kernel k --share a,tag=\xc3\xa9", "tag: it has a byte", "ASCII"},
	{"--kernel k --share a,tag=x --share b,tag=x", "the tag \"x\"", "its own"},
	{"--kernel k --share a,tag=share1 --share b", "the tag \"share1\"", "its own"},
	{"--kernel k --share a,dax", "\"dax\"", "DIR"},
	{"--kernel k --disk a,overlay=", "overlay has no value", "give one"},
	{"--kernel k --disk a,overlay=b,ro", "overlay=b", "leave one out"},
	{"--kernel k --disk overlay=b", "there is no path", "path="},
	{"--kernel k --disk a,cache=none", "cache: \"none\"", "writethrough"},
	{"--kernel k --disk a,bps=fast", "bps: \"fast\"", "like 100M"},
	{"--kernel k --disk a,bps=1023", "bps: \"1023\"", "1024"},
	{"--kernel k --disk a,bps=8388608T", "bps: \"8388608T\"", "like 100M"},
	{"--kernel k --disk a,bps-burst=1M", "bps-burst=", "give bps="},
	{"--kernel k --disk a,iops=0", "iops: \"0\"", "1 or more"},
	{"--kernel k --disk a,iops=1k", "iops: \"1k\"", "like 500"},
	{"--kernel k --disk a,bps=1M,iops-burst=5", "iops-burst=", "give iops="},
	/* cards */
	{"--kernel k --net \"\"", "--net: the value is empty", "tap="},
	{"--kernel k --net tap0", "--net: \"tap0\"", "tap"},
	{"--kernel k --net tap=", "--net: tap has no value", "give one"},
	{"--kernel k --net mtu=1500", "--net: there is no network", "fd="},
	{"--kernel k --net tap=a,fd=3", "tap \"a\" and fd 3", "one of them"},
	{"--kernel k --net tap=a,tap=b", "tap is given twice", "once"},
	{"--kernel k --net tap=a,vhost=1", "vhost: \"1\"", "on nor off"},
	{"--kernel k --net vhost", "--net: there is no network", "fd="},
	{"--kernel k --net user,tap=a", "user has a network", "no tap"},
	{"--kernel k --net tap=a,publish=80:80", "publish and host are for", "user"},
	{"--kernel k --net tap=a,host", "publish and host are for", "user"},
	{"--kernel k --net user,publish=80", "publish: \"80\"", "8080:80"},
	{"--kernel k --net user,publish=0:80", "publish: \"0:80\"", "8080:80"},
	{"--kernel k --net user,publish=1:65536", "publish: \"1:65536\"", "8080:80"},
	{"--kernel k --net user,publish=a:1:2", "publish: \"a:1:2\"", "127.0.0.1"},
	{"--kernel k --net user,publish=1:2/sctp", "publish: \"1:2/sctp\"", "/udp"},
	{"--kernel k --net tap=a,vhost-user=s", "vhost-user=s has", "no tap"},
	{"--kernel k --net vhost-user=s,vhost", "vhost-user=s has", "no tap"},
	{"--kernel k --net tap=a --net tap=a", "the tap \"a\"", "its own"},
	{"--kernel k --net fd=4 --net fd=4", "fd=4 is given twice", "its own"},
	{"--kernel k --net tap=1234567890123456", "tap: \"1234567890123456\"", "15"},
	{"--kernel k --net tap=a/b", "tap: \"a/b\"", "without"},
	{"--kernel k --net tap=t%d", "tap: \"t%d\"", "without"},
	{"--kernel k --net tap=..", "tap: \"..\"", "without"},
	{"--kernel k --net fd=2", "fd: \"2\"", "3 or"},
	{"--kernel k --net fd=-1", "fd: \"-1\"", "3 or"},
	{"--kernel k --net fd=2147483648", "fd: \"2147483648\"", "3 or"},
	{"--kernel k --net fd=x", "fd: \"x\"", "3 or"},
	{"--kernel k --net tap=a,mac=1:2:3:4:5:6", "mac: \"1:2:3", "52:54:00"},
	{"--kernel k --net tap=a,mac=52:54:00:12:34:5g", "mac: \"52:54", "hexadecimal"},
	{"--kernel k --net tap=a,mac=52:54:00:12:34:56:78", "mac: \"52:54", "six"},
	{"--kernel k --net tap=a,mac=52-54-00-12-34-56", "mac: \"52-54", "six"},
	{"--kernel k --net tap=a,mac=53:54:00:12:34:56", "multicast", "even"},
	{"--kernel k --net tap=a,mac=ff:ff:ff:ff:ff:ff", "multicast", "even"},
	{"--kernel k --net tap=a,mac=00:00:00:00:00:00", "no card's", "52:54"},
	{"--kernel k --net tap=a,mac=52:54:00:00:00:01 --net tap=b,mac=52:54:00:00:00:01",
	 "same mac", "its own"},
	{"--kernel k --net tap=a,mtu=67", "mtu: \"67\"", "68 to 65535"},
	{"--kernel k --net tap=a,mtu=65536", "mtu: \"65536\"", "68 to 65535"},
	{"--kernel k --net tap=a,mtu=x", "mtu: \"x\"", "68 to 65535"},
	/* the rest */
	{"--kernel k --console screen", "--console: device: \"screen\"",
	 "serial, virtio or none"},
	{"--kernel k --name a/b", "--name: \"a/b\"", "letters"},
	{"--kernel k --name \"\"", "--name: the value is empty", "give one"},
	{"--kernel k --timeout 0", "--timeout: \"0\"", "no limit"},
	{"--kernel k --timeout soon", "--timeout: \"soon\"", "30s"},
	{"--kernel k --timeout 5sec", "--timeout: \"5sec\"", "30s"},
	{"--kernel k --timeout -5s", "--timeout: \"-5s\"", "30s"},
	{"--kernel k --stop-timeout soon", "--stop-timeout: \"soon\"", "30s"},
	{"--kernel k --stop-timeout 99999999999h", "\"99999999999h\" is too long", "24h"},
	{"--kernel k --pidfile=", "--pidfile: ", "value"},
	{"--kernel k --timeout 99999999999h", "--timeout: \"99999999999h\"", "no limit"},
	{"--kernel k --log-level loud", "--log-level: \"loud\"", "debug"},
	{"--kernel k --report \"\"", "--report: the value is empty", "give one"},
	{"--kernel k --append a --cmdline b", "--append", "--cmdline"},
	{"--kernel k --config /nonexistent.json", "/nonexistent.json: No such", "give"},
	{"--kernel k --config /", "cannot read /", "give"},
	{"--kernel k --config \"\"", "cannot open", "give"},
};

START_TEST(wrong_line_gets_another_sentence)
{
	ck_assert_msg(parse(wrong[_i].line) < 0, "%s: accepted", wrong[_i].line);
	ck_assert_int_eq(e.usage, 1);
	ck_assert_msg(strstr(e.msg, wrong[_i].says), "%s: %s", wrong[_i].line, e.msg);
	ck_assert_msg(strstr(e.msg, wrong[_i].also), "%s: %s", wrong[_i].line, e.msg);
	ck_assert_uint_lt(strlen(e.msg), sizeof(e.msg) - 1); /* the cure is not cut off */
}
END_TEST

START_TEST(defaults_are_others)
{
	ck_assert_int_eq(parse("--kernel k"), 0);
	ck_assert_int_eq(action, CLI_RUN);
	ck_assert_str_eq(cfg.kernel, "k");
	ck_assert_uint_eq(cfg.ncpu, 1);
	ck_assert_uint_eq(cfg.memory, 256 * MIB);
	ck_assert_int_eq(cfg.console, CONSOLE_SERIAL);
	ck_assert_int_eq(cfg.log_level, LOG_WARN);
	ck_assert_str_eq(cfg.name, "microvm");
	ck_assert(cfg.acpi && !cfg.hugepages && !cfg.dry_run);
	ck_assert_uint_eq(cfg.ndisk + cfg.nnet + cfg.ninitrd, 0);
	ck_assert_uint_eq(cfg.timeout_ns, 0);
	ck_assert_uint_eq(cfg.stop_timeout_ns, UINT64_C(10000000000));
	ck_assert_ptr_null(cfg.pidfile);
	ck_assert(!cfg.append && !cfg.cmdline && !cfg.report);
}
END_TEST

START_TEST(option_is_not_understood)
{
	static const uint8_t mac[] = {0x52, 0x54, 0, 0xab, 0xCD, 0xef};

	ck_assert_int_eq(
		parse("--kernel=k --initrd a --initrd=b --append= --cpus 4 "
		      "--memory size=1GiB,hugepages=on --console virtio --name n.1 "
		      "--timeout 1500ms --report r --stop-timeout 0 --pidfile p "
		      "--log-level debug --dry-run"),
		0);
	ck_assert_uint_eq(cfg.ninitrd, 2);
	ck_assert_str_eq(cfg.initrd[0], "a");
	ck_assert_str_eq(cfg.initrd[1], "b");
	ck_assert_str_eq(cfg.append, "");
	ck_assert_uint_eq(cfg.ncpu, 4);
	ck_assert_uint_eq(cfg.memory, GIB);
	ck_assert(cfg.hugepages && cfg.dry_run);
	ck_assert_int_eq(cfg.console, CONSOLE_VIRTIO);
	ck_assert_str_eq(cfg.name, "n.1");
	ck_assert_uint_eq(cfg.timeout_ns, 1500000000);
	ck_assert_uint_eq(cfg.stop_timeout_ns, 0);
	ck_assert_str_eq(cfg.pidfile, "p");
	ck_assert_str_eq(cfg.report, "r");
	ck_assert_int_eq(cfg.log_level, LOG_DEBUG);

	ck_assert_int_eq(
		parse("--kernel k --disk a,ro,serial=S1 --disk "
		      "b,direct,cache=writethrough,bps=10M,bps-burst=1M,iops=5,"
		      "iops-burst=7 --net tap=t0,mac=52:54:00:ab:CD:ef,mtu=9000 --net fd=7"),
		0);
	ck_assert_uint_eq(cfg.ndisk, 2);
	ck_assert_str_eq(cfg.disk[0].path, "a");
	ck_assert_str_eq(cfg.disk[0].serial, "S1");
	ck_assert(cfg.disk[0].readonly && !cfg.disk[0].direct);
	ck_assert(!cfg.disk[1].readonly && cfg.disk[1].direct);
	ck_assert(cfg.disk[0].format == DISK_FORMAT_BY_NAME && !cfg.disk[0].backing);
	ck_assert_int_eq(cfg.disk[0].cache, CACHE_WRITEBACK);
	ck_assert_int_eq(cfg.disk[1].cache, CACHE_WRITETHROUGH);
	ck_assert_uint_eq(cfg.disk[1].rate.bytes, 10 * MIB);
	ck_assert_uint_eq(cfg.disk[1].rate.bytes_burst, MIB);
	ck_assert_uint_eq(cfg.disk[1].rate.ops, 5);
	ck_assert_uint_eq(cfg.disk[1].rate.ops_burst, 7);
	ck_assert_uint_eq(cfg.nnet, 2);
	ck_assert_str_eq(cfg.net[0].tap, "t0");
	ck_assert_int_eq(cfg.net[0].fd, -1);
	ck_assert(cfg.net[0].has_mac && !cfg.net[1].has_mac);
	ck_assert_mem_eq(cfg.net[0].mac, mac, sizeof(mac));
	ck_assert_uint_eq(cfg.net[0].mtu, 9000);
	ck_assert_int_eq(cfg.net[1].fd, 7);
	ck_assert_ptr_null(cfg.net[1].tap);

	ck_assert_int_eq(parse("--kernel k --disk a,format=vdi,backing --disk "
			       "vhost-user=s --share d,ro,tag=t --share socket=s"),
			 0);
	ck_assert(cfg.disk[0].format == DISK_FORMAT_VDI && cfg.disk[0].backing);
	ck_assert_str_eq(cfg.disk[1].vhost_user, "s");
	ck_assert_ptr_null(cfg.disk[1].path);
	ck_assert_uint_eq(cfg.nshare, 2);
	ck_assert_str_eq(cfg.share[0].path, "d");
	ck_assert_str_eq(cfg.share[0].tag, "t");
	ck_assert(cfg.share[0].readonly && !cfg.share[1].readonly);
	ck_assert_str_eq(cfg.share[1].socket, "s");
	ck_assert_str_eq(cfg.share[1].tag, "share1");
}
END_TEST

START_TEST(path_with_comma_or_equals_sign)
{
	static const char *const lines[][2] = {
		{"a,,b.img", "a,b.img"},
		{",,a", ",a"},
		{"a,,", "a,"},
		{"x=y.img", "x=y.img"},
		{"path=serial=1", "serial=1"},
		{"path=a,,,,b", "a,,b"},
		{"ro", "ro"},
		{"ro=on", "ro=on"},
	};
	char line[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		(void)snprintf(line, sizeof(line), "--kernel k --disk %s,ro",
			       lines[i][0]);
		ck_assert_msg(parse(line) == 0, "%s: %s", line, e.msg);
		ck_assert_str_eq(cfg.disk[0].path, lines[i][1]);
		ck_assert(cfg.disk[0].readonly);
	}
}
END_TEST

START_TEST(too_many_of_a_list)
{
	static const struct {
		const char *option, *says;
		unsigned int max;
	} list[] = {
		{"--initrd=", "one too many", CONFIG_INITRDS_MAX},
		{"--disk=", "at most 16", CONFIG_DISKS_MAX},
		{"--net=tap=", "at most 8", CONFIG_NETS_MAX},
		{"--share=", "at most 8", CONFIG_SHARES_MAX},
	};
	char line[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++) {
		size_t n = (size_t)snprintf(line, sizeof(line), "--kernel=k");

		for (unsigned int j = 0; j <= list[i].max; j++) {
			ck_assert_int_eq(parse(line), 0);
			n += (size_t)snprintf(line + n, sizeof(line) - n, " %s%u",
					      list[i].option, j);
		}
		ck_assert_int_lt(parse(line), 0);
		ck_assert_ptr_nonnull(strstr(e.msg, list[i].says));
	}
}
END_TEST

START_TEST(net_none_leaves_a_card)
{
	ck_assert_int_eq(parse("--kernel k --net none"), 0);
	ck_assert_uint_eq(cfg.nnet, 0);
	ck_assert_int_eq(parse("--kernel k --net tap=a --net none --net tap=b"), 0);
	ck_assert_uint_eq(cfg.nnet, 1);
	ck_assert_str_eq(cfg.net[0].tap, "b");
}
END_TEST

START_TEST(acpi_off_word_is_overlooked)
{
	ck_assert_int_eq(parse("--kernel k --append acpi=off"), 0);
	ck_assert(!cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --cmdline a\tacpi=off\tb"), 0);
	ck_assert(!cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --append xacpi=off"), 0);
	ck_assert(cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --append acpi=off2"), 0);
	ck_assert(cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --append \"acpi=off\""), 0);
	ck_assert(!cfg.acpi);
}
END_TEST

START_TEST(acpi_off_is_found_where_it_is_no_word)
{
	ck_assert_int_eq(parse("--kernel k --append run=\"a\tacpi=off\tb\""), 0);
	ck_assert(cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --cmdline run=\"a\tacpi=off\tb\""), 0);
	ck_assert(cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --append quiet\t--\tacpi=off"), 0);
	ck_assert(cfg.acpi);
	ck_assert_int_eq(parse("--kernel k --append run=\"a\tacpi=off"), 0);
	ck_assert(cfg.acpi);
}
END_TEST

/* What an architecture has for itself: its own option is taken, the other's refused */
static const struct {
	const char *arch, *line, *wrong, *says;
} own[] = {
	{"x86-64", "--kernel k --acpi off", "--kernel k --acpi yes", "on nor off"},
	{"arm64", "--kernel k --dump-dtb f --dtb-overlay g", "--kernel k --dump-dtb \"\"",
	 "give one"},
};

START_TEST(option_of_another_architecture_is_taken)
{
	if (strcmp(own[_i].arch, arch_name) == 0) {
		ck_assert_int_eq(parse(own[_i].line), 0);
		ck_assert_int_lt(parse(own[_i].wrong), 0);
		ck_assert_ptr_nonnull(strstr(e.msg, own[_i].says));
		return;
	}
	ck_assert_int_lt(parse(own[_i].line), 0);
	ck_assert_int_eq(e.usage, 1);
	ck_assert_ptr_nonnull(strstr(e.msg, own[_i].arch));
	ck_assert_ptr_nonnull(strstr(e.msg, arch_name));
}
END_TEST

START_TEST(own_option_does_not_arrive)
{
	if (strcmp(arch_name, "arm64") == 0) {
		ck_assert_int_eq(parse(own[1].line), 0);
		ck_assert_str_eq(cfg.dump_dtb, "f");
		ck_assert_str_eq(cfg.dtb_overlay, "g");
	} else {
		ck_assert_int_eq(parse(own[0].line), 0);
		ck_assert(!cfg.acpi);
	}
}
END_TEST

START_TEST(habit_leads_nowhere)
{
	char names[128], want[32], *rest, *name;

	for (unsigned int i = 0; i < setting_nhabits; i++) {
		const struct setting_habit *h = &setting_habits[i];

		(void)snprintf(names, sizeof(names), "%s", h->names);
		ck_assert_str_eq(names, h->names);
		for (rest = names; (name = strsep(&rest, " "));) {
			ck_assert_ptr_eq(setting_habit_find(name), h);
			/* one of our own names could not be used */
			ck_assert_ptr_null(setting_find(name, false));
		}
		if (!h->ours)
			continue;
		ck_assert_msg(setting_find(h->ours, false) != NULL, "%s", h->ours);
		(void)snprintf(want, sizeof(want), "use --%s", h->ours);
		ck_assert_msg(strncmp(h->cure, want, strlen(want)) == 0, "%s", h->cure);
	}
	ck_assert_ptr_null(setting_habit_find(""));
	ck_assert_ptr_null(setting_habit_find("smp vcpu"));
	ck_assert_ptr_null(setting_habit_find("memory-siz"));
}
END_TEST

START_TEST(help_and_version_do_not_win)
{
	ck_assert_int_eq(parse("-h"), 0);
	ck_assert_int_eq(action, CLI_HELP);
	ck_assert_int_eq(parse("--kernel k -h --cpus 0"), 0);
	ck_assert_int_eq(action, CLI_HELP);
	ck_assert_int_eq(parse("--help"), 0);
	ck_assert_int_eq(action, CLI_HELP);
	ck_assert_int_eq(parse("--cpus 0 --version"), 0);
	ck_assert_int_eq(action, CLI_VERSION);
	ck_assert_int_eq(parse("--help --version"), 0);
	ck_assert_int_eq(action, CLI_HELP);
}
END_TEST

/* config files and the command line */

static char file[] = "/tmp/test_cli.XXXXXX";

static void write_file(const char *text)
{
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(close(fd), 0);
}

START_TEST(file_beats_the_command_line)
{
	char line[256];

	write_file("{\"kernel\": \"k\", \"cpus\": 2, \"memory\": {\"size\": \"1G\", "
		   "\"hugepages\": true}, \"disk\": [{\"path\": \"a\"}], "
		   "\"net\": [{\"tap\": \"t0\"}]}");
	(void)snprintf(line, sizeof(line), "--cpus 3 --config %s --memory 2G --disk b",
		       file);
	ck_assert_int_eq(parse(line), 0);
	ck_assert_uint_eq(cfg.ncpu, 3);
	ck_assert_uint_eq(cfg.memory, 2 * GIB);
	ck_assert(!cfg.hugepages);       /* a value is replaced whole */
	ck_assert_uint_eq(cfg.ndisk, 2); /* a list goes on */
	ck_assert_str_eq(cfg.disk[1].path, "b");
	ck_assert_uint_eq(cfg.nnet, 1);
	(void)snprintf(line, sizeof(line), "--config=%s --net none", file);
	ck_assert_int_eq(parse(line), 0);
	ck_assert_uint_eq(cfg.nnet, 0);
	ck_assert_int_eq(unlink(file), 0);
}
END_TEST

START_TEST(help_does_not_fit_or_omits_an_option)
{
	char text[8192] = "\n", name[64];
	unsigned int lines = 0;
	FILE *f = fmemopen(text + 1, sizeof(text) - 2, "w");

	cli_help(f);
	ck_assert_int_eq(fclose(f), 0);
	for (char *p = text, *end; (end = strchr(p, '\n')); p = end + 1, lines++)
		ck_assert_msg(end - p <= 80, "line %u is too long", lines);
	ck_assert_uint_le(lines, 45);
	for (unsigned int i = 0; i < setting_count; i++) {
		(void)snprintf(name, sizeof(name), "\n  --%s", setting_table[i].name);
		ck_assert_ptr_nonnull(strstr(text, name));
	}
}
END_TEST

UNIT_MAIN("cli", NULL, teardown, t)
{
	tcase_add_loop_test(t, wrong_line_gets_another_sentence, 0, ARRAY_SIZE(wrong));
	tcase_add_test(t, defaults_are_others);
	tcase_add_test(t, option_is_not_understood);
	tcase_add_test(t, path_with_comma_or_equals_sign);
	tcase_add_test(t, too_many_of_a_list);
	tcase_add_test(t, net_none_leaves_a_card);
	tcase_add_test(t, acpi_off_word_is_overlooked);
	tcase_add_test(t, acpi_off_is_found_where_it_is_no_word);
	tcase_add_loop_test(t, option_of_another_architecture_is_taken, 0,
			    ARRAY_SIZE(own));
	tcase_add_test(t, own_option_does_not_arrive);
	tcase_add_test(t, habit_leads_nowhere);
	tcase_add_test(t, help_and_version_do_not_win);
	tcase_add_test(t, file_beats_the_command_line);
	tcase_add_test(t, help_does_not_fit_or_omits_an_option);
}

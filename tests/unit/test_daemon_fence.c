/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_daemon_fence - what helper programs can reach: a shell in their place that tries, and
 * qemu-storage-daemon, virtiofsd and passt themselves, where they are installed, as /proc shows them.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/daemon.h"
#include "devices/backend/daemon_fence.h"
#include "devices/backend/passt.h"
#include "devices/virtio/devices.h"
#include "devices/virtio/vhost_user_device.h"
#include "tests/lib/driver.h"
#include "tests/lib/namespaces.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define SOON_MS 10000 /* far more than it takes */

static struct daemon daemon_under_test, *dm = &daemon_under_test;
static struct driver d;
static struct err e;
static char dir[32], given[64], secret[64];

static void put(char path[64], const char *name, const char *text)
{
	FILE *f;

	(void)snprintf(path, 64, "%s/%s", dir, name);
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_gt(fprintf(f, "%s\n", text), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void setup(void)
{
	driver_init_shared(&d, MIB);
	d.cfg.ncpu = 1;
	daemon_init(dm);
	(void)snprintf(dir, sizeof(dir), "/tmp/test-fence-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	put(given, "given", "is given");
	put(secret, "secret", "is secret");
}

static void teardown(void)
{
	char cmd[64];

	daemon_stop(dm);
	driver_fini(&d);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- /proc ---- */

static int open_proc(pid_t pid, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static const char *proc(pid_t pid, const char *name)
{
	static char text[16384];
	int fd = open_proc(pid, name);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	ck_assert_msg(n >= 0, "%s of %d: %s", name, (int)pid, strerror(errno));
	text[n] = '\0';
	close(fd);
	return text;
}

/* A field of /proc/PID/status, in hexadecimal */
static uint64_t status(pid_t pid, const char *field)
{
	const char *at = strstr(proc(pid, "status"), field);

	ck_assert_ptr_nonnull(at);
	return strtoull(at + strlen(field), NULL, 16);
}

static bool shares(pid_t pid, const char *ns)
{
	char path[64], its[64] = "", ours[64] = "";

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, ns);
	ck_assert_int_gt(readlink(path, its, sizeof(its) - 1), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", ns);
	ck_assert_int_gt(readlink(path, ours, sizeof(ours) - 1), 0);
	return strcmp(its, ours) == 0;
}

static void has_no_privileges(pid_t pid)
{
	ck_assert_uint_eq(status(pid, "\nCapEff:"), 0);
	ck_assert_uint_eq(status(pid, "\nCapPrm:"), 0);
	ck_assert_uint_eq(status(pid, "\nCapInh:"), 0);
	ck_assert_uint_eq(status(pid, "\nCapAmb:"), 0);
	ck_assert_uint_eq(status(pid, "\nNoNewPrivs:"), 1);
}

static void is_fenced(pid_t pid)
{
	has_no_privileges(pid);
	ck_assert_uint_eq(status(pid, "\nCapBnd:"), 0);
	ck_assert_uint_eq(status(pid, "\nSeccomp:"), 2);
	ck_assert(!shares(pid, "net"));
	ck_assert_str_eq(proc(pid, "environ"), "");
	ck_assert_ptr_nonnull(strstr(proc(pid, "limits"),
				     "Max core file size        0                    0"));
}

/* ---- a shell ---- */

static int sh(enum jail_mode jail, const char *script)
{
	const struct landlock_rule r = {given, -1, LANDLOCK_READ};
	const char *const args[] = {"-c", script, NULL};
	struct daemon_spec s = {.program = "sh",
				.cure = "",
				.args = args,
				.reach = &r,
				.nreach = 1,
				.jail = jail};

	return daemon_start(dm, &s, &e);
}

static void says(const char *text)
{
	ck_assert_msg(strstr(e.msg, text) != NULL, "\"%s\" is not in \"%s\"", text,
		      e.msg);
}

static void must_say(enum jail_mode jail, const char *script, const char *text)
{
	ck_assert_msg(sh(jail, script) == 0, "%s", e.msg);
	ck_assert_int_eq(daemon_dead(dm, SOON_MS, &e), -ECHILD);
	says(text);
	daemon_stop(dm);
}

#define LINE(file) "read -r line <" file "; echo \"$line\"; exit 3"

START_TEST(shell_reads_what_it_is_given_and_nothing_else)
{
	if (landlock_abi() < 0)
		return;
	must_say(JAIL_AUTO, LINE("given"), "status 3: is given");
	must_say(JAIL_AUTO, LINE("secret"), "Permission denied");
	must_say(JAIL_AUTO, "echo a >given", "Permission denied");
	must_say(JAIL_AUTO, LINE("/proc/self/status"), "Permission denied");
	must_say(JAIL_AUTO, "/bin/cat given", "Permission denied");
	must_say(JAIL_OFF, LINE("secret"), "status 3: is secret");
}
END_TEST

START_TEST(shell_has_no_privileges)
{
	int fd;

	if (!namespaces_allowed())
		return;
	ck_assert_int_eq(sh(JAIL_STRICT, "kill -STOP $$"),
			 landlock_abi() < 0 ? -EPERM : 0);
	if (landlock_abi() < 0)
		return;
	fd = 0;
	ck_assert_int_eq(waitpid(dm->pid, &fd, WUNTRACED), dm->pid); /* it is past exec */
	ck_assert(WIFSTOPPED(fd));
	is_fenced(dm->pid);
	ck_assert_int_eq(kill(dm->pid, SIGKILL), 0);
}
END_TEST

START_TEST(script_is_refused_with_the_cure)
{
	const struct landlock_rule r = {given, -1, LANDLOCK_READ};
	const char *const places[] = {dir, NULL}, *const args[] = {NULL};
	struct daemon_spec s = {
		.program = "wrapper", .places = places, .args = args, .reach = &r};
	char path[64];

	if (landlock_abi() < 0)
		return;
	put(path, "wrapper", "#!/bin/dash\nexit 0");
	ck_assert_int_eq(chmod(path, 0700), 0);
	if (access("/bin/dash", X_OK) < 0)
		return;
	ck_assert_int_eq(daemon_start(dm, &s, &e), 0);
	ck_assert_int_eq(daemon_dead(dm, SOON_MS, &e), -ECHILD);
	ck_assert_str_eq(
		e.msg,
		"wrapper ended with status 126: cannot be executed where it is "
		"confined to its own files, as a script needs others; --jail off starts it "
		"unconfined: Permission denied");
}
END_TEST

/* As the new process does it. Return: 0, or the line of what was allowed */
static int tries_calls(bool uring)
{
	static const unsigned int calls[] = {SYS_socket, SYS_socketpair, SYS_connect};
	const struct landlock_rule r = {given, -1, LANDLOCK_READ};
	struct daemon_spec s = {
		.program = "sh", .reach = &r, .nreach = 1, .uring = uring};
	struct daemon_fence f;
	long rc;

	if (daemon_fence_init(&f, &s, "/bin/sh", &e) < 0 ||
	    daemon_fence_enter(&f, f.ruleset))
		return __LINE__;
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		if (syscall(calls[i], -1, -1, -1, NULL) >= 0 || errno != EACCES)
			return __LINE__;
	rc = syscall(SYS_io_uring_setup, 0, NULL);
	if (rc >= 0 || (errno == EACCES) == uring)
		return __LINE__;
	/* x86-64 has each call by another number as well */
	if (syscall(SYS_socket | 0x40000000, -1, -1, -1) >= 0 || errno != EACCES)
		return __LINE__;
	if (getpid() < 1 || close(-1) == 0 || errno != EBADF)
		return __LINE__;
	return 0;
}

START_TEST(sockets_are_not_made)
{
	int how = -1;
	pid_t pid = fork();

	if (pid == 0) {
		how = tries_calls(_i);
		if (how)
			(void)fprintf(stderr, "line %d\n", how);
		_exit(how != 0);
	}
	ck_assert_int_eq(waitpid(pid, &how, 0), pid);
	ck_assert_int_eq(how, 0);
}
END_TEST

/* ---- layers that the host does not have ---- */

static const struct {
	unsigned int call;
	const char *layer;
} layers[] = {{SYS_landlock_create_ruleset, "Landlock is missing: "},
	      {SYS_unshare, "a network namespace of its own is missing: "}};

/* In a process that cannot make the call any more */
static _Noreturn void without(unsigned int call, const char *layer)
{
	int fd = open("err", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char text[1024] = "";

	if (call != SYS_landlock_create_ruleset && landlock_abi() < 0)
		_exit(0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(room_answer(&call, 1, EPERM), 0);
	if (sh(JAIL_STRICT, "exit 3") != -EPERM || !strstr(e.msg, layer) || dm->pid)
		_exit(2);
	if (sh(JAIL_AUTO, LINE("given")) < 0 || daemon_dead(dm, SOON_MS, &e) == 0 ||
	    !strstr(e.msg, "is given"))
		_exit(3);
	daemon_stop(dm);
	(void)!pread(fd, text, sizeof(text) - 1, 0);
	_exit(strstr(text, layer) && strstr(text, "; ") ? 0 : 4);
}

/* ThreadSanitizer makes vfork() a fork(), and what the new process notes is lost */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VFORK_IS_FORK true
#endif
#endif
#ifndef VFORK_IS_FORK
#define VFORK_IS_FORK false
#endif

START_TEST(missing_layer_is_a_warning_or_a_refusal)
{
	int how = -1;
	pid_t pid;

	if (VFORK_IS_FORK)
		return;
	pid = fork();
	if (pid == 0)
		without(layers[_i].call, layers[_i].layer);
	ck_assert_int_eq(waitpid(pid, &how, 0), pid);
	ck_assert_int_eq(how, 0);
}
END_TEST

/* ---- qemu-storage-daemon ---- */

static bool image(const char *options)
{
	char cmd[400];

	if (access("/usr/bin/qemu-storage-daemon", X_OK) < 0 ||
	    access("/usr/bin/qemu-img", X_OK) < 0)
		return false;
	(void)snprintf(cmd, sizeof(cmd), "qemu-img create -q %s 2>&1", options);
	ck_assert_int_eq(system(cmd), 0);
	return true;
}

/* The daemon is told to follow what the image names, as it would if the header changed after we
 * had looked, or a fault in it was made use of. Its second word is wrong: past the image, it ends.
 */
static void follows(enum jail_mode jail, const char *says_)
{
	const struct landlock_rule r = {"image", -1, LANDLOCK_READ | LANDLOCK_WRITE};
	static const char disk[] =
		"driver=qcow2,node-name=disk,file.driver=file,file.filename=image";
	const char *const args[] = {"--blockdev", disk, "--export", "type=no-such-export",
				    NULL};
	struct daemon_spec s = {.program = "qemu-storage-daemon",
				.cure = "",
				.args = args,
				.reach = &r,
				.nreach = 1,
				.jail = jail};

	ck_assert_int_eq(daemon_start(dm, &s, &e), 0);
	ck_assert_int_eq(daemon_dead(dm, SOON_MS, &e), -ECHILD);
	says(says_);
	daemon_stop(dm);
}

static const char *const crafted[] = {
	"-f qcow2 -b /etc/passwd -F raw image",
	"-f qcow2 -o data_file=$PWD/secret image 1M",
};

START_TEST(crafted_image_is_not_followed)
{
	if (landlock_abi() < 0 || !image(crafted[_i]))
		return;
	follows(JAIL_AUTO, "Permission denied");
	follows(JAIL_OFF, "no-such-export");
}
END_TEST

/* What an image may name with backing=on, and what it may not */
static const struct {
	const char *make[3];
	enum disk_format format;
	bool works;
} chains[] = {
	{{"-f raw base 4M", "-f qcow2 -b base -F raw image"}, DISK_FORMAT_QCOW2, true},
	{{"-f raw sub/base 4M", "-f qcow2 -b base -F raw sub/middle",
	  "-f qcow2 -b sub/middle -F qcow2 image"},
	 DISK_FORMAT_QCOW2,
	 true},
	{{"-f qcow2 -o data_file=data image 1M"}, DISK_FORMAT_QCOW2, true},
	{{"-f raw base 4M", "-f qed -b base -F raw image"}, DISK_FORMAT_QED, true},
	{{"-f vmdk -o subformat=twoGbMaxExtentFlat image 4M"}, DISK_FORMAT_VMDK, true},
	{{"-f raw base 4M",
	  "-f qcow2 -u -F raw -b "
	  "'json:{\"driver\":\"raw\",\"file\":{\"driver\":\"file\",\"filename\":\"base\"}}' "
	  "image 4M"},
	 DISK_FORMAT_QCOW2,
	 false},
};

START_TEST(image_with_others_reaches_them)
{
	char name[] = "image";
	struct virtio_dev *v;

	ck_assert_int_eq(mkdir("sub", 0700), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(chains[_i].make) && chains[_i].make[i];
	     i++)
		if (landlock_abi() < 0 || !image(chains[_i].make[i]))
			return;
	d.cfg.disk[0] = (struct config_disk){
		.path = name, .format = chains[_i].format, .backing = true};
	d.cfg.ndisk = 1;
	v = blk_vhost_create(&d.env, 0, &d.err);
	ck_assert_msg(!v == !chains[_i].works, "%s", d.err.msg);
	if (v)
		driver_plug(&d, v);
	else
		ck_assert_msg(strstr(d.err.msg, "Permission denied") != NULL, "%s",
			      d.err.msg);
}
END_TEST

/* Another user's image is readable to root by a capability alone, which is the one that stays */
START_TEST(storage_daemon_has_no_privileges)
{
	char name[] = "image";
	struct virtio_dev *v;
	pid_t pid;

	if (landlock_abi() < 0 || !namespaces_allowed() || !image("-f qcow2 image 1M"))
		return;
	ck_assert_int_eq(chmod("image", 0600), 0);
	if (_i && chown("image", 1, 1) < 0)
		return;
	d.cfg.disk[0] = (struct config_disk){.path = name, .format = DISK_FORMAT_QCOW2};
	d.cfg.ndisk = 1;
	d.cfg.jail = JAIL_STRICT;
	v = blk_vhost_create(&d.env, 0, &d.err);
	ck_assert_msg(v != NULL, "%s", d.err.msg);
	pid = container_of(v, struct vu_dev, v)->daemon.pid;
	if (_i)
		ck_assert_uint_eq(status(pid, "\nCapEff:"), 1 << 1);
	else
		is_fenced(pid);
	driver_plug(&d, v);
}
END_TEST

/* ---- the others ---- */

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	while ((text = strchr(text, '\n'))) {
		n++;
		text++;
	}
	return n;
}

static pid_t child_of(pid_t pid)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "task/%d/children", (int)pid);
	return atoi(proc(pid, name));
}

/* virtiofsd's own rights over files stay, in a mount namespace where the share is all there is */
START_TEST(virtiofsd_sees_its_share_alone)
{
	static char tag[] = "tag";
	struct virtio_dev *v;
	unsigned int n = 0;

	if (access("/usr/lib/qemu/virtiofsd", X_OK) < 0 || geteuid() != 0 ||
	    !namespaces_allowed())
		return;
	d.cfg.share[0].path = dir;
	d.cfg.share[0].tag = tag;
	d.cfg.nshare = 1;
	v = fs_create(&d.env, 0, &d.err);
	ck_assert_msg(v != NULL, "%s", d.err.msg);
	for (pid_t pid = container_of(v, struct vu_dev, v)->daemon.pid; pid;
	     pid = child_of(pid), n++) {
		char root[64];
		struct stat at, want;

		(void)snprintf(root, sizeof(root), "/proc/%d/root/.", (int)pid);
		ck_assert_int_eq(stat(root, &at), 0);
		ck_assert_int_eq(stat(dir, &want), 0);
		ck_assert_uint_eq(at.st_ino, want.st_ino);
		ck_assert_uint_eq(lines(proc(pid, "mountinfo")), 1);
		/* the one that waits for the other gives them up beside it, perhaps later */
		for (int i = 0; i < 300 && status(pid, "\nCapBnd:"); i++)
			(void)poll(NULL, 0, 10);
		ck_assert_uint_eq(status(pid, "\nCapBnd:"), 0);
		ck_assert_uint_eq(status(pid, "\nNoNewPrivs:"), 1);
		ck_assert(!shares(pid, "mnt") && !shares(pid, "net"));
	}
	ck_assert_uint_ge(n, 1);
	driver_plug(&d, v);
}
END_TEST

/* It went to the background, so it comes to us as an orphan */
START_TEST(passt_isolates_itself)
{
	const struct config_net c = {.user = true};
	int fd;
	pid_t pid;

	if (access("/usr/bin/passt", X_OK) < 0)
		return;
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	fd = passt_start(&c, JAIL_AUTO, &e);
	if (fd < 0 && strstr(e.msg, "namespace"))
		return; /* a container that allows none */
	ck_assert_msg(fd >= 0, "%s", e.msg);
	pid = child_of(getpid());
	ck_assert_int_gt(pid, 0);
	while (status(pid, "\nSeccomp:") !=
	       2) /* which it has a moment after its parent ended */
		(void)poll(NULL, 0, 1);
	has_no_privileges(pid);
	if (geteuid() == 0) { /* whose namespaces another user may not look at */
		ck_assert(!shares(pid, "user") && !shares(pid, "mnt") &&
			  !shares(pid, "pid") && !shares(pid, "ipc"));
		ck_assert_uint_eq(lines(proc(pid, "mountinfo")), 1);
		ck_assert_ptr_nonnull(
			strstr(proc(pid, "status"), "\nUid:\t65534\t65534\t"));
	}
	close(fd);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid); /* it ends with its socket */
}
END_TEST

UNIT_MAIN("daemon_fence", setup, teardown, t)
{
	tcase_add_test(t, shell_reads_what_it_is_given_and_nothing_else);
	tcase_add_test(t, shell_has_no_privileges);
	tcase_add_loop_test(t, sockets_are_not_made, 0, 2);
	tcase_add_test(t, script_is_refused_with_the_cure);
	tcase_add_loop_test(t, missing_layer_is_a_warning_or_a_refusal, 0,
			    (int)ARRAY_SIZE(layers));
	tcase_add_loop_test(t, crafted_image_is_not_followed, 0,
			    (int)ARRAY_SIZE(crafted));
	tcase_add_loop_test(t, image_with_others_reaches_them, 0,
			    (int)ARRAY_SIZE(chains));
	tcase_add_loop_test(t, storage_daemon_has_no_privileges, 0, 2);
	tcase_add_test(t, virtiofsd_sees_its_share_alone);
	tcase_add_test(t, passt_isolates_itself);
}

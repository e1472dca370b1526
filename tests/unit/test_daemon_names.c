/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_daemon_names - names that an operator may give to a directory or an image, and what
 * the program that serves it makes of them: every byte, and what its options mean something
 * by.  First a script in its place, then the program itself if it is installed.
 */
#include <check.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "devices/virtio/devices.h"
#include "devices/virtio/vhost_user_device.h"
#include "tests/lib/driver.h"
#include "tests/lib/namespaces.h"
#include "tests/lib/unit.h"
#include "vmm/core/util.h"

#define BYTES_A_NAME 32 /* so that a script is started a few times only */

static struct driver d;
static char dir[32], bin[48], said[64], *path_was;
static char tag[] = "t,sandbox=none\\054%s'\""; /* which is the guest's to know */

static void setup(void)
{
	driver_init_shared(&d, MIB);
	d.cfg.ncpu = 1;
	(void)snprintf(dir, sizeof(dir), "/tmp/test-names-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(bin, sizeof(bin), "%s/bin", dir);
	(void)snprintf(said, sizeof(said), "%s/said", dir);
	ck_assert_int_eq(mkdir(bin, 0700), 0);
	path_was = strdup(getenv("PATH"));
	ck_assert_int_eq(chdir(dir),
			 0); /* so that names begin with what they begin with */
}

static void teardown(void)
{
	char cmd[64];

	driver_fini(&d);
	ck_assert_int_eq(setenv("PATH", path_was, 1), 0);
	free(path_was);
	ck_assert_int_eq(chdir("/"), 0);
	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- the names ---- */

static const char *const names[] = {
	"plain",
	/* what virtiofsd's -o makes of these is another directory, or none */
	"share\\057..\\057secret",
	"a,sandbox=none",
	"a\\,sandbox=none",
	"a\\054sandbox=none",
	"a\\",
	"a\\\\",
	/* what the others' options could */
	"a,,b,read-only=on",
	",",
	",,",
	"a,driver=nbd",
	"--fd=9",
	"-o",
	"-",
	"a=b",
	"=",
	"filename=x",
	"json:{}",
	"nbd:x",
	"fd:4",
	"a:b",
	"%s%n%99999d",
	"'a\"b`c$d",
	"{\"a\":null}",
	" a b ",
	"a\nb\n",
	"a\tb\r",
	"~",
	"#a",
	"*?[",
	"\xff\xfe\xc0\x80",
	"\xc3\xa4",
};

/* Name @i: of the table, then with every byte that a name may have, some at a time */
static const char *name_of(unsigned int i)
{
	static char made[2 + BYTES_A_NAME];
	unsigned int n = 0;

	if (i < ARRAY_SIZE(names))
		return names[i];
	made[n++] = 'x';
	for (unsigned int k = 0; k < BYTES_A_NAME; k++) {
		size_t c = (i - ARRAY_SIZE(names)) * BYTES_A_NAME + k;

		if (c && c != '/')
			made[n++] = (char)c;
	}
	made[n] = '\0';
	return made;
}

#define NAMES ((int)(ARRAY_SIZE(names) + 256 / BYTES_A_NAME))

static char path[256];

static void path_is(unsigned int i, const char *ending)
{
	(void)snprintf(path, sizeof(path), "%s%s", name_of(i), ending);
}

/* A program called @name: a script */
static void install(const char *name, const char *script)
{
	char file[80];
	FILE *f;

	(void)snprintf(file, sizeof(file), "%s/%s", bin, name);
	f = fopen(file, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_gt(fprintf(f, "#!/bin/sh\nPATH='%s'\n%s\n", path_was, script), 0);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(file, 0700), 0);
	ck_assert_int_eq(setenv("PATH", bin, 1), 0);
	d.cfg.jail = JAIL_OFF; /* a script needs more than its own files */
}

/* What a script wrote to @said */
static const char *heard(void)
{
	static char text[4096];
	FILE *f = fopen(said, "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	ck_assert_msg(f != NULL, "%s", d.err.msg);
	(void)fclose(f);
	text[n] = '\0';
	return text;
}

/* "DEVICE:INODE\n" of @path, as stat(1) prints it */
static const char *identity(void)
{
	static char text[64];
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	(void)snprintf(text, sizeof(text), "%llu:%llu\n", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	return text;
}

/* ---- shared directories ---- */

static void share(void)
{
	ck_assert_msg(mkdir(path, 0700) == 0, "%s: %s", path, strerror(errno));
	d.cfg.share[0].path = path;
	d.cfg.share[0].tag = tag;
	d.cfg.nshare = 1;
}

/* What the script below says of a share: what it was told, and what it found */
static int share_says(char *text, size_t size, const char *place, const char *box)
{
	return snprintf(text, size, "--fd=3 -o source=%s,sandbox=%s,cache=auto\n%s%s",
			place, box, identity(),
			d.cfg.share[0].readonly ? "" : "writable\n");
}

/* The words are always the same, and what is there is the directory.  Where it is a mount, there
 * is no descriptor from outside of it, by which .. would lead out.
 */
START_TEST(share_is_found_whatever_its_name_is)
{
	bool ro = _i % 2;
	char script[400], want[320];
	int n = 0;

	path_is((unsigned int)_i, "");
	share();
	d.cfg.share[0].readonly = ro;
	(void)snprintf(script, sizeof(script),
		       "exec >>%s\ncase \"$*\" in --help) exit ;; */fd/4/*) "
		       "at=/proc/self/fd/4/ ;;\n*) at=/sys ;; esac\necho \"$*\"\n"
		       "stat -L -c %%d:%%i $at\ntouch $at/new 2>&- && echo writable\n"
		       "[ $at != /sys ] || [ ! -e /proc/self/fd/4 ] || echo outside\n"
		       "exit 1",
		       said);
	install("virtiofsd", script);
	ck_assert_ptr_null(fs_create(&d.env, 0, &d.err));
	if (namespaces_allowed())
		n = share_says(want, sizeof(want), "/sys", "namespace");
	else if (ro)
		return; /* which is a mount's to be */
	(void)share_says(want + n, sizeof(want) - (size_t)n,
			 ro ? "/sys" : "/proc/self/fd/4/", "chroot");
	ck_assert_str_eq(heard(), want);
}
END_TEST

/* Return: does process @pid, or one that it has started, see the share as its root? */
static bool has_root(long pid, bool readonly)
{
	char file[80], text[256] = "";
	struct stat st, want;
	struct statvfs v;
	FILE *f;
	char *p = text, *end;

	ck_assert_int_eq(stat(path, &want), 0);
	(void)snprintf(file, sizeof(file), "/proc/%ld/root/.", pid);
	if (stat(file, &st) == 0 && st.st_dev == want.st_dev &&
	    st.st_ino == want.st_ino && statvfs(file, &v) == 0)
		return !readonly || (v.f_flag & ST_RDONLY);
	(void)snprintf(file, sizeof(file), "/proc/%ld/task/%ld/children", pid, pid);
	f = fopen(file, "re");
	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		(void)fclose(f);
	for (long child; (child = strtol(p, &end, 10)) > 0; p = end)
		if (has_root(child, readonly))
			return true;
	return false;
}

static bool installed(const char *const *places)
{
	for (unsigned int i = 0; places[i]; i++)
		if (access(places[i], X_OK) == 0)
			return true;
	return false;
}

/* The real one, with a server in it that answers: what it shows is the directory */
START_TEST(virtiofsd_itself_serves_it)
{
	static const char *const places[] = {"/usr/libexec/virtiofsd",
					     "/usr/lib/qemu/virtiofsd", NULL};
	struct virtio_dev *v;

	if (!installed(places) || geteuid() != 0)
		return; /* whose root another user may not look at */
	path_is((unsigned int)_i, "");
	share();
	d.cfg.share[0].readonly = _i % 2;
	v = fs_create(&d.env, 0, &d.err);
	if (!v && strstr(d.err.msg, "namespace"))
		return; /* a container that allows none */
	ck_assert_msg(v != NULL, "%s", d.err.msg);
	ck_assert(has_root(container_of(v, struct vu_dev, v)->daemon.pid,
			   d.cfg.share[0].readonly));
	driver_plug(&d, v);
}
END_TEST

/* ---- images ---- */

static void image(bool backing, const void *head, size_t len)
{
	FILE *f = fopen(path, "we");

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	ck_assert_uint_eq(fwrite(head, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	d.cfg.disk[0] = (struct config_disk){
		.path = path, .format = DISK_FORMAT_QCOW2, .backing = backing};
	d.cfg.ndisk = 1;
}

static const uint8_t qcow2[64] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};

/* The words are always the same, and the descriptor is the image */
START_TEST(image_is_found_whatever_its_name_is)
{
	static const char words[] =
		"--blockdev driver=file,node-name=file,read-only=off,discard=unmap,"
		"cache.direct=off,filename=/proc/self/fd/4 --blockdev {\"driver\":\"qcow2\","
		"\"node-name\":\"disk\",\"file\":\"file\",\"read-only\":false,\"discard\":"
		"\"unmap\",\"cache\":{\"direct\":false},\"backing\":null} --export "
		"type=vhost-user-blk,id=disk,node-name=disk,writable=on,writethrough=off,"
		"num-queues=1,addr.type=fd,addr.str=3\n";
	char script[256], want[sizeof(words) + 64];

	path_is((unsigned int)_i, ".img");
	image(false, qcow2, sizeof(qcow2));
	(void)snprintf(script, sizeof(script),
		       "echo \"$*\" >%s; stat -L -c %%d:%%i /proc/self/fd/4 >>%s; exit 1",
		       said, said);
	install("qemu-storage-daemon", script);
	ck_assert_ptr_null(blk_vhost_create(&d.env, 0, &d.err));
	(void)snprintf(want, sizeof(want), "%s%s", words, identity());
	ck_assert_str_eq(heard(), want);
}
END_TEST

/* With backing=on the name is told: to this program two commas are one, and one ends it */
START_TEST(image_with_others_is_told_by_its_name)
{
	char script[128], want[600] = "filename=";
	size_t n = strlen(want);
	const char *p;

	path_is((unsigned int)_i, "");
	image(true, qcow2, sizeof(qcow2));
	for (const char *c = path; *c; c++) {
		want[n++] = *c;
		if (*c == ',')
			want[n++] = ',';
	}
	(void)snprintf(script, sizeof(script), "printf '%%s' \"$2\" >%s; exit 1", said);
	install("qemu-storage-daemon", script);
	ck_assert_ptr_null(blk_vhost_create(&d.env, 0, &d.err));
	p = strstr(heard(), "filename=");
	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p, want);
}
END_TEST

/* A qcow2 image of @size bytes, at most 32 GiB, that has nothing in it: a header, the table of
 * its reference counts with one block, and a table of tables that is empty
 */
static void put_image(bool backing, uint64_t size)
{
	static uint8_t b[4 * 65536];

	memset(b, 0, sizeof(b));
	memcpy(b, "QFI\xfb\0\0\0\2", 8);
	b[23] = 16; /* cluster bits */
	for (unsigned int i = 0; i < 8; i++)
		b[24 + i] = (uint8_t)(size >> (56 - 8 * i));
	b[39] = 64;       /* entries of the table of tables, */
	b[45] = 3;        /* which is the fourth cluster */
	b[53] = 1;        /* the table of reference counts: the second, */
	b[59] = 1;        /* one cluster of it */
	b[65536 + 5] = 2; /* its block: the third */
	for (unsigned int i = 0; i < 4; i++)
		b[2 * 65536 + 2 * i + 1] = 1;
	image(backing, b, sizeof(b));
}

/* The real one: the disk that it serves has the size of this image and of no other */
START_TEST(qemu_storage_daemon_itself_serves_it)
{
	static const char *const places[] = {"/usr/bin/qemu-storage-daemon", NULL};
	uint64_t size = (uint64_t)(100 + _i) * MIB;
	struct virtio_blk_config c;
	struct virtio_dev *v;

	if (!installed(places))
		return;
	path_is((unsigned int)_i / 2, ".img");
	put_image(_i % 2, size);
	v = blk_vhost_create(&d.env, 0, &d.err);
	ck_assert_msg(v != NULL, "%s", d.err.msg);
	driver_plug(&d, v);
	memcpy(&c, d.page + VIRTIO_MMIO_CONFIG, sizeof(c));
	ck_assert_uint_eq(c.capacity * 512, size);
}
END_TEST

UNIT_MAIN("daemon_names", setup, teardown, t)
{
	tcase_add_loop_test(t, share_is_found_whatever_its_name_is, 0, NAMES);
	tcase_add_loop_test(t, virtiofsd_itself_serves_it, 0, NAMES);
	tcase_add_loop_test(t, image_is_found_whatever_its_name_is, 0, NAMES);
	tcase_add_loop_test(t, image_with_others_is_told_by_its_name, 0, NAMES);
	tcase_add_loop_test(t, qemu_storage_daemon_itself_serves_it, 0, 2 * NAMES);
}

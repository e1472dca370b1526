/* SPDX-License-Identifier: Apache-2.0 */
/* test_job_kernel - what a job's machine boots, by what is given for it. */
#include "vmm/job/job_kernel.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "tests/lib/files.h"
#include "tests/lib/unit.h"
#include "tests/unit/boot_files.h"
#include "tests/unit/debs.h"
#include "tests/unit/modules.h"
#include "vmm/settings/config_life.h"

#define RELEASE "6.1.0-9-amd64"
#define OTHER   "5.10.0-1-amd64"

static char dir[64];
static struct job_kernel k;
static struct job_options o;
static struct config cfg;
static struct err e;
static struct ko ko;
static struct deb deb;
static struct tar data, control;

static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned int i;

	(void)snprintf(path[++i % 4], sizeof(path[0]), "%s/%s", dir, name);
	return path[i % 4];
}

static void put(const char *name, const void *bytes, size_t len)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write_full(fd, bytes, len), (long)len);
	close(fd);
}

/* An image of mkagent's, as far as its first file */
static void put_agent(const char *release)
{
	char text[256];
	size_t n = strlen(release);

	(void)snprintf(
		text, sizeof(text),
		"070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x.release%c%c%s",
		0, 0100644, 0, 0, 1, 0, (unsigned int)n, 0, 0, 0, 0, 9, 0, 0, 0, "");
	memcpy(text + 120, release, n);
	put("agent", text, sizeof(text));
}

static void setup(void)
{
	static const char kernel[] = "x Linux version " RELEASE " (me)";

	(void)snprintf(dir, sizeof(dir), "/tmp/test_job_kernel.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(setenv("MICROVM_RUN_DIR", dir, 1), 0);
	put("kernel", kernel, sizeof(kernel));
	put_agent(OTHER "\n");
	k = (struct job_kernel){.kernel.fd = -1, .modules.fd = -1};
	memset(&o, 0, sizeof(o));
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	e = (struct err){0};
}

static void teardown(void)
{
	job_kernel_close(&k);
	config_fini(&cfg);
	files_remove(dir);
}

static int find(const char *kernel, const char *modules, bool bare)
{
	job_kernel_close(&k);
	config_fini(&cfg);
	ck_assert_int_eq(config_init(&cfg, &e), 0);
	e = (struct err){0};
	o.modules = modules;
	if (kernel)
		ck_assert_int_eq(config_string(&cfg.kernel, kernel, &e), 0);
	return job_kernel_find(&k, &cfg, &o, bare, &e);
}

static void fails(const char *kernel, const char *modules, bool bare, const char *words)
{
	ck_assert_int_lt(find(kernel, modules, bare), 0);
	ck_says(e, words);
}

static void built(const char *release)
{
	ko_make(&ko, "", release);
	put("virtio_console.ko", ko.bytes, ko.len);
	file_put(at("modules.order"), "virtio_console.ko\n", 0600);
}

START_TEST(is_found_with_its_agent)
{
	ck_assert_msg(find(NULL, NULL, false) == 0, "%s", e.msg);
	ck_assert_str_eq(cfg.kernel, at("kernel"));
	ck_assert_uint_eq(cfg.ninitrd, 1);
	ck_assert_str_eq(cfg.initrd[0], at("agent"));
	ck_assert_int_eq(find(at("kernel"), NULL, true), 0);
	ck_assert_uint_eq(cfg.ninitrd, 0);
}
END_TEST

START_TEST(takes_the_modules_of_its_directory)
{
	built(RELEASE);
	ck_assert_msg(find(dir, NULL, false) == 0, "%s", e.msg);
	ck_assert_str_eq(cfg.kernel, at("kernel"));
	ck_assert_uint_eq(cfg.ninitrd, 2);
	ck_assert_str_eq(cfg.initrd[1], k.modules.path);
	ck_assert_int_eq(find(NULL, dir, false), 0);
	ck_assert_uint_eq(cfg.ninitrd, 2);
	ck_assert_int_eq(find(dir, NULL, true), 0);
	ck_assert_uint_eq(cfg.ninitrd, 0);
}
END_TEST

START_TEST(refuses_modules_of_another_kernel)
{
	built(OTHER);
	fails(dir, NULL, false, "is of kernel " OTHER ", but ");
	ck_says(e,
		" is " RELEASE "; build both: make all, or give others by --modules DIR");
	fails(NULL, dir, false, "--modules /tmp/");
	ck_says(e, "give those of this kernel");
	fails(NULL, dir, true,
	      "--modules are for our agent, and --initrd boots without it");
	fails(NULL, at("nothing"), false,
	      "has no modules of " RELEASE ": no modules.dep or modules.order is there");
}
END_TEST

/* Only if the kernel wants modules, and the image says of which kernel its own are */
START_TEST(refuses_a_kernel_that_the_agents_modules_do_not_fit)
{
	static const char config[] = "# Linux/x86 6.1 Kernel Configuration\n"
				     "CONFIG_X=y\nCONFIG_VIRTIO_MMIO=y\n"
				     "CONFIG_VIRTIO_CONSOLE=m\n";

	ck_assert_int_eq(find(at("kernel"), NULL, false), 0);
	file_put(at("config"), config, 0600);
	fails(at("kernel"), NULL, false,
	      "is " RELEASE
	      ", whose virtio_console is a module, and the agent's image has "
	      "those of " OTHER "; give its own: --modules DIR");
	put_agent("");
	fails(at("kernel"), NULL, false, "the agent's image has none; give");
	put_agent(RELEASE "\n");
	ck_assert_int_eq(find(at("kernel"), NULL, false), 0);
	put("agent", "070701", 6);
	ck_assert_int_eq(find(at("kernel"), NULL, false), 0);
}
END_TEST

START_TEST(is_in_a_package)
{
	data.len = control.len = deb.len = 0;
	tar_text(&control, "./control", "Package: linux-image-x\n");
	tar_text(&data, "./boot/vmlinuz-" RELEASE, "Linux version " RELEASE " (me)");
	ko_make(&ko, "", RELEASE);
	tar_add(&data, "./lib/modules/" RELEASE "/virtio_mmio.ko", ko.bytes, ko.len);
	deb_add_tar(&deb, "control", &control, 0);
	deb_add_tar(&deb, "data", &data, 0);
	put("x.deb", deb.bytes, deb.len);
	ck_assert_msg(find(at("x.deb"), NULL, false) == 0, "%s", e.msg);
	ck_assert_str_eq(cfg.kernel, k.kernel.path);
	ck_assert_str_eq(config_kernel_name(&cfg), at("x.deb"));
	ck_assert_uint_eq(cfg.ninitrd, 2);
	ck_assert_int_eq(find(at("x.deb"), NULL, true), 0);
	ck_assert_uint_eq(cfg.ninitrd, 0);
	/* others than its own */
	built(OTHER);
	fails(at("x.deb"), dir, false, "x.deb is " RELEASE "; give those of this kernel");
}
END_TEST

UNIT_MAIN("job_kernel", setup, teardown, t)
{
	tcase_add_test(t, is_found_with_its_agent);
	tcase_add_test(t, takes_the_modules_of_its_directory);
	tcase_add_test(t, refuses_modules_of_another_kernel);
	tcase_add_test(t, refuses_a_kernel_that_the_agents_modules_do_not_fit);
	tcase_add_test(t, is_in_a_package);
}

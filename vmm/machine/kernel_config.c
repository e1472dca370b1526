/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_config - the options that a kernel needs for what a machine has. */
#include "vmm/machine/kernel_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/ikconfig.h"
#include "boot/uki.h"
#include "vmm/core/arch.h"
#include "vmm/core/util.h"

#define KERNEL_CONFIG_MAX (2 * MIB) /* a distribution's has 0.3 */

static bool uses_disk(const struct config *cfg)
{
	return cfg->ndisk > 0;
}

static bool uses_net(const struct config *cfg)
{
	return cfg->nnet > 0;
}

static bool uses_share(const struct config *cfg)
{
	return cfg->nshare > 0;
}

static bool uses_vsock(const struct config *cfg)
{
	return cfg->vsock.path != NULL;
}

static bool uses_pmem(const struct config *cfg)
{
	return cfg->npmem > 0;
}

static bool uses_balloon(const struct config *cfg)
{
	return cfg->balloon.on;
}

static bool uses_console(const struct config *cfg)
{
	return cfg->console == CONSOLE_VIRTIO;
}

static bool uses_port(const struct config *cfg)
{
	return cfg->nport > 0;
}

static bool uses_initrd(const struct config *cfg)
{
	return cfg->ninitrd > 0;
}

static bool uses_cpus(const struct config *cfg)
{
	return cfg->ncpu > 1;
}

/* ACPI finds the devices and the other vCPUs, on x86 alone */
static bool uses_acpi(const struct config *cfg)
{
	return cfg->acpi && strcmp(arch_name, "x86-64") == 0;
}

static bool uses_words(const struct config *cfg)
{
	return !cfg->acpi && strcmp(arch_name, "x86-64") == 0 &&
	       (cfg->ndisk || cfg->nnet || cfg->nshare);
}

/* For its button; required only if the operator gave a time */
static bool uses_stop(const struct config *cfg)
{
	return cfg->stop_timeout_ns && cfg->stop_timeout_ns != CONFIG_STOP_NS;
}

static bool uses_acpi_button(const struct config *cfg)
{
	return uses_stop(cfg) && uses_acpi(cfg);
}

static bool uses_virtio_button(const struct config *cfg)
{
	return uses_stop(cfg) && !uses_acpi(cfg);
}

/* Each option is the last in its chain: Kconfig selects those that it depends on */
static const struct {
	const char *option, *setting;
	bool (*uses)(const struct config *cfg);
} kernel_needs[] = {
	{"VIRTIO_BLK", "--disk", uses_disk},
	{"VIRTIO_MMIO", "--disk", uses_disk},
	{"VIRTIO_NET", "--net", uses_net},
	{"VIRTIO_MMIO", "--net", uses_net},
	{"FUSE_FS", "--share", uses_share},
	{"VIRTIO_FS", "--share", uses_share},
	{"VIRTIO_VSOCKETS", "--vsock", uses_vsock},
	{"VIRTIO_PMEM", "--pmem", uses_pmem},
	{"BLK_DEV_PMEM", "--pmem", uses_pmem},
	{"VIRTIO_BALLOON", "--balloon", uses_balloon},
	{"VIRTIO_CONSOLE", "--console virtio", uses_console},
	{"VIRTIO_CONSOLE", "--port", uses_port},
	{"BLK_DEV_INITRD", "--initrd", uses_initrd},
	{"SMP", "--cpus", uses_cpus},
	{"ACPI", "--acpi on", uses_acpi},
	{"INPUT_EVDEV", "--stop-timeout", uses_stop},
	{"ACPI_BUTTON", "--stop-timeout", uses_acpi_button},
	{"VIRTIO_INPUT", "--stop-timeout", uses_virtio_button},
	{"VIRTIO_MMIO_CMDLINE_DEVICES", "--acpi off", uses_words},
};

/* Return: @text, from malloc(), if it is a configuration.  NULL may be given */
static char *config_or_nothing(char *text)
{
	if (text && strstr(text, "Kernel Configuration\n") && strstr(text, "\nCONFIG_"))
		return text;
	free(text);
	return NULL;
}

/* Return: the text of the file, if it is a configuration */
static char *config_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size <= KERNEL_CONFIG_MAX)
		text = malloc((size_t)st.st_size + 1);
	if (text) {
		n = pread(fd, text, (size_t)st.st_size, 0);
		text[n > 0 ? n : 0] = '\0';
	}
	close(fd);
	return config_or_nothing(text);
}

char *kernel_config_read(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int dir = slash ? (int)(slash + 1 - path) : 0;
	const char *dash = strchr(name, '-');
	char *text = NULL, *file;
	struct {
		const char *file, *rest;
	} places[] = {
		{"config", dash ? dash : ""}, /* /boot */
		{"config", ""},               /* fetch-debian */
		{".config", ""},              /* a build's vmlinux */
		{"../../../.config", ""},     /* a build's arch/ARCH/boot/bzImage */
	};

	for (unsigned int i = 0; !text && i < ARRAY_SIZE(places); i++) {
		if (asprintf(&file, "%.*s%s%s", dir, path, places[i].file,
			     places[i].rest) < 0)
			return NULL;
		text = config_text(file);
		free(file);
	}
	return text;
}

/* Is CONFIG_@option y or m? */
static bool config_has(const char *text, const char *option)
{
	char want[64];
	int n = snprintf(want, sizeof(want), "\nCONFIG_%s=", option);
	const char *at = strstr(text, want);

	return at && (at[n] == 'y' || at[n] == 'm');
}

const char *kernel_config_module(const struct config *cfg, const char *text)
{
	static const char *const options[] = {"VIRTIO_MMIO", "VIRTIO_BLK"};
	char want[64];

	if (!uses_disk(cfg) || uses_initrd(cfg))
		return NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		(void)snprintf(want, sizeof(want), "\nCONFIG_%s=m\n", options[i]);
		if (strstr(text, want))
			return options[i];
	}
	return NULL;
}

bool kernel_config_lacks(const struct config *cfg, const char *text, unsigned int *next,
			 struct kernel_lack *lack)
{
	while (*next < ARRAY_SIZE(kernel_needs)) {
		unsigned int i = (*next)++;

		if (!kernel_needs[i].uses(cfg) ||
		    config_has(text, kernel_needs[i].option))
			continue;
		lack->option = kernel_needs[i].option;
		lack->setting = kernel_needs[i].setting;
		return true;
	}
	return false;
}

char *kernel_config_inside(const struct kernel_file *f)
{
	return config_or_nothing(ikconfig_read(f, KERNEL_CONFIG_MAX));
}

/* @has_initrd: the kernel's file has one that the operator need not give */
static void kernel_config_tell(const struct config *cfg, const char *text,
			       const char *where, bool has_initrd)
{
	struct kernel_lack lack;
	const char *module = text && !has_initrd ? kernel_config_module(cfg, text) : NULL;
	unsigned int next = 0;

	if (module)
		log_warn(
			"kernel %s: its CONFIG_%s is a module, says the configuration %s "
			"it, so it mounts no --disk without an --initrd that loads it; "
			"guest-images/rootfs/mkinitramfs makes one",
			config_kernel_name(cfg), module, where);
	while (text && kernel_config_lacks(cfg, text, &next, &lack))
		log_warn("kernel %s: it has no CONFIG_%s, which %s needs, says the "
			 "configuration %s it",
			 config_kernel_name(cfg), lack.option, lack.setting, where);
}

void kernel_config_warn(const struct config *cfg, struct kernel_file *f)
{
	char *text = kernel_config_read(cfg->kernel);
	struct err ignored; /* the kernel is refused by its loader */

	f->file.fd = -1;
	kernel_config_tell(cfg, text, "beside", false);
	if (!text)
		(void)kernel_open(f, cfg->kernel, &ignored);
	free(text);
}

void kernel_config_warn_inside(const struct config *cfg, struct kernel_file *f)
{
	char *text = f->file.fd < 0 ? NULL : kernel_config_inside(f);

	kernel_config_tell(cfg, text, "inside", text && uki_is(f));
	free(text);
}
